"""Backtests of drafts over the running system's own history; asked for, looked at while they run, and forgotten."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.chassis.preconditions import IdempotencyKey, Once
from services.chassis.problems import INVALID, NOT_FOUND, Problem
from services.promises.api.shared import Around, Input, Moment, read_documents
from services.promises.backtest.drafts import Draft
from services.promises.compile import Catalogue, Compiled
from services.promises.language.declarations import Promise
from services.promises.store import reads
from services.promises.store.runs import BACKTESTS, Run, Wanted

MOST_DOCUMENTS = 50

router = APIRouter(prefix="/v1", tags=["backtests"])


class NewBacktest(Input):
    """Promises, with calendars of their own if they need any, and the time whose triggers count."""

    documents: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_DOCUMENTS)
    since: Moment | None = Field(
        default=None, alias="from", description="the first trigger that counts; null: as far back as there is history"
    )
    until: Moment | None = Field(
        default=None, alias="to", description="judged as of then, at the latest the barrier reached; null: as of that"
    )


class BacktestView(BaseModel):
    """A backtest: how far it has come and, once done, what it came to."""

    id: UUID
    state: Literal["waiting", "running", "done", "failed", "lost"] = Field(
        description="lost: the process that ran it has ended; ask for it again"
    )
    asked_at: datetime
    asked_by: str
    promises: list[str]
    since: datetime | None = Field(serialization_alias="from")
    as_of: datetime
    read: int = Field(description="records read so far")
    total: int = Field(description="records to be read")
    items: list[dict[str, Any]] | None = Field(description="one object a promise, as `makegood backtest --json` prints it")
    problem: str | None


class Backtests(BaseModel):
    """Those asked for last."""

    items: list[BacktestView]


@router.post("/backtests", operation_id="start_backtest", status_code=202)
async def start_backtest(body: NewBacktest, around: Around, who: Who, key: IdempotencyKey, response: Response) -> BacktestView:
    """Judge drafts over what makegood.journey still holds; nothing of it is published, and no commitment is opened."""
    read = await read_documents(around, body.documents, ("Promise", "Calendar"))
    promises = [each.declares for each in read if isinstance(each.declares, Promise)]
    if not promises:
        raise Problem(INVALID, "There is no promise in it that could be judged.")
    now = await reads.barrier(around.engine) or await around.now()
    until = min(body.until, now) if body.until is not None else now
    request = {"promises": [each.name for each in promises], "from": body.since, "as_of": until}
    once = Once.of(who.subject, key, "backtest", body.model_dump(mode="json"))
    wanted = Wanted(uuid4(), who.subject, orjson.dumps(request))
    new, fresh = await BACKTESTS.create(around.engine, wanted, once, around.settings.backtests_at_once)
    if fresh:
        around.jobs.start(Draft(new.id, Catalogue(Compiled(each) for each in promises), body.since, until, around.settings, around.engine))
    response.headers["Location"] = f"/v1/backtests/{new.id}"
    return _view(new)


@router.get("/backtests", operation_id="list_backtests")
async def list_backtests(around: Around, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Backtests:
    """The backtests asked for last, the latest first."""
    return Backtests(items=[_view(each) for each in await BACKTESTS.latest(around.engine, limit)])


@router.get("/backtests/{backtest_id}", operation_id="get_backtest")
async def get_backtest(backtest_id: UUID, around: Around) -> BacktestView:
    """How far a backtest has come, and what it came to."""
    found = await BACKTESTS.find(around.engine, backtest_id)
    if found is None:
        raise _none_such()
    return _view(found)


@router.delete("/backtests/{backtest_id}", operation_id="delete_backtest", status_code=204)
async def delete_backtest(backtest_id: UUID, around: Around) -> None:
    """Cancel a backtest, or forget what it came to."""
    if not await BACKTESTS.delete(around.engine, backtest_id):
        raise _none_such()
    await around.jobs.stop(backtest_id)


def _view(found: Run) -> BacktestView:
    request = orjson.loads(found.request)
    outcome = orjson.loads(found.outcome or b"null")
    return BacktestView.model_validate(
        {
            "id": found.id,
            "state": found.state,
            "asked_at": found.asked_at,
            "asked_by": found.asked_by,
            "promises": request["promises"],
            "since": request["from"],
            "as_of": request["as_of"],
            "read": found.read,
            "total": found.total,
            "items": outcome if found.state == "done" else None,
            "problem": outcome["problem"] if found.state == "failed" else None,
        }
    )


def _none_such() -> Problem:
    return Problem(NOT_FOUND, "No backtest has that id; they are kept for some days.")
