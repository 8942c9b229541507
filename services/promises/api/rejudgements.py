"""Second verdicts: what commitments come to under another version of their promise. The first verdicts stand as they are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.instants import text_of
from services.chassis.preconditions import IdempotencyKey, Once
from services.chassis.problems import INVALID, NOT_FOUND, Problem
from services.promises.api.shared import LARGEST_PAGE, PAGE_SIZE, Around, Input, Moment, Name, Words, no_such_promise
from services.promises.catalogue import Published
from services.promises.negotiated import by_customer
from services.promises.rejudge import Rejudgement, Under
from services.promises.store import reads, sources
from services.promises.store import rejudging as store
from services.promises.store.rejudging import Beside, Result, Time
from services.promises.store.runs import REJUDGEMENTS, Run, Wanted

POSITION: TypeAdapter[UUID] = TypeAdapter(UUID)

router = APIRouter(prefix="/v1", tags=["rejudgements"])


class NewRejudgement(Input):
    """Which version to judge by, which triggers count, and why; it opens no case unless told to."""

    version: int = Field(ge=1, description="a published version of the promise; it is taken as if it had always counted")
    since: Moment | None = Field(default=None, alias="from", description="the first trigger that counts; null: all there are")
    until: Moment | None = Field(default=None, alias="to", description="triggers from here on do not count; null: all there are")
    reason: Words
    open_cases: bool = Field(default=False, description="whether what is broken by the second verdict alone is to be made good")


class CalendarVersion(BaseModel):
    """The calendar that a version is judged by."""

    name: str
    version: int


class Change(BaseModel):
    """How many commitments have another verdict now."""

    first: str | None = Field(description="the verdict under the commitment's own version; null: none was opened")
    second: str
    number: int


class Outcome(BaseModel):
    """What it came to, counted in commitments."""

    judged: int
    same: int
    changed: int
    opened: int = Field(description="of those judged: what this version opens and no version in force did")
    unread: int = Field(description="not judged: their events are held no more")
    unreadable: int = Field(description="events that this version could not be evaluated on")
    cases: int = Field(description="how many were told to recovery")
    changes: list[Change]


class RejudgementView(BaseModel):
    """A rejudgement: how far it has come and, once done, what it came to."""

    id: UUID
    state: Literal["waiting", "running", "done", "failed", "lost"] = Field(
        description="lost: the process that ran it has ended; ask for it again"
    )
    promise: str
    version: int
    calendar: CalendarVersion | None
    since: datetime | None = Field(serialization_alias="from")
    until: datetime | None = Field(serialization_alias="to")
    reason: str
    open_cases: bool
    asked_at: datetime
    asked_by: str
    read: int = Field(description="records read so far")
    total: int = Field(description="records to be read")
    outcome: Outcome | None
    problem: str | None


class Rejudgements(BaseModel):
    """Those asked for last."""

    items: list[RejudgementView]


class ChangedView(BaseModel):
    """A commitment that comes to something else; both verdicts are as of the same barrier."""

    commitment: UUID
    customer: UUID
    correlation: Any
    trigger: dict[str, Any]
    first: str | None = Field(description="how it stands under its own version; null: none was opened")
    judgement: str
    due: datetime | None
    late: bool
    reason: str
    decided_by: UUID | None
    as_of: datetime


class Changes(BaseModel):
    """Some commitments that come to something else; `next` continues behind them."""

    items: list[ChangedView]
    next: str | None


class BesideView(BaseModel):
    """A second verdict on a commitment: as judged under which version and calendar, as of which barrier; by whom, when and why."""

    rejudgement: UUID
    version: int
    calendar: CalendarVersion | None
    as_of: datetime
    judgement: str
    due: datetime | None
    late: bool
    reason: str
    decided_by: UUID | None
    by: str
    at: datetime
    why: str


@router.post("/promises/{name}/rejudgements", operation_id="start_rejudgement", status_code=202)
async def start_rejudgement(
    name: Name, body: NewRejudgement, around: Around, who: Who, key: IdempotencyKey, response: Response
) -> RejudgementView:
    """Judge commitments a second time, under this version; nothing is rewritten, and both verdicts are kept."""
    under, calendar = await _under(around, name, body.version)
    asked = body.model_dump(mode="json")
    request = orjson.dumps({"promise": name, "calendar": calendar} | asked)
    wanted = Wanted(uuid4(), who.subject, request, name)
    once = Once.of(who.subject, key, "rejudgement", [name, asked])
    new, fresh = await REJUDGEMENTS.create(around.engine, wanted, once, around.settings.backtests_at_once)
    if fresh:
        time = Time(body.since, body.until)
        around.jobs.start(Rejudgement(new.id, around.engine, around.settings, under, time, body.open_cases))
    response.headers["Location"] = f"/v1/promises/{name}/rejudgements/{new.id}"
    return _view(new)


@router.get("/promises/{name}/rejudgements", operation_id="list_rejudgements")
async def list_rejudgements(name: Name, around: Around, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Rejudgements:
    """The rejudgements of a promise that were asked for last, the latest first."""
    return Rejudgements(items=[_view(each) for each in await REJUDGEMENTS.latest(around.engine, limit, name)])


@router.get("/promises/{name}/rejudgements/{rejudgement_id}", operation_id="get_rejudgement")
async def get_rejudgement(name: Name, rejudgement_id: UUID, around: Around) -> RejudgementView:
    """How far a rejudgement has come, and what it came to."""
    return _view(await _find(around, name, rejudgement_id))


@router.get("/promises/{name}/rejudgements/{rejudgement_id}/changes", operation_id="list_rejudgement_changes")
async def list_rejudgement_changes(
    name: Name,
    rejudgement_id: UUID,
    around: Around,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Changes:
    """The commitments that come to something else, in the order of their ids; none before it is done."""
    run = await _find(around, name, rejudgement_id)
    after = cursors.behind(cursor, POSITION)
    found = await store.changes_of(around.engine, run.id, after, limit + 1) if run.state == "done" else []
    shown, following = cursors.page(found, limit, lambda each: each.commitment)
    return Changes(items=[_changed(each) for each in shown], next=following)


async def beside(around: Around, commitment: UUID) -> list[BesideView]:
    """The second verdicts on a commitment."""
    return [_beside(each) for each in await store.beside(around.engine, commitment)]


async def _under(around: Around, name: str, version: int) -> tuple[Under, dict[str, Any] | None]:
    rows = [each for each in await reads.read_versions(around.engine) if each.name == name and each.document is not None]
    if not rows:
        raise no_such_promise()
    row = next((each for each in rows if each.version == version), None)
    if row is None:
        raise Problem(INVALID, f"{name} has no version {version}; it has 1 to {max(each.version for each in rows)}.")
    published = Published(rows, declared=[each.row for each in await sources.published_sources(around.engine)])
    under = Under(
        published.always(row.id),
        frozenset(each.id for each in rows),
        frozenset(each.id for each in rows if each.document == row.document),
        published.sources_of(row.id),
        by_customer(await store.negotiated_on(around.engine, name)),
    )
    calendar = published.by_id[row.id].promise.calendar
    return under, None if calendar is None else {"name": calendar, "version": row.calendar_version}


async def _find(around: Around, name: str, id_: UUID) -> Run:
    found = await REJUDGEMENTS.find(around.engine, id_)
    if found is None or found.about != name:
        raise Problem(NOT_FOUND, "No rejudgement of that promise has that id.")
    return found


def _view(found: Run) -> RejudgementView:
    request: Mapping[str, Any] = orjson.loads(found.request)
    outcome = orjson.loads(found.outcome or b"null")
    run = found._asdict() | {name: request[name] for name in ("promise", "version", "calendar", "since", "until", "reason", "open_cases")}
    ends = {
        "outcome": outcome if found.state == "done" else None,
        "problem": outcome["problem"] if found.state == "failed" else None,
    }
    return RejudgementView.model_validate(run | ends)


def _changed(each: Result) -> ChangedView:
    about = {"correlation": orjson.loads(each.correlation), "trigger": {"id": each.trigger_id, "time": text_of(each.trigger_time)}}
    return ChangedView.model_validate(each._asdict() | about)


def _beside(each: Beside) -> BesideView:
    asked = {"version": each.request["version"], "calendar": each.request["calendar"], "why": each.request["reason"]}
    about = {"rejudgement": each.result.run, "by": each.by, "at": each.at}
    return BesideView.model_validate(each.result._asdict() | asked | about)
