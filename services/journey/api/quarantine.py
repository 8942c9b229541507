"""Refused records: listed, looked at, released or dismissed."""

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.problems import NOT_FOUND, UNAVAILABLE, Kind
from services.chassis.turns import LaneIsBusyError
from services.journey import quarantine
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Counted, Text
from services.journey.quarantine import (
    AnotherEventError,
    NoSuchRecordError,
    SettledOtherwiseError,
    StillRefusedError,
    Wish,
)
from services.journey.store import quarantine as store

PROBLEMS = {
    NoSuchRecordError: NOT_FOUND,
    SettledOtherwiseError: Kind(409, "settled-otherwise", "The record was settled by another act"),
    AnotherEventError: Kind(422, "another-event", "That is another event"),
    StillRefusedError: Kind(422, "still-refused", "The event would be refused again"),
    LaneIsBusyError: UNAVAILABLE,
}
POSITION: TypeAdapter[tuple[str, int]] = TypeAdapter(tuple[Text, Counted])
Topic = Annotated[Literal["touchpoints", "acts"], Path(description="the lane's raw topic")]
Partition = Annotated[int, Path(ge=0, lt=2**31, description="the lane's partition")]
Offset = Annotated[int, Path(ge=0, lt=2**63, description="the record's offset")]
DryRun = Annotated[bool, Query(description="say what would come of it, and change nothing")]

router = APIRouter(prefix="/v1", tags=["journey"])


class Refused(BaseModel):
    """One record that was refused: where it lies, why, and what would be right."""

    lane: str
    position: int
    reason: str
    detail: str
    place: str
    source: str | None
    arrival: datetime
    held: list[UUID] = Field(description="the customers it names, as far as it could be read: what depends on it is held")
    act: Literal["release", "dismiss"] | None = Field(description="what settled it; none as long as it waits")
    by: str | None = Field(description="who settled it")
    at: datetime | None = Field(description="when it was settled")
    why: str | None = Field(description="why it was dismissed")


class HeaderView(BaseModel):
    """One header of a record."""

    name: str
    base64: str


class RefusedRecord(Refused):
    """One refused record with what was sent, byte for byte."""

    key_base64: str | None
    value_base64: str | None
    text: str | None = Field(description="the value as text, where it is UTF-8")
    headers: list[HeaderView]


class Quarantine(BaseModel):
    """Some refused records."""

    items: list[Refused]
    next: str | None


class Correction(BaseModel):
    """The event as it should have been."""

    model_config = ConfigDict(extra="forbid")
    event: dict[str, Any] = Field(description="a CloudEvent in structured mode; its id and source are those of the record")


class Dismissal(BaseModel):
    """Why nobody needs the record."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]


class EventView(BaseModel):
    """The event that a record holds."""

    id: str
    source: str
    type: str
    time: datetime


class Settlement(BaseModel):
    """What came of an act on a refused record, or in a dry run would come of it; the same again gives the same."""

    lane: str
    position: int
    act: Literal["release", "dismiss"]
    by: str
    at: datetime
    outcome: Literal["applied", "duplicate", "conflict", "refused", "dismissed"]
    reason: str | None = None
    detail: str | None = None
    event: EventView | None = None
    customers: list[UUID] = Field(default=[], description="whom the event reaches")
    unheld: list[UUID] = Field(default=[], description="who is told that they are no longer held")


@router.get("/quarantine", operation_id="list_quarantine")
async def list_quarantine(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    settled: Annotated[bool | None, Query(description="only those that were released or dismissed, or only those that wait")] = None,
    cursor: Cursor = None,
) -> Quarantine:
    """Records that were refused, and why; without what was sent."""
    after = cursors.behind(cursor, POSITION)
    found = await store.page(request.app.state.engine, after, limit + 1, settled=settled)
    shown, following = cursors.page(found, limit, lambda each: (each.lane, each.position))
    return Quarantine(items=[Refused.model_validate(row, from_attributes=True) for row in shown], next=following)


@router.get("/quarantine/{topic}/{partition}/{position}", operation_id="get_refused_record")
async def get_refused_record(topic: Topic, partition: Partition, position: Offset, request: Request) -> RefusedRecord:
    """One refused record with the original bytes."""
    kept = await store.look(request.app.state.engine, f"{topic}/{partition}", position)
    if kept is None:
        raise NoSuchRecordError(NoSuchRecordError.__doc__)
    return RefusedRecord(
        **kept.listed._asdict(),
        key_base64=_base64(kept.key),
        value_base64=_base64(kept.value),
        text=_text(kept.value),
        headers=[HeaderView(name=name, base64=b64encode(content).decode()) for name, content in kept.headers],
    )


def _base64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


@router.post("/quarantine/{topic}/{partition}/{position}/release", operation_id="release_refused_record")
async def release_refused_record(
    topic: Topic, partition: Partition, position: Offset, request: Request, who: Who, *,
    body: Correction | None = None, dry_run: DryRun = False,
) -> Settlement:  # fmt: skip
    """Take the record in after all, as it is or corrected, with the arrival that it had."""
    event = None if body is None else body.event
    wish = Wish("release", f"{topic}/{partition}", position, who.subject, event=event, rehearse=dry_run)
    return await _settle(request, wish)


@router.post("/quarantine/{topic}/{partition}/{position}/dismiss", operation_id="dismiss_refused_record")
async def dismiss_refused_record(
    topic: Topic, partition: Partition, position: Offset, body: Dismissal, request: Request, who: Who, *, dry_run: DryRun = False
) -> Settlement:
    """Say that nobody needs the record; who was held for it no longer is."""
    wish = Wish("dismiss", f"{topic}/{partition}", position, who.subject, reason=body.reason, rehearse=dry_run)
    return await _settle(request, wish)


async def _settle(request: Request, wish: Wish) -> Settlement:
    return Settlement.model_validate(await quarantine.settle(request.app.state.engine, request.app.state.settings, wish))
