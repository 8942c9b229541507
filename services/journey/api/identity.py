"""Who is whom: conflicts that wait for a person, what the person says, and the history of a customer's identity."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IdempotencyKey
from services.chassis.problems import NOT_FOUND, UNAVAILABLE, Problem
from services.chassis.relay import NotAcknowledgedError
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Moment
from services.journey.identity import decisions
from services.journey.identity.decisions import Decision, NobodyThereError
from services.journey.store import decisions as store
from services.journey.store.decisions import Around, Conflict
from services.journey.store.identity import StatementRow

PROBLEMS = {NobodyThereError: NOT_FOUND}
POSITION: TypeAdapter[tuple[datetime, UUID, UUID, UUID]] = TypeAdapter(tuple[Moment, UUID, UUID, UUID])

router = APIRouter(prefix="/v1", tags=["journey"])


class Named(BaseModel):
    """A customer, and the identifiers that lead to them."""

    key: UUID
    identifiers: list[str]


class ConflictView(BaseModel):
    """Two persons that one event names; or who were said to be one, where it was said of others among them that they are not."""

    customers: list[Named] = Field(min_length=2, max_length=2)
    event: UUID = Field(description="key of the event that shows it")
    type: str | None = Field(description="its type; none once it was erased")
    source: str | None
    id: str | None
    arrival: datetime
    decided: Literal["same", "other"] | None = Field(description="how it was decided; none as long as it waits")


class Conflicts(BaseModel):
    """Some conflicts, the oldest first; `next` continues behind them."""

    items: list[ConflictView]
    next: str | None


class Verdict(BaseModel):
    """Whether two customers are one person, and how that is known."""

    model_config = ConfigDict(extra="forbid")
    customers: list[UUID] = Field(min_length=2, max_length=2, description="by key")
    same: bool = Field(description="they are one person; false: they are not, whatever was said before")
    reason: str = Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")

    @model_validator(mode="after")
    def _two(self) -> "Verdict":
        if self.customers[0] == self.customers[1]:
            message = "`customers` must be two different keys"
            raise ValueError(message)
        return self


class Told(BaseModel):
    """What the log was told: it counts as soon as it has been read, and for everything read after it."""

    events: list[str] = Field(description="ids of the touchpoints, of source `makegood/journey`")


class KeyView(Named):
    """One key of a person."""

    provisional: bool = Field(description="known by things only, by itself")
    joined: UUID | None = Field(description="the key that its identifiers lead to, where it turned out to be that customer")


class Said(BaseModel):
    """What one statement says of two customers."""

    type: str
    source: str
    event: UUID
    time: datetime
    arrival: datetime
    customers: list[UUID]
    same: bool | None = Field(description="one person, or not; none: it said nothing of persons, and any conflict is listed")
    in_force: bool = Field(description="nothing later was said of the two, and it contradicts nothing")
    id: str | None = Field(description="as its source calls it; none once erased")
    by: str | None = Field(description="who decided it, where the source says so")
    reason: str | None
    identifiers: list[str] = Field(description="as it named them, the subject first")


class IdentityView(BaseModel):
    """Who a customer is, and everything that was ever said of it."""

    keys: list[KeyView] = Field(description="all keys that are this person")
    apart: list[UUID] = Field(description="customers of whom it was said that they are somebody else")
    statements: list[Said] = Field(description="in the order in which they were taken in")


@router.get("/identity/conflicts", operation_id="list_identity_conflicts")
async def list_identity_conflicts(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    decided: Annotated[bool | None, Query(description="only those that were decided, or only those that wait")] = None,
    cursor: Cursor = None,
) -> Conflicts:
    """What nobody may guess: customers who may be one person, or who were said to be and not to be."""
    after = cursors.behind(cursor, POSITION)
    found = await store.page(request.app.state.engine, after, limit + 1, decided=decided)
    shown, following = cursors.page(found, limit, lambda each: each[:4])
    names = await store.identifiers_of(request.app.state.engine, {key for each in shown for key in (each.customer, each.other)})
    return Conflicts(items=[_conflict(each, names) for each in shown], next=following)


def _conflict(conflict: Conflict, names: dict[UUID, list[str]]) -> ConflictView:
    event: dict[str, Any] = orjson.loads(conflict.body) if conflict.body else {}
    customers = [Named(key=key, identifiers=names.get(key, [])) for key in (conflict.customer, conflict.other)]
    return ConflictView.model_validate(
        {"customers": customers, "event": conflict.event, "arrival": conflict.arrival, "decided": conflict.decided}
        | {name: event.get(name) for name in ("type", "source", "id")}
    )


@router.post("/identity/decisions", operation_id="decide_identity", status_code=202)
async def decide_identity(request: Request, who: Who, verdict: Verdict, key: IdempotencyKey) -> Told:
    """Say whether two customers are one person: a conflict that waits, or anybody. The opposite said later takes it back."""
    state = request.app.state
    one, other = verdict.customers
    decision = Decision(one, other, verdict.same, verdict.reason, who.subject, key)
    try:
        events = await decisions.decide(state.engine, state.relay, state.settings.clock, decision)
    except NotAcknowledgedError as error:
        detail = "Kafka did not acknowledge it; send it again with the same Idempotency-Key."
        raise Problem(UNAVAILABLE, detail, headers={"Retry-After": "1"}) from error
    return Told(events=[each["id"] for each in events])


@router.get("/customers/{customer_id}/identity", operation_id="get_identity")
async def get_identity(customer_id: UUID, request: Request) -> IdentityView:
    """All keys of a person, and who said when, by which event, that they are one, or are not."""
    engine = request.app.state.engine
    around = await store.around(engine, [customer_id])
    if customer_id not in around.known:
        raise Problem(NOT_FOUND, "No event has led to a customer of that key; GET /v1/customers?identifier= finds them by their names.")
    keys = sorted(around.are.of(customer_id))
    names = await store.identifiers_of(engine, keys)
    apart = {other for pair in around.are.apart if not pair.isdisjoint(keys) for other in pair.difference(keys)}
    said = await store.said_of(engine, keys)
    return IdentityView(
        keys=[_key(key, around, names) for key in keys], apart=sorted(apart), statements=[_said(each, around) for each in said]
    )


def _key(key: UUID, around: Around, names: dict[UUID, list[str]]) -> KeyView:
    row = around.known[key]
    joined = None if row.head == key else row.head
    return KeyView(key=key, identifiers=names.get(key, []), provisional=row.provisional, joined=joined)


def _said(row: StatementRow, around: Around) -> Said:
    event = orjson.loads(row.said) if row.said else {"data": {}}
    data = event["data"]
    named = [each for each in (event["subject"], *data["identifiers"]) if isinstance(each, str)] if row.said else []
    heads = frozenset(around.known[each].head for each in (row.one, row.other))
    return Said(
        type=row.kind, source=row.source, event=row.event, time=row.time, arrival=row.arrival, customers=[row.one, row.other],
        same=row.same, in_force=row.same is not None and (row.event, heads) in around.counting, id=event.get("id"),
        by=_text(data.get("by")), reason=_text(data.get("reason")), identifiers=named,
    )  # fmt: skip


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
