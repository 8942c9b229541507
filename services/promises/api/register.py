"""The public register: what is promised to customers, where it is published, and how it is kept. Nobody needs a token."""

import time
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field

from services.chassis import csvs
from services.chassis.instants import text_of
from services.promises.api.shared import Around, Surroundings
from services.promises.payments import by_promise
from services.promises.register import COLUMNS, register_of, rows_of
from services.promises.store import payments, published, reads

MONTHS = 12
router = APIRouter(prefix="/v1", tags=["register"])


class Place(BaseModel):
    """Where customers read a promise before their first contact."""

    channel: str
    reference: str | None
    since: str | None


class MonthView(BaseModel):
    """What fell due in one month, by UTC, and was kept or broken."""

    month: date = Field(description="its first day")
    kept: int
    broken: int
    share: float = Field(description="kept / (kept + broken)")


class Entry(BaseModel):
    """One promise to customers that is in force, and what came of it under all its versions."""

    promise: str
    statement: str
    published: list[Place]
    since: datetime = Field(description="when the first of its versions took effect, or was published where it counts from the beginning")
    applied: int = Field(description="how often it applied to a customer, what was called off later included")
    kept: int
    broken: int
    excused: int
    share: float | None = Field(description="kept / (kept + broken)")
    months: list[MonthView] = Field(description="of the last twelve months, those in which any was kept or broken; older ones first")
    paid: dict[str, str] = Field(description="compensation paid by rule where it was broken: an exact decimal by currency (ISO 4217)")


class Register(BaseModel):
    """What is promised, and how it is kept."""

    as_of: datetime | None
    items: list[Entry]


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It is as you know it"}}


@router.get("/register", operation_id="get_register", response_model=Register, responses=csvs.DESCRIBED | NOT_MODIFIED)
async def get_register(
    request: Request, around: Around, if_none_match: Annotated[str | None, Header(description="the ETag you have")] = None
) -> Response:
    """What is promised to customers and in force, and how it is kept; JSON, or CSV to whoever accepts `text/csv`."""
    found = await _remembered(around)
    as_csv = csvs.wanted(request)
    # weak: it is another one where an entry is, not whenever the barrier is
    tag = f'"{blake2b(orjson.dumps([as_csv, found["items"]]), digest_size=16).hexdigest()}"'
    headers = {"ETag": f"W/{tag}", "Cache-Control": f"public, max-age={int(around.settings.register_age)}", "Vary": "Accept"}
    if if_none_match is not None and not {tag, "*"}.isdisjoint(each.strip().removeprefix("W/") for each in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    if as_csv:
        rows = (row for entry in found["items"] for row in rows_of(entry))
        return Response(csvs.render(COLUMNS, rows), headers=headers, media_type=csvs.MEDIA_TYPE)
    return Response(orjson.dumps(found), headers=headers, media_type="application/json")


async def _remembered(around: Surroundings) -> dict[str, Any]:
    """The register, counted at most once in `register_age` seconds: nobody has to say who they are to ask for it."""
    remembered = around.register
    async with remembered.lock:
        if time.monotonic() >= remembered.stale_at:
            remembered.content = await _register(around)
            remembered.stale_at = time.monotonic() + around.settings.register_age
        return remembered.content


async def _register(around: Surroundings) -> dict[str, Any]:
    as_of = await reads.barrier(around.engine)
    versions, _ = await published.read_published(around.engine)
    paid = by_promise(await payments.read(around.engine))
    months = [] if as_of is None else await reads.count_months(around.engine, _months_before(as_of), as_of)
    items = register_of(versions, await reads.count_commitments(around.engine), months, paid, await around.now())
    return {"as_of": None if as_of is None else text_of(as_of), "items": items}


def _months_before(now: datetime) -> datetime:
    """The start of the month that was eleven before this one."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first.replace(year=first.year - (first.month < MONTHS), month=first.month % MONTHS + 1)
