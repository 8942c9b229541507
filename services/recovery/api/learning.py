"""What is learned: causes that repeat, improvements and whether they helped, recognition, and notes between a lead and a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from contracts.acts import Name, Needs, Words
from contracts.acts.learning import Because, Component
from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import NOT_FOUND, Kind, Problem
from services.chassis.shares import difference
from services.recovery.acting import time_of
from services.recovery.api.people import Subject, leads, visible
from services.recovery.store import learning, people

router = APIRouter(prefix="/v1", tags=["learning"])
OWN_PRAISE = Kind(403, "own-praise", "What one did beyond duty, others have seen")
POSITION: TypeAdapter[learning.Position] = TypeAdapter(learning.Position)
PLACE: TypeAdapter[learning.Place] = TypeAdapter(learning.Place)
DAYS = 90
Limit = Annotated[int, Query(ge=1, le=200)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class CauseView(BaseModel):
    """How often one cause was found behind failures of one promise."""

    model_config = ConfigDict(from_attributes=True)

    promise: str | None = Field(description="None where somebody reported the failure")
    component: Component
    because: Because | None
    cases: int
    first: AwareDatetime
    last: AwareDatetime


class Causes(BaseModel):
    """Causes, the most frequent first; `next` continues behind them."""

    items: list[CauseView]
    next: str | None


class Figures(Needs):
    """How many commitments of the promise were broken, of those decided."""

    decided: Count
    broken: Count

    @model_validator(mode="after")
    def _are_a_share(self) -> "Figures":
        if self.broken > self.decided:
            message = "more broken than decided"
            raise ValueError(message)
        return self


class NewImprovement(Needs):
    """What is changed so that a cause does not come again."""

    promise: Name | None = Field(default=None, description="whose failures; all where it is left out")
    component: Component
    because: Because | None = None
    what: Words = Field(description="what changes")
    owner: Name
    due: AwareDatetime


class Improvement(Needs):
    """How an improvement stands."""

    what: Words
    owner: Name
    due: AwareDatetime
    done_at: AwareDatetime | None = Field(default=None, description="since when it is in effect")
    days: Annotated[int, Field(ge=1, le=366)] = Field(default=DAYS, description="how long before and after it verdicts are counted")
    before: Figures | None = Field(default=None, description="in a time before it; in place of what is counted, where both are said")
    after: Figures | None = Field(default=None, description="in a time after it")


class CountedView(BaseModel):
    """Verdicts on the promise, by the day on which its commitments fell due; the day of the change itself is in neither."""

    before: Figures
    after: Figures


class Proof(BaseModel):
    """By how much the broken share changed, with 95 % confidence; `proven` where it fell for sure."""

    low: float
    high: float
    verdict: Literal["proven", "not_shown", "worse"]


class ImprovementView(Improvement):
    """An improvement, and whether it helped."""

    id: UUID
    version: int
    promise: str | None
    component: Component
    because: Because | None
    created_by: str
    created_at: AwareDatetime
    counted: CountedView | None = Field(description="None until it is in effect")
    proof: Proof | None = Field(description="None while figures are missing, or are of none")


class Improvements(BaseModel):
    """Improvements, those due next first; `next` continues behind them."""

    items: list[ImprovementView]
    next: str | None


class NewRecognition(Needs):
    """What somebody did beyond duty."""

    case: UUID
    person: Name
    what: Words = Field(description="what they did, as it was seen")


class RecognitionView(BaseModel):
    """What somebody did beyond duty, and who has seen it."""

    id: UUID
    case: UUID
    person: str
    what: str
    by: str
    at: AwareDatetime


class Recognitions(BaseModel):
    """Recognitions, the latest first; `next` continues behind them."""

    items: list[RecognitionView]
    next: str | None


class NewNote(Needs):
    """A note between a lead and a person; the person says to which lead."""

    text: Words
    lead: Name | None = Field(default=None, description="needed where the person writes; a lead writes for themselves")


class NoteView(BaseModel):
    """A note that these two see, and nobody else."""

    id: UUID
    person: str
    lead: str
    by: str
    at: AwareDatetime
    text: str


class Notes(BaseModel):
    """The notes between two, first ones first; `next` continues behind them."""

    items: list[NoteView]
    next: str | None


@router.get("/causes", operation_id="list_causes")
async def list_causes(
    request: Request,
    since: AwareDatetime | None = None,
    because: Because | None = None,
    least: Annotated[int, Query(ge=1, le=1000)] = 1,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Causes:
    """Why failures happened, counted by promise, component and what people lacked; `least` shows those that repeat."""
    return await _causes(request, (since, because, least), limit, cursor)


@router.get("/learning-needs", operation_id="list_learning_needs")
async def list_learning_needs(request: Request, since: AwareDatetime | None = None, limit: Limit = 50, cursor: Cursor = None) -> Causes:
    """What people did not know, by the promise that broke for it; nobody is named."""
    return await _causes(request, (since, "did_not_know", 1), limit, cursor)


async def _causes(request: Request, chosen: learning.Chosen, limit: int, cursor: str | None) -> Causes:
    found = await learning.counted(request.app.state.engine, chosen, cursors.behind(cursor, PLACE), limit + 1)
    items, following = cursors.page(found, limit, lambda each: each.place)
    return Causes(items=[CauseView.model_validate(each) for each in items], next=following)


@router.post("/improvements", operation_id="begin_improvement", status_code=201)
async def begin_improvement(body: NewImprovement, request: Request, response: Response, who: Who, key: IdempotencyKey) -> ImprovementView:
    """Say what is changed so that a cause does not come again, who sees to it, and by when."""
    once = Once.of(who.subject, key, "begin_improvement", body.model_dump(mode="json"))
    at = await time_of(request.app.state.engine, request.app.state.settings)
    values = body.model_dump() | {"version": 1, "created_by": who.subject, "created_at": at, "days": DAYS}
    return await _improvement(request, await learning.improve(request.app.state.engine, values, once), response)


@router.get("/improvements", operation_id="list_improvements")
async def list_improvements(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Improvements:
    """What is being changed, and whether what was changed helped."""
    found = await learning.all_improvements(request.app.state.engine, cursors.behind(cursor, POSITION), limit + 1)
    shown, following = cursors.page(found, limit, lambda each: (each["due"], each["id"]))
    return Improvements(items=await _improvements(request, shown), next=following)


@router.get("/improvements/{improvement_id}", operation_id="get_improvement")
async def get_improvement(improvement_id: UUID, request: Request, response: Response) -> ImprovementView:
    """One improvement, and whether it helped."""
    found = await learning.improvement(request.app.state.engine, improvement_id)
    if found is None:
        raise Problem(NOT_FOUND, "There is no such improvement.")
    return await _improvement(request, found, response)


@router.put("/improvements/{improvement_id}", operation_id="change_improvement")
async def change_improvement(
    improvement_id: UUID, body: Improvement, request: Request, response: Response, seen: IfMatch
) -> ImprovementView:
    """Say how it stands, and how often the promise broke before and after; the figures prove it or do not."""
    values = body.model_dump(exclude={"before", "after"})
    for name in ("before", "after"):
        figures: Figures | None = getattr(body, name)
        values |= {f"{name}_decided": figures and figures.decided, f"{name}_broken": figures and figures.broken}
    changed = await learning.change_improvement(request.app.state.engine, improvement_id, seen, values)
    if changed is None:
        raise Problem(NOT_FOUND, "There is no such improvement.")
    return await _improvement(request, changed, response)


@router.post("/recognitions", operation_id="recognise", status_code=201)
async def recognise(body: NewRecognition, request: Request, who: Who, key: IdempotencyKey) -> RecognitionView:
    """Say what a colleague did beyond duty in a case, as you have seen it; they and whoever leads them read it."""
    if body.person == who.subject:
        raise Problem(OWN_PRAISE, "Say it of a colleague.")
    once = Once.of(who.subject, key, "recognise", body.model_dump(mode="json"))
    at = await time_of(request.app.state.engine, request.app.state.settings)
    values = {"case_id": body.case, "person": body.person, "what": body.what, "by": who.subject, "at": at}
    made = await learning.recognise(request.app.state.engine, values, once)
    if made is None:
        raise Problem(NOT_FOUND, "There is no such case, or its customer was erased.")
    return _recognition(made)


@router.get("/recognitions", operation_id="list_recognitions")
async def list_recognitions(request: Request, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Recognitions:
    """What others have seen you do beyond duty, and those whom you lead."""
    teams = None if "manager" in who.roles else who.teams if "lead" in who.roles else []
    after = cursors.behind(cursor, POSITION)
    found = await learning.recognitions_of(request.app.state.engine, who.subject, teams, after, limit + 1)
    shown, following = cursors.page(found, limit, _place)
    return Recognitions(items=[_recognition(each) for each in shown], next=following)


@router.get("/recognitions/{recognition_id}", operation_id="get_recognition")
async def get_recognition(recognition_id: UUID, request: Request, who: Who) -> RecognitionView:
    """One recognition, for the person and whoever leads them."""
    engine = request.app.state.engine
    found = await learning.recognition(engine, recognition_id)
    if found is None or (found["person"] != who.subject and not leads(who, await people.person(engine, found["person"]))):
        raise Problem(NOT_FOUND, "There is no such recognition of you, or of somebody whom you lead.")
    return _recognition(found)


@router.post("/people/{subject}/coaching-notes", operation_id="write_coaching_note", status_code=201)
async def write_coaching_note(subject: Subject, body: NewNote, request: Request, who: Who, key: IdempotencyKey) -> NoteView:
    """Write a note that one lead and one person see, and nobody else."""
    person = await visible(request, who, subject)
    lead = body.lead if who.subject == person.subject else who.subject
    if lead is None or lead == person.subject:
        raise Problem(NOT_FOUND, "Say for which lead it is.")
    once = Once.of(who.subject, key, f"write_coaching_note {subject}", body.model_dump(mode="json"))
    at = await time_of(request.app.state.engine, request.app.state.settings)
    values = {"person": subject, "lead": lead, "by": who.subject, "at": at, "text": body.text}
    return _note(await learning.coach(request.app.state.engine, values, once))


@router.get("/people/{subject}/coaching-notes", operation_id="list_coaching_notes")
async def list_coaching_notes(subject: Subject, request: Request, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Notes:
    """The notes of which you are one of the two."""
    await visible(request, who, subject)
    after = cursors.behind(cursor, POSITION)
    found = await learning.notes_between(request.app.state.engine, subject, who.subject, after, limit + 1)
    shown, following = cursors.page(found, limit, _place)
    return Notes(items=[_note(each) for each in shown], next=following)


def _place(row: learning.Row) -> tuple[datetime, UUID]:
    return row["at"], row["id"]


async def _improvement(request: Request, row: learning.Row, response: Response) -> ImprovementView:
    response.headers["ETag"] = etag(row["version"])
    return (await _improvements(request, [row]))[0]


async def _improvements(request: Request, rows: Sequence[learning.Row]) -> list[ImprovementView]:
    """Each with what was counted around it, up to where the clock of cases stands."""
    state = request.app.state
    done = [each["id"] for each in rows if each["done_at"] is not None]
    today = (await time_of(state.engine, state.settings)).date() if done else None
    counted = await learning.around(state.engine, done, today) if today else {}
    return [_shown(each, counted.get(each["id"])) for each in rows]


def _shown(row: learning.Row, counted: learning.Around | None) -> ImprovementView:
    figures = {
        name: None if row[f"{name}_decided"] is None else Figures(decided=row[f"{name}_decided"], broken=row[f"{name}_broken"])
        for name in ("before", "after")
    }
    shown = {name: row[name] for name in ImprovementView.model_fields if name in row}
    seen = None if counted is None else CountedView(before=_figures(counted.before), after=_figures(counted.after))
    said = all(figures.values())
    proof = _proof(figures["before"], figures["after"]) if said else None if seen is None else _proof(seen.before, seen.after)
    return ImprovementView.model_validate(shown | figures | {"counted": seen, "proof": proof})


def _figures(counts: tuple[int, int]) -> Figures:
    return Figures(decided=counts[0], broken=counts[1])


def _proof(before: Figures | None, after: Figures | None) -> Proof | None:
    if before is None or after is None:
        return None
    change = difference((before.broken, before.decided), (after.broken, after.decided))
    if change is None:
        return None
    if change.high < 0:
        return Proof(low=change.low, high=change.high, verdict="proven")
    return Proof(low=change.low, high=change.high, verdict="worse" if change.low > 0 else "not_shown")


def _recognition(row: learning.Row) -> RecognitionView:
    return RecognitionView(case=row["case_id"], **{name: row[name] for name in ("id", "person", "what", "by", "at")})


def _note(row: learning.Row) -> NoteView:
    return NoteView(**{name: row[name] for name in NoteView.model_fields})
