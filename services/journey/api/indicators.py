"""Indicators as time series: how promises are kept, what teams give beside what they are given, how contacts begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from services.chassis import csvs
from services.chassis.problems import INVALID, Problem
from services.journey.api.paging import Text
from services.journey.api.principles import declared, present
from services.journey.indicators import series
from services.journey.indicators.buckets import Buckets, Step, buckets, how_many, usual_since
from services.journey.indicators.series import By, Declared
from services.journey.picture.stages import JourneyMap
from services.journey.projections.pictures import declared_by
from services.journey.store import indicators as store
from services.journey.store import picture

MOST = 400
"""Buckets in one answer."""
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2200, 1, 1))]
router = APIRouter(prefix="/v1", tags=["indicators"])


class Item(BaseModel):
    """How promises were kept in one bucket: the counts of a backtest, of commitments that fell due in it."""

    start: date = Field(description="the bucket's first day")
    dimension: str | None = None
    promise: str | None = None
    segment: str | None = None
    stage: str | None = Field(default=None, description="of the journey map; `outside` where none takes what triggered it")
    team: str | None = Field(default=None, description="the owner of the promise")
    component: str | None = None
    principle: str | None = Field(default=None, description="by name where it is declared, else as the promise calls it")
    encounter: str | None = None
    audience: str | None = None
    commitments: int
    kept: int
    standing: int = Field(description="of the kept: kept so far, and can still break; they count now")
    broken: int
    excused: int
    withdrawn: int
    open: int
    kept_share: float | None = Field(description="kept / (kept + broken)")
    kept_low: float | None = Field(description="with 95 % confidence the true share lies from here (Wilson's interval); of few it is wide")
    kept_high: float | None = Field(description="to here")
    dear_kept: int = Field(description="where keeping cost anything beyond the ordinary course, by `keeping.priced`")
    dear_broken: int
    dear_share: float | None
    dear_low: float | None
    dear_high: float | None
    cheap_kept: int = Field(description="where it cost nothing more")
    cheap_broken: int
    cheap_share: float | None
    cheap_low: float | None
    cheap_high: float | None


class Shown(BaseModel):
    """What all series say of themselves."""

    measured: bool = Field(description="false: nothing is counted until a principle is published; counting begins with all that is kept")
    as_of: datetime
    zone: str
    bucket: Step
    since: date
    until: date = Field(description="the first day that is not shown")


class Indicators(Shown):
    """Rows by bucket, then by what was asked; nothing where nothing was counted. Fields that were not asked by are left out."""

    items: list[Item]


class TeamItem(BaseModel):
    """What a team gave to customers, beside what it was given by others."""

    start: date
    team: str
    outward_kept: int = Field(description="of what the team promises to customers")
    outward_broken: int
    outward_share: float | None
    outward_low: float | None
    outward_high: float | None
    inward_kept: int = Field(description="of internal promises that those of the team rest on (`supports`)")
    inward_broken: int
    inward_share: float | None
    inward_low: float | None
    inward_high: float | None
    pulse_round: str | None = Field(description="the latest round of the team's pulse by then that is shown")
    pulse_answers: int | None
    pulse: float | None = Field(description="mean of the answers, 1 to 5")


class TeamIndicators(Shown):
    """Rows by bucket and team."""

    items: list[TeamItem]


class ContactItem(BaseModel):
    """How the contacts of a bucket began."""

    start: date
    channel: str | None = None
    contacts: int
    greeted: int
    attended: int = Field(description="a human was there before it ended")
    left: int = Field(description="it ended before any human was there")
    greeted_share: float | None
    attended_share: float | None
    attended_low: float | None
    attended_high: float | None
    seconds_to_human: float | None = Field(description="mean, of those that were attended")


class ContactIndicators(Shown):
    """Rows by bucket, and by channel where that was asked."""

    items: list[ContactItem]


class PulseItem(BaseModel):
    """How a team said in a round that it is served."""

    round: str
    team: str
    shown: bool = Field(description="false: fewer than five answered, or the round is not over")
    answers: int | None
    heard: float | None = Field(description="mean, 1 to 5")
    helped: float | None
    word_kept: float | None
    pulse: float | None = Field(description="mean of all three")


class Pulses(BaseModel):
    """Rows by round and team."""

    items: list[PulseItem]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which buckets are asked for, and what to say of them."""

    buckets: Buckets
    shown: Mapping[str, Any]
    now: int | None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise Problem(INVALID, f"`{name}` is not a zone; name one as `Europe/Berlin`.") from None


async def _asked(
    request: Request,
    since: Annotated[Day | None, Query(description="first day; the whole bucket that holds it is shown")] = None,
    until: Annotated[Day | None, Query(description="first day that is not shown any more; default: tomorrow")] = None,
    bucket: Step = "month",
    zone: Annotated[Text, Query(description="IANA name; where days begin")] = "UTC",
) -> Asked:
    where, now = _zone(zone), await present(request)
    end = until or now.astimezone(where).date() + timedelta(days=1)
    begin = since or usual_since(end, bucket)
    if begin >= end:
        raise Problem(INVALID, "`since` is before `until`.")
    if how_many(begin, end, bucket) > MOST:
        raise Problem(INVALID, f"At most {MOST} buckets are shown at once; ask for a shorter time, or for longer buckets.")
    async with request.app.state.engine.connect() as connection:
        measured = await store.begun(connection)
    shown = {"measured": measured, "as_of": now, "zone": zone, "bucket": bucket, "since": begin, "until": end}
    found = buckets(begin, end, bucket, where)
    return Asked(found, shown, found.of(now))


Period = Annotated[Asked, Depends(_asked)]


@router.get("/indicators", operation_id="list_indicators", response_model=Indicators, response_model_exclude_unset=True,
            responses=csvs.DESCRIBED)  # fmt: skip
async def list_indicators(
    request: Request,
    period: Period,
    by: Annotated[list[By] | None, Query(max_length=5, description="one row for each of these; may stand several times")] = None,
    map: Annotated[Text | None, Query(description="the journey map whose stages are meant; needed where there are several")] = None,  # noqa: A002
    dimension: Text | None = None,
    promise: Text | None = None,
    team: Text | None = None,
    component: Text | None = None,
    principle: Text | None = None,
    audience: Literal["customer", "internal"] | None = None,
) -> Indicators | Response:
    """How promises were kept: quality, quantity, timeliness and cost, by whatever they can be seen by."""
    asked: list[By] = list(dict.fromkeys(by or ["dimension"]))
    only: dict[By, str | None] = {"dimension": dimension, "promise": promise, "team": team, "component": component,
                                  "principle": principle, "audience": audience}  # fmt: skip
    around = await _around(request, map, stages="stage" in asked)
    found = await _commitments(request, around, period)
    rows = series.series(around, found, period.buckets, asked, {name: each for name, each in only.items() if each is not None})
    if csvs.wanted(request):
        return _csv(("start", *asked, *series.COUNTED, *series.PRICED), rows)
    return Indicators(**period.shown, items=[Item(**each) for each in rows])


@router.get("/indicators/teams", operation_id="list_team_indicators", response_model=TeamIndicators, responses=csvs.DESCRIBED)
async def list_team_indicators(request: Request, period: Period) -> TeamIndicators | Response:
    """Nobody gives what they do not have: what each team promises to customers beside what it is promised by others."""
    around = await _around(request, None, stages=False)
    found = await _commitments(request, around, period)
    async with request.app.state.engine.connect() as connection:
        answers = series.pulses(await store.ever(connection, "pulse"), await present(request))
    rows = series.teams(around, found, period.buckets, answers)
    if csvs.wanted(request):
        return _csv(series.TEAM, rows)
    return TeamIndicators(**period.shown, items=[TeamItem(**each) for each in rows])


@router.get("/indicators/contacts", operation_id="list_contact_indicators", response_model=ContactIndicators,
            response_model_exclude_unset=True, responses=csvs.DESCRIBED)  # fmt: skip
async def list_contact_indicators(
    request: Request,
    period: Period,
    by: Literal["channel"] | None = None,
    first: Annotated[bool | None, Query(description="only the first contact of each customer, or only the later ones")] = None,
) -> ContactIndicators | Response:
    """How contacts begin: greeting, presence, time to a human; the first contact is a moment of truth of its own."""
    async with request.app.state.engine.connect() as connection:
        found = await store.counts(connection, "contact", period.buckets.bounds)
    rows = series.contacts(found, period.buckets, first=first, by_channel=by is not None)
    if csvs.wanted(request):
        return _csv(("start", *(["channel"] if by else []), *series.CONTACT), rows)
    return ContactIndicators(**period.shown, items=[ContactItem(**each) for each in rows])


@router.get("/pulses", operation_id="list_pulses", response_model=Pulses, responses=csvs.DESCRIBED)
async def list_pulses(request: Request) -> Pulses | Response:
    """How teams say that they are served by others, round by round; nothing of fewer than five answers, nor before a round is over."""
    async with request.app.state.engine.connect() as connection:
        rows = series.pulses(await store.ever(connection, "pulse"), await present(request))
    if csvs.wanted(request):
        return _csv(tuple(PulseItem.model_fields), rows)
    return Pulses(items=[PulseItem(**each) for each in rows])


async def _commitments(request: Request, around: Declared, period: Asked) -> list[series.Count]:
    async with request.app.state.engine.connect() as connection:
        found = await store.counts(connection, "commitment", period.buckets.bounds)
        ever = await store.ever(connection, "commitment")
    return list(series.settled(around, found, ever, period.now))


async def _around(request: Request, name: str | None, *, stages: bool) -> Declared:
    principles, promises = await declared(request)
    return Declared(promises, principles, await _map(request, name) if stages else None)


async def _map(request: Request, name: str | None) -> JourneyMap:
    async with request.app.state.engine.connect() as connection:
        maps = declared_by(await picture.published(connection)).maps
    found = [each for each in maps if name in {None, each.name}]
    if len(found) != 1:
        names = ", ".join(f"`{each.name}`" for each in maps) or "none was published"
        raise Problem(INVALID, f"`stage` is that of one journey map; say in `map` which: {names}.")
    return found[0]


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Response:
    texts = [{name: str(each) if isinstance(each, date) else each for name, each in row.items()} for row in rows]
    return Response(csvs.render(columns, texts), media_type=csvs.MEDIA_TYPE)
