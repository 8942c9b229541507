"""One act done to many cases: asked for, and how far it has come."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from contracts.acts import ACTS, BY_NAME, Act, Name, Needs
from services.chassis import cursors
from services.chassis.access import FORBIDDEN, Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IdempotencyKey, Once
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Problem
from services.recovery.store import bulk
from services.recovery.store.bulk import Run

router = APIRouter(prefix="/v1", tags=["bulk"])
POSITION: TypeAdapter[UUID] = TypeAdapter(UUID)
MOST_CASES = 10_000
BODY_BYTES = 1024 * 1024
"""Holds so many cases, each some 80 bytes."""
LARGEST_PAGE = 500
_ROOT = UUID("6e0d2f0c-53d5-5a1e-9d5f-2f1f0b8f7d31")


class SeenCase(Needs):
    """A case as it was seen: where it has changed since, the act is refused there."""

    id: UUID
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(description="as its ETag says")


class NewBulkAct(Needs):
    """One act to be done to chosen cases."""

    act: Name = Field(description="of the table of acts, as in `assign_case`")
    needs: dict[str, Any] = Field(default={}, description="what the act needs, the same for every case")
    cases: list[SeenCase] = Field(min_length=1, max_length=MOST_CASES)


class BulkView(BaseModel):
    """How far an act on many cases has come."""

    id: UUID
    act: str
    by: str
    at: AwareDatetime
    mass_failure: UUID | None = Field(description="whose members it is done to")
    total: int
    waiting: int
    done: int
    refused: int = Field(description="where the case did not allow it, or had changed")
    finished_at: AwareDatetime | None = Field(description="of a mass failure's, once that is closed")


class BulkItemView(BaseModel):
    """What became of one case."""

    case_id: UUID
    state: Literal["waiting", "done", "refused"]
    reason: str | None = Field(description="why it was refused")


class BulkItems(BaseModel):
    """Some cases of a bulk act, by id; `next` continues behind them."""

    items: list[BulkItemView]
    next: str | None


def checked(
    name: str, needs: Mapping[str, Any], who: Principal, within: timedelta | None = None, place: str = ""
) -> tuple[Act, dict[str, Any]]:
    """The act and what it needs as JSON; raises the 403 or 422 problem where it may not, or cannot, be done to many cases."""
    act = BY_NAME.get(name)
    if act is None:
        known = ", ".join(each.name for each in ACTS)
        raise Problem(INVALID, errors=[Fault(pointer=f"{place}/act", detail=f"{name} is no act; there are {known}")])
    if who.roles.isdisjoint(map(str, act.roles)):
        raise Problem(FORBIDDEN, f"{name} is for: {', '.join(sorted(act.roles))}.")
    due = {} if within is None else {"due": datetime.now(UTC) + within}
    try:
        found = act.needs.model_validate({**needs, **due})
    except ValidationError as error:
        places = [("/".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        raise Problem(INVALID, errors=[Fault(pointer=f"{place}/needs/{each}", detail=detail) for each, detail in places]) from error
    return act, found.model_dump(mode="json", exclude=set(due))


def view(run: Run, counts: Mapping[str, int]) -> BulkView:
    """A run as clients read it."""
    assert run.at is not None
    waiting, done, refused = (counts.get(each, 0) for each in (bulk.WAITING, bulk.DONE, bulk.REFUSED))
    return BulkView(
        id=run.id, act=run.act, by=run.subject, at=run.at, mass_failure=run.mass_failure, total=waiting + done + refused, waiting=waiting,
        done=done, refused=refused, finished_at=run.finished_at,
    )  # fmt: skip


async def read(request: Request, run: UUID) -> BulkView:
    """How a run stands; raises the 404 problem where there is none."""
    async with request.app.state.engine.connect() as connection:
        found = await bulk.run_of(connection, run)
        if found is None:
            raise Problem(NOT_FOUND, "There is no such act on many cases.")
        return view(found, (await bulk.counts(connection, [run]))[run])


def run_id(once: Once) -> UUID:
    """The id of the run that a creation begins."""
    return uuid5(_ROOT, once.name)


@router.post("/bulk-acts", operation_id="start_bulk_act", status_code=201)
async def start_bulk_act(body: NewBulkAct, request: Request, who: Who, key: IdempotencyKey) -> BulkView:
    """Do one act to many cases. Each decides by itself, as if it had been asked alone; where one refuses, the others go on."""
    act, needs = checked(body.act, body.needs, who)
    if act.thing is not None or act.is_file:
        raise Problem(INVALID, errors=[Fault(pointer="/act", detail=f"{act.name} is about one {act.thing or 'file'} of one case")])
    once = Once.of(who.subject, key, "start_bulk_act", body.model_dump(mode="json"))
    run = Run(run_id(once), act.name, needs, None, None, None, who.subject, sorted(who.roles), sorted(who.teams), once.fingerprint)
    async with request.app.state.engine.begin() as connection:
        if await bulk.begin(connection, run, once):
            await bulk.choose(connection, run.id, {each.id: each.version for each in body.cases})
    return await read(request, run.id)


@router.get("/bulk-acts/{run_id}", operation_id="get_bulk_act")
async def get_bulk_act(run_id: UUID, request: Request) -> BulkView:
    """How far an act on many cases has come."""
    return await read(request, run_id)


@router.get("/bulk-acts/{run_id}/cases", operation_id="list_bulk_act_cases")
async def list_bulk_act_cases(
    run_id: UUID,
    request: Request,
    state: Literal["waiting", "done", "refused"] | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
    cursor: Cursor = None,
) -> BulkItems:
    """What became of each case, and why it was refused."""
    await read(request, run_id)
    after = cursors.behind(cursor, POSITION)
    found = await bulk.items(request.app.state.engine, run_id, state, after, limit + 1)
    shown, following = cursors.page(found, limit, lambda each: each.case_id)
    items = [BulkItemView(case_id=each.case_id, state=each.state, reason=each.reason) for each in shown]  # type: ignore[arg-type]
    return BulkItems(items=items, next=following)
