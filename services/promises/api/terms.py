"""Terms negotiated with one customer: published like promises, never edited, in the place of a promise's own duration."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IdempotencyKey, Once
from services.chassis.problems import INVALID, NOT_FOUND, Kind, Problem
from services.promises import negotiated
from services.promises.api.shared import LARGEST_PAGE, NAME, PAGE_SIZE, Around, Input, Moment, Name, Surroundings, no_such_promise
from services.promises.calendars.durations import NoCalendarError, NotADurationError
from services.promises.catalogue import read_promise
from services.promises.negotiated import Row
from services.promises.store import published, terms
from services.promises.store.terms import NewTerm
from services.promises.versions import Span, Stage

NOT_NEGOTIABLE = Kind(422, "not-negotiable", "This promise has no duration that a customer's own could take the place of")
NOTHING_TO_END = Kind(409, "nothing-to-end", "Nothing is negotiated that could be ended")
POSITION: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, lt=2**31)])

router = APIRouter(prefix="/v1", tags=["terms"])


class NewTerms(Input):
    """What is negotiated; without `valid_from`, it counts as soon as everybody can know it."""

    customer: UUID
    within: str = Field(min_length=1, max_length=200, pattern=NAME, description="as in a promise: `4 hours`, `2 business days`")
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class End(Input):
    """From when on nothing is negotiated any more; left out, as soon as everybody can know it."""

    effective_from: Moment | None = None


class TermsView(BaseModel):
    """One negotiation as it was published; without `within`, it ends what was negotiated before."""

    id: int
    promise: str
    customer: UUID
    within: str | None
    state: str = Field(description="scheduled, in_force, superseded or ended")
    valid_from: datetime | None = Field(description="null: from the beginning")
    ends_at: datetime | None
    published_at: datetime
    published_by: str


class TermsPage(BaseModel):
    """Some negotiations, in the order of publication; `next` continues behind them."""

    items: list[TermsView]
    next: str | None


@router.post("/promises/{name}/terms", operation_id="agree_terms", status_code=201)
async def agree_terms(name: Name, body: NewTerms, around: Around, who: Who, key: IdempotencyKey) -> TermsView:
    """Give a customer their own duration for what is triggered from then on; it replaces what they had negotiated before."""
    once = Once.of(who.subject, key, f"agree {name}", body.model_dump(mode="json"))
    known = await terms.known_term(around.engine, once)
    if known is None:
        await _require_negotiable(around, name, body.within)
        now, effective = await around.effective(body.valid_from)
        if body.valid_until is not None and body.valid_until <= max(effective or now, now):
            raise Problem(INVALID, "`valid_until` must be after `valid_from`, and after the earliest time it can take effect.")
        new = NewTerm(name, body.customer, body.within, effective, body.valid_until)
        known = await terms.add_term(around.engine, new, who.subject, now, once)
    return await _one(around, known)


async def _require_negotiable(around: Surroundings, name: str, within: str) -> None:
    versions, _ = await published.read_published(around.engine, name)
    if not versions:
        raise no_such_promise()
    latest = versions[-1]
    calendars = await published.calendar_documents(around.engine)
    promise = read_promise(latest.document, name, calendars[latest.calendar] if latest.calendar else None)
    if not negotiated.negotiable(promise):
        raise Problem(NOT_NEGOTIABLE, "Its pattern must give a time `within`.")
    try:
        promise.terms.time.duration(within, "UTC")
    except (NotADurationError, NoCalendarError) as error:
        raise Problem(INVALID, str(error)) from None


@router.post("/promises/{name}/terms/{term_id}/end", operation_id="end_terms", status_code=201)
async def end_terms(
    name: Name, term_id: Annotated[int, Path(ge=1, lt=2**31)], body: End, around: Around, who: Who, key: IdempotencyKey
) -> TermsView:
    """End what a customer has negotiated: from then on the promise's own duration counts for them again."""
    once = Once.of(who.subject, key, f"end {name} {term_id}", body.model_dump(mode="json"))
    known = await terms.known_term(around.engine, once)
    if known is None:
        term = await terms.find_term(around.engine, name, term_id)
        if term is None:
            raise Problem(NOT_FOUND, "Nothing of that number was negotiated on this promise.")
        latest = (await terms.terms_between(around.engine, name, [term.customer]))[-1]
        if term.within is None or latest.id != term.id:
            raise Problem(NOTHING_TO_END, "It is ended, or something else was negotiated since.")
        now, effective = await around.effective(body.effective_from)
        new = NewTerm(name, term.customer, None, effective, None)
        known = await terms.add_term(around.engine, new, who.subject, now, once)
    return await _one(around, known)


@router.get("/promises/{name}/terms", operation_id="list_terms")
async def list_terms(
    name: Name,
    around: Around,
    customer: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> TermsPage:
    """What was negotiated on a promise, and when each of it counts."""
    versions, _ = await published.read_published(around.engine, name)
    if not versions:
        raise no_such_promise()
    after = cursors.decode(cursor, POSITION) if cursor else 0
    found = await terms.page_of_terms(around.engine, name, customer, after, limit + 1)
    shown, following = cursors.page(found, limit, lambda each: each.id)
    return TermsPage(items=await _views(around, shown), next=following)


async def _one(around: Surroundings, row: Row) -> TermsView:
    return (await _views(around, [row]))[0]


async def _views(around: Surroundings, rows: Sequence[Row]) -> list[TermsView]:
    """When something counts depends on what the same customer negotiated since."""
    if not rows:
        return []
    now = await around.now()
    related = await terms.terms_between(around.engine, rows[0].promise, {row.customer for row in rows})
    span_by_id = {row.id: span for row, span in negotiated.effective(related)}
    return [_view(row, span_by_id[row.id], now) for row in rows]


def _view(row: Row, span: Span, now: datetime) -> TermsView:
    stage = span.stage(now)
    return TermsView(
        id=row.id, promise=row.promise, customer=row.customer, within=row.within,
        state="ended" if stage is Stage.RETIRED else str(stage), valid_from=row.valid_from, ends_at=span.end,
        published_at=row.published_at, published_by=row.published_by,
    )  # fmt: skip
