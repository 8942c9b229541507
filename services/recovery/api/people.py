"""Those who recover: what they say of themselves, what they carry, who is suggested, and what is asked of them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, model_validator

from contracts.acts import Name, Needs
from contracts.acts.voice import Clock, Zone
from services.chassis import cursors
from services.chassis.access import Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IfMatch, etag
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Kind, Problem
from services.recovery import store
from services.recovery.acting import NoSuchCaseError, time_of
from services.recovery.domain.case import Case, Help, Severity
from services.recovery.domain.people import Away, Candidate, Load, Person, Room, Shift, Sought, Standing, peer_of, suggest
from services.recovery.domain.voice import Hours
from services.recovery.store import people

router = APIRouter(prefix="/v1", tags=["people"])
PLACE: TypeAdapter[Standing] = TypeAdapter(Standing)
Subject = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$")]
Own = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Word = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]+$")]
NOT_YOURSELF = Kind(403, "not-yourself", "Everybody speaks for themselves")
MOST = 200
POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[datetime, UUID])
NAME: TypeAdapter[str] = TypeAdapter(str)


class Absence(Needs):
    """While somebody is not there; whoever covers may act in their place."""

    since: AwareDatetime
    until: AwareDatetime
    cover: Name | None = Field(default=None, description="who acts in their place")
    lends: bool = Field(
        default=False,
        description="whether the cover decides by their authority too; only the person says so, and it ends with their absence",
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Absence":
        if self.until <= self.since:
            message = "until is not behind since"
            raise ValueError(message)
        if self.lends and self.cover is None:
            message = "authority is lent to a cover; name one"
            raise ValueError(message)
        return self


class Profile(Needs):
    """What somebody says of themselves; all of it is voluntary."""

    skills: list[Name] = Field(default=[], max_length=50)
    languages: list[Name] = Field(default=[], max_length=50)
    serves: Own = Field(default="", description="how they want to serve, in their own words")
    avoids: Own = Field(default="", description="what they do not want, in their own words")
    willing: bool = Field(default=False, description="whether they want to be asked")
    peer: Name | None = Field(default=None, description="whom they would talk to after a hard case")
    away: Absence | None = None


class WeekHours(Needs):
    """Hours of some days of the week."""

    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(min_length=1, max_length=7, description="on which they begin; 1 is Monday")
    begins: Clock
    ends: Clock = Field(description="before it begins: on the next day; the same: a whole day later")
    zone: Zone = "UTC"


class Roster(Needs):
    """When somebody is there each week."""

    works: list[WeekHours] = Field(max_length=50, description="empty: nobody knows")


class Leave(Needs):
    """Whether somebody is away, and who covers."""

    away: Absence | None


class PersonView(BaseModel):
    """Somebody as they say of themselves, and what they carry."""

    subject: str
    version: int
    teams: list[str]
    skills: list[str]
    languages: list[str]
    serves: str
    avoids: str
    willing: bool
    away: Away | None
    works: list[Shift] = Field(description="when they are there each week; empty: nobody knows")
    cases: int = Field(description="in work")
    weight: int = Field(description="of these: low 1, medium 2, high 4, critical 8")
    most_cases: int
    most_weight: int
    rests_until: AwareDatetime | None = Field(description="after a hard case; nobody gives them another before")
    peer: str | None = Field(description="whom they named to talk to, else somebody of the team who has room")


class PeoplePage(BaseModel):
    """Some of those one may see, by name; `next` continues behind them."""

    items: list[PersonView]
    next: str | None


class SuggestionView(BaseModel):
    """One whom it could be offered to; `suited` where nothing is against it."""

    subject: str
    suited: bool
    because: list[str]
    against: list[str]
    serves: str = Field(description="how they want to serve, in their own words")
    avoids: str


class Suggestions(BaseModel):
    """The best first: nothing against it, can what is sought, made the same good, carries least, by name; `next` continues behind them."""

    items: list[SuggestionView]
    next: str | None


class AskedView(BaseModel):
    """A request for help, and the case that it is for."""

    case: UUID
    severity: Severity
    help: Help


class AskedPage(BaseModel):
    """Requests for help, those due next first; `next` continues behind them."""

    items: list[AskedView]
    next: str | None


@router.get("/people", operation_id="list_people")
async def list_people(request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=MOST)] = 50, cursor: Cursor = None) -> PeoplePage:
    """Yourself; whoever leads a team sees their team, whoever answers for promises everybody."""
    engine, after = request.app.state.engine, cursors.behind(cursor, NAME)
    if {"manager", "lead"}.isdisjoint(who.roles):
        found = [each for each in [await people.person(engine, who.subject)] if each.version]
    else:
        found = await people.everybody(engine, None if "manager" in who.roles else who.teams, after, limit + 1)
    shown, following = cursors.page(found, limit, lambda each: each.subject)
    return PeoplePage(items=await _views(request, shown), next=following)


@router.get("/people/{subject}", operation_id="get_person")
async def get_person(subject: Subject, request: Request, response: Response, who: Who) -> PersonView:
    """What somebody says of themselves, for themselves and for whoever leads them."""
    found = await visible(request, who, subject)
    response.headers["ETag"] = etag(found.version)
    return (await _views(request, [found]))[0]


@router.put("/people/{subject}", operation_id="describe_person")
async def describe_person(subject: Subject, body: Profile, request: Request, response: Response, who: Who, seen: IfMatch) -> PersonView:
    """Say of yourself what you know, what you want and when you are away."""
    if who.subject != subject:
        raise Problem(NOT_YOURSELF, "Say of yourself what you like; others say of themselves.")
    said = body.model_dump(exclude={"away"})
    said |= {name: tuple(said[name]) for name in ("skills", "languages")}
    before = await people.person(request.app.state.engine, subject)
    person = replace(before, teams=tuple(sorted(who.teams)), **said, away=_away(body.away, who, subject))
    return await _write(request, response, person, seen)


@router.put("/people/{subject}/away", operation_id="set_away")
async def set_away(subject: Subject, body: Leave, request: Request, response: Response, who: Who, seen: IfMatch) -> PersonView:
    """Say that somebody is away and who covers, for themselves or for one whom you lead."""
    found = await visible(request, who, subject)
    return await _write(request, response, replace(found, away=_away(body.away, who, subject)), seen)


@router.put("/people/{subject}/hours", operation_id="set_hours")
async def set_hours(subject: Subject, body: Roster, request: Request, response: Response, who: Who, seen: IfMatch) -> PersonView:
    """Say when somebody is there each week, for themselves or for one whom you lead; a surge is reckoned by it."""
    found = await visible(request, who, subject)
    works = tuple(Shift(tuple(sorted(set(each.days))), Hours(each.begins, each.ends, each.zone)) for each in body.works)
    return await _write(request, response, replace(found, works=works), seen)


@router.get("/cases/{case_id}/suggestions", operation_id="suggest_people")
async def suggest_people(
    case_id: UUID,
    request: Request,
    skill: Annotated[list[Word] | None, Query(max_length=20)] = None,
    language: Annotated[list[Word] | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    cursor: Cursor = None,
    *,
    helping: Annotated[bool, Query(description="to help in the case, not to own it")] = False,
) -> Suggestions:
    """Who knows, can, wants and has room, with every reason for and against."""
    engine, settings = request.app.state.engine, request.app.state.settings
    async with engine.connect() as connection:
        stored = await store.case_of(connection, case_id)
    if stored is None:
        raise NoSuchCaseError(NoSuchCaseError.__doc__)
    case = stored.case
    sought = Sought(await time_of(engine, settings, stored.partition), case.severity, helping, _set(skill), _set(language))
    others = [each for each in await people.everybody(engine) if each.subject != case.owner]
    found = suggest(await _candidates(request, others, case), sought, cursors.behind(cursor, PLACE))
    shown, following = cursors.page(found, limit, lambda each: each.place)
    return Suggestions(
        next=following,
        items=[
            SuggestionView(
                subject=each.person.subject, suited=not each.against, because=list(each.because), against=list(each.against),
                serves=each.person.serves, avoids=each.person.avoids,
            )
            for each in shown
        ],
    )  # fmt: skip


@router.get("/help-requests", operation_id="list_help_requests")
async def list_help_requests(
    request: Request,
    who: Who,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    cursor: Cursor = None,
    *,
    whoever: Annotated[bool, Query(description="those too that whoever can may take")] = True,
) -> AskedPage:
    """What is asked of you and has no answer yet, those due next first."""
    after = cursors.behind(cursor, POSITION)
    found = await people.asked_of(request.app.state.engine, who.subject, after, limit + 1, whoever=whoever)
    shown, following = cursors.page(found, limit, lambda each: (each[1].due, each[1].id))
    return AskedPage(items=[AskedView(case=case.id, severity=case.severity, help=each) for case, each in shown], next=following)


async def visible(request: Request, who: Principal, subject: str) -> Person:
    """Somebody whom this principal may see: themselves, or whom they lead; for others there is nobody."""
    found = await people.person(request.app.state.engine, subject)
    if subject != who.subject and not leads(who, found):
        raise Problem(NOT_FOUND, "There is nobody of that name whom you lead.")
    return found


def leads(who: Principal, person: Person) -> bool:
    """Whether somebody leads that person: their team's lead, or a manager."""
    return "manager" in who.roles or ("lead" in who.roles and not who.teams.isdisjoint(person.teams))


async def _write(request: Request, response: Response, person: Person, seen: Any) -> PersonView:
    if person.away is not None and person.away.cover == person.subject:
        raise Problem(INVALID, errors=[Fault("Nobody covers for themselves.", "/away/cover")])
    written = await people.write(request.app.state.engine, person, seen)
    response.headers["ETag"] = etag(written.version)
    return (await _views(request, [written]))[0]


def _away(body: Absence | None, who: Principal, subject: str) -> Away | None:
    if body is None:
        return None
    if body.lends and who.subject != subject:
        raise Problem(NOT_YOURSELF, "Everybody lends their own authority.")
    return Away(body.since, body.until, body.cover, tuple(sorted(who.roles)) if body.lends else ())


def _set(words: Sequence[str] | None) -> frozenset[str]:
    return frozenset(each.casefold() for each in words or ())


async def _candidates(request: Request, found: Sequence[Person], case: Case | None = None) -> list[Candidate]:
    engine, limits = request.app.state.engine, request.app.state.settings.limits
    names = [each.subject for each in found]
    carried = await people.loads(engine, names)
    promises = {each.promise for each in case.standing if each.promise} if case else set()
    known = await people.made_good(engine, names, promises) if promises else {}
    return [Candidate(each, Room(carried.get(each.subject, Load()), limits), known.get(each.subject, 0)) for each in found]


async def _views(request: Request, found: Sequence[Person]) -> list[PersonView]:
    engine, settings = request.app.state.engine, request.app.state.settings
    teams = {team for each in found for team in each.teams}
    near = await _candidates(request, await people.everybody(engine, teams))
    at = await time_of(engine, settings)
    return [_view(each, peer_of(each.person, near, at)) for each in await _candidates(request, found)]


def _view(each: Candidate, peer: str | None) -> PersonView:
    person, room = asdict(each.person), each.room
    return PersonView(
        **person | {"peer": peer, "away": each.person.away, "works": list(each.person.works)}, cases=room.load.cases,
        weight=room.load.weight,
        most_cases=room.limits.cases, most_weight=room.limits.weight, rests_until=room.rests_until,
    )  # fmt: skip
