"""The needs of all customers that are not met: which, how long, who sensed them. Everybody sees what they may see of it."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Moment, Text
from services.journey.api.viewers import viewer_of
from services.journey.picture.consent import SERVICE, purpose_of
from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import Touchpoint
from services.journey.picture.needs import OBSERVED, Need, State, fold
from services.journey.picture.whole import NEEDED, plain, seconds
from services.journey.store import picture as store
from services.journey.store import projections
from services.journey.store.picture import ItemCursor, Listed

POSITION: TypeAdapter[ItemCursor] = TypeAdapter(tuple[Moment, UUID, UUID])
AT_ONCE: Final = 500
MOST_LOOKED: Final = 10 * AT_ONCE
"""Times at which somebody sensed something that are looked at for one page."""

router = APIRouter(prefix="/v1", tags=["picture"])


class UnmetNeed(BaseModel):
    """A need of one customer that is neither met nor denied."""

    customer: UUID
    need: str
    kind: str = Field(description="manifest, latent or inferred")
    state: State = Field(description="open or confirmed")
    sure: float
    since: datetime = Field(description="when it was sensed first")
    age_seconds: int | None
    by: list[str] = Field(description="who sensed it, the first of them first")
    teams: list[str]
    probes: int = Field(description="how often somebody made sure")


class UnmetNeeds(BaseModel):
    """A page of unmet needs, the oldest first, as far as whoever asks may see them."""

    as_of: datetime | None
    items: list[UnmetNeed]
    next: str | None = Field(description="goes on behind them; where little of it may be seen there may be more though a page is short")


class NeedTotals(BaseModel):
    """How many unmet needs there are, as far as whoever asks may see them."""

    as_of: datetime | None
    kinds: dict[str, int] = Field(description="by kind")
    needs: dict[str, int] = Field(description="by need, the most frequent first")


class _Of(NamedTuple):
    """A need, and whose it is."""

    customer: UUID
    need: Need


class _Asked(NamedTuple):
    """Which needs are asked for, and by whom."""

    viewer: Viewer
    purpose: str
    kind: str | None
    need: str | None


Kind = Annotated[Literal["manifest", "latent", "inferred"] | None, Query(description="only needs of this kind")]
Name = Annotated[Text | None, Query(description="only this need")]
Purpose = Annotated[str, Query(min_length=1, max_length=100, description="what it is to be used for")]


@router.get("/needs", operation_id="list_needs")
async def list_needs(
    request: Request,
    who: Who,
    kind: Kind = None,
    need: Name = None,
    purpose: Purpose = SERVICE,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> UnmetNeeds:
    """What customers need and nobody has met, said or not: the oldest first; with consent, and as far as whoever asks may see it."""
    place = cursors.behind(cursor, POSITION)
    found: list[_Of] = []
    looked, more = 0, True
    async with request.app.state.engine.connect() as connection:
        now = await projections.present(connection)
        while more and len(found) < limit and looked < MOST_LOOKED:
            told = await store.items(connection, NEEDED, place, AT_ONCE, None if need is None else plain(need))
            looked, more = looked + len(told), len(told) == AT_ONCE
            for each in told:
                place = (each.time, each.customer, each.event)
                found += _seen(each, _Asked(viewer_of(who), purpose, kind, need))
                if len(found) == limit:
                    more = more or each is not told[-1]
                    break
    return UnmetNeeds(as_of=now, items=[_view(each, now) for each in found], next=cursors.encode(place) if more else None)


@router.get("/needs/totals", operation_id="get_need_totals")
async def get_need_totals(request: Request, who: Who, kind: Kind = None, need: Name = None, purpose: Purpose = SERVICE) -> NeedTotals:
    """How many of them there are in all: every need is looked at for it, so that it takes a while where there are very many."""
    asked = _Asked(viewer_of(who), purpose, kind, need)
    kinds, names = Counter[str](), Counter[str]()
    async with request.app.state.engine.connect() as connection:
        now = await projections.present(connection)
        async for told in store.all_items(connection, NEEDED, None if need is None else plain(need)):
            for each in (one.need for row in told for one in _seen(row, asked)):
                kinds[each.kind] += 1
                names[each.name] += 1
    return NeedTotals(as_of=now, kinds=dict(kinds), needs=dict(names.most_common()))


def _seen(listed: Listed, asked: _Asked) -> list[_Of]:
    """The need that is listed at the time at which this viewer may see it begin; nothing at any other."""
    events = [
        event
        for event in map(_touchpoint, listed.further["said"])
        if may_see(asked.viewer, event.body) and (event.type != OBSERVED or purpose_of(event, SERVICE) == asked.purpose)
    ]
    return [
        _Of(listed.customer, need)
        for need in fold(events).values()
        if need.observations[0].key == listed.event
        and need.state in {"open", "confirmed"}
        and asked.kind in {None, need.kind}
        and asked.need in {None, need.name}
    ]


def _touchpoint(said: Mapping[str, Any]) -> Touchpoint:
    time = datetime.fromisoformat(said["time"])
    return Touchpoint(time, UUID(said["event"]), said["type"], "", time, said)


def _view(of: _Of, now: datetime | None) -> UnmetNeed:
    need, since = of.need, of.need.observations[0].time
    return UnmetNeed(
        customer=of.customer,
        need=need.name,
        kind=need.kind,
        state=need.state,
        sure=need.sure,
        since=since,
        age_seconds=None if now is None else seconds(max(now - since, timedelta(0))),
        by=list(dict.fromkeys(by for each in need.observations if (by := each.text("by")) is not None)),
        teams=list(dict.fromkeys(team for each in need.observations if (team := each.text("team")) is not None)),
        probes=len(need.probes),
    )
