"""When failures come faster than people can take them: who is there, what comes first, what will be missed, which dates are honest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.cursors import Cursor
from services.recovery.acting import time_of
from services.recovery.domain.capacity import Curve, Missed, Pledged, Waiting, curve, falling_due, pledges_missed, there
from services.recovery.domain.case import Severity
from services.recovery.domain.people import Person
from services.recovery.store import people
from services.recovery.store import surge as store
from services.recovery.store.surge import Done, Turn

router = APIRouter(prefix="/v1", tags=["surge"])
POSITION: TypeAdapter[int] = TypeAdapter(int)
LARGEST_PAGE = 200
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_HOURS: Final = 24
Owned = TypeVar("Owned", Waiting, Pledged)


class WaitingView(BaseModel):
    """One case in the order of triage."""

    place: int = Field(description="1 comes first: the most severe, then what is due next, then the oldest")
    case_id: UUID
    owner: str | None
    severity: Severity
    due: AwareDatetime | None = Field(description="of what it owes next")
    reached_at: AwareDatetime | None = Field(description="when its turn comes at this pace: the earliest date that is honest")
    missed: bool = Field(description="its turn comes after what it owes is due: tell the customer a new date before")


class HourView(BaseModel):
    """One of the coming hours."""

    at: AwareDatetime = Field(description="when it begins")
    people: int = Field(description="who are there in it")
    put_right: float | None = Field(description="how many cases at this pace; null: nobody knows")
    due: int = Field(description="cases whose next thing falls due in it")
    missed: int = Field(description="of these: before their turn")


class TeamView(BaseModel):
    """How one team stands to what its people have; who is in several teams counts in each."""

    team: str
    people: int
    there: int = Field(description="of these: now")
    capacity_a_day: float = Field(description="what its people put right")
    waiting: int = Field(description="cases that one of them owns")
    missed: int = Field(description="of these: whose next thing falls due before their turn, if the team does its own alone")


class Surge(BaseModel):
    """How what comes stands to what people can put right."""

    since: AwareDatetime
    now: AwareDatetime
    team: str | None = Field(description="whose people and cases alone; null: all")
    opened_a_day: float
    remedied_a_day: float
    people: int = Field(description="who put cases right in this time")
    capacity_a_day: float | None = Field(description="what is reckoned with: what was put right, else the setting; null: nobody knows")
    measured: bool = Field(description="whether that is what people did, and not the setting")
    postponed: int = Field(description="pledges that were moved in this time")
    waiting: int
    unowned: int = Field(description="of these: nobody has them")
    days_of_work: float | None
    surge: bool = Field(description="more comes than is put right, and what waits is more than a day of work")
    missed: int = Field(description="cases whose next thing falls due before their turn, at this pace; counted to the minute")
    pledges_missed: int = Field(description="pledges that are still to fall due and will before their case's turn, at this pace")
    hours: list[HourView] = Field(description="the coming 24: who is there, tonight too, and what falls due")
    teams: list[TeamView]
    items: list[WaitingView]
    next: str | None


@dataclass(frozen=True, slots=True)
class Crew:
    """Those who recover, all or those of one team, and what they did in the time that is looked at."""

    people: Sequence[Person]
    did: Sequence[Done]
    since: datetime
    now: datetime
    setting: float
    """How many cases a day, where nobody put any right."""

    def of(self, team: str) -> "Crew":
        """Those of one team alone."""
        members = [each for each in self.people if team in each.teams]
        names = {each.subject for each in members}
        return Crew(members, [each for each in self.did if each.by in names], self.since, self.now, 0)

    @property
    def remedied(self) -> int:
        """How many cases they put right."""
        return sum(each.remedied for each in self.did)

    @property
    def days(self) -> float:
        """How long the time is that is looked at."""
        return (self.now - self.since) / DAY

    def ahead(self) -> Curve | None:
        """What they put right from now on; a setting is done by all who have said their hours."""
        known = {each.subject: each for each in self.people}
        done: Mapping[str, float] = {each.by: each.remedied for each in self.did}
        if not self.remedied:
            planned = [each.subject for each in self.people if each.works] or [""]
            done = dict.fromkeys(planned, self.setting * self.days / len(planned))
        return curve([known.get(each, Person(each)) for each in done], done, self.since, self.now)


@router.get("/surge", operation_id="get_surge")
async def get_surge(
    request: Request,
    days: Annotated[int, Query(ge=1, le=90, description="of which the pace is taken")] = 7,
    team: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]+$", description="its people and their cases alone")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    cursor: Cursor = None,
) -> Surge:
    """What waits in the order of triage, when each turn comes at the pace of the last days, and what will be missed."""
    state = request.app.state
    now = await time_of(state.engine, state.settings)
    since, after = now - timedelta(days=days), cursors.decode(cursor, POSITION) if cursor else 0
    everybody = await people.everybody(state.engine)
    async with state.engine.connect() as connection:
        whole = Crew(everybody, await store.done(connection, since), since, now, state.settings.cases_a_day)
        crew = whole if team is None else whole.of(team)
        owners = None if team is None else [each.subject for each in crew.people]
        waiting, pledged = await store.waiting(connection), await store.pledged(connection, now)
        arriving = await store.opened(connection, since, owners) / days
        found = await store.page(connection, owners, after, limit + 1)
    ahead, queue = crew.ahead(), _of(waiting, owners)
    due = falling_due(queue, ahead)
    shown, following = cursors.page(found, limit, lambda one: one.place)
    capacity = crew.remedied / days or crew.setting or None
    many = sum(each.cases for each in queue)
    work = None if capacity is None else many / capacity
    return Surge(
        since=since, now=now, team=team, opened_a_day=arriving, remedied_a_day=crew.remedied / days,
        people=sum(each.remedied > 0 for each in crew.did), capacity_a_day=capacity, measured=crew.remedied > 0,
        postponed=sum(each.postponed for each in crew.did), waiting=many, unowned=sum(each.cases for each in queue if each.owner is None),
        days_of_work=work, surge=many > 0 and arriving > (capacity or 0) and (work is None or work > 1),
        missed=sum(each.missed for each in due), pledges_missed=pledges_missed(queue, _of(pledged, owners), ahead),
        hours=_hours(crew, ahead, due), teams=_teams(whole, waiting) if team is None else [],
        items=[_view(one, ahead) for one in shown], next=following,
    )  # fmt: skip


def _of(found: Sequence[Owned], owners: Collection[str] | None) -> Sequence[Owned]:
    return found if owners is None else [each for each in found if each.owner in owners]


def _hours(crew: Crew, ahead: Curve | None, due: Sequence[Missed]) -> list[HourView]:
    """Each of the coming hours; what falls due in it, and who is there for some of it."""
    stretches = [there(each, crew.now, crew.now + DAY) for each in crew.people]
    found = []
    for begins in (crew.now + HOUR * number for number in range(_HOURS)):
        ends = begins + HOUR
        present = sum(any(one < ends and begins < other for one, other in each) for each in stretches)
        now_due = [each for each in due if begins <= each.due < ends]
        found.append(
            HourView(
                at=begins, people=present, put_right=None if ahead is None else ahead.by(ends) - ahead.by(begins),
                due=sum(each.cases for each in now_due), missed=sum(each.missed for each in now_due),
            )
        )  # fmt: skip
    return found


def _teams(whole: Crew, waiting: Sequence[Waiting]) -> list[TeamView]:
    return [_team(name, whole.of(name), waiting) for name in sorted({team for each in whole.people for team in each.teams})]


def _team(name: str, crew: Crew, waiting: Sequence[Waiting]) -> TeamView:
    queue = _of(waiting, {each.subject for each in crew.people})
    soon = crew.now + timedelta(seconds=1)
    return TeamView(
        team=name, people=len(crew.people), there=sum(bool(there(each, crew.now, soon)) for each in crew.people),
        capacity_a_day=crew.remedied / crew.days, waiting=sum(each.cases for each in queue),
        missed=sum(each.missed for each in falling_due(queue, crew.ahead())),
    )  # fmt: skip


def _view(one: Turn, ahead: Curve | None) -> WaitingView:
    reached = None if ahead is None else ahead.reached(one.place)
    late = ahead is not None and (reached is None or (one.due is not None and one.due < reached))
    return WaitingView(
        place=one.place, case_id=one.id, owner=one.owner, severity=Severity(one.severity), due=one.due, reached_at=reached,
        missed=one.due is not None and late,
    )  # fmt: skip
