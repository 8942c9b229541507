"""The needs of all customers that are not met: which, how long, who sensed them. Everybody sees what they may see of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple
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
from services.journey.picture.whole import NEEDED, seconds
from services.journey.store import picture as store
from services.journey.store import projections
from services.journey.store.picture import Listed

POSITION: TypeAdapter[tuple[datetime, UUID, str]] = TypeAdapter(tuple[Moment, UUID, Text])
MOST = 20_000
"""Touchpoints about needs that are read for one answer."""

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
    """A page of unmet needs, the oldest first, and how many there are in all; as far as whoever asks may see them."""

    as_of: datetime | None
    kinds: dict[str, int] = Field(description="of all that were asked for, by kind")
    needs: dict[str, int] = Field(description="of all that were asked for, by need, the most frequent first")
    items: list[UnmetNeed]
    next: str | None
    more: bool = Field(description=f"more than {MOST} touchpoints tell of unmet needs: the oldest are in these figures")


class _Of(NamedTuple):
    """A need, and whose it is."""

    customer: UUID
    need: Need

    @property
    def place(self) -> tuple[datetime, UUID, str]:
        return self.need.observations[0].time, self.customer, self.need.name


@router.get("/needs", operation_id="list_needs")
async def list_needs(
    request: Request,
    who: Who,
    kind: Annotated[Literal["manifest", "latent", "inferred"] | None, Query(description="only needs of this kind")] = None,
    need: Annotated[Text | None, Query(description="only this need")] = None,
    purpose: Annotated[str, Query(min_length=1, max_length=100, description="what it is to be used for")] = SERVICE,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> UnmetNeeds:
    """What customers need and nobody has met, said or not: the oldest first; with consent, and as far as whoever asks may see it."""
    after = cursors.decode(cursor, POSITION) if cursor else None
    async with request.app.state.engine.connect() as connection:
        told = await store.items(connection, NEEDED, None, MOST + 1)
        now = await projections.present(connection)
    found = [
        each for each in _unmet(told[:MOST], viewer_of(who), purpose) if kind in {None, each.need.kind} and need in {None, each.need.name}
    ]
    rest = [each for each in found if after is None or each.place > after]
    return UnmetNeeds(
        as_of=now,
        kinds=dict(Counter(each.need.kind for each in found)),
        needs=dict(Counter(each.need.name for each in found).most_common()),
        items=[_view(each, now) for each in rest[:limit]],
        next=cursors.encode(rest[limit - 1].place) if len(rest) > limit else None,
        more=len(told) > MOST,
    )


def _unmet(told: Iterable[Listed], viewer: Viewer, purpose: str) -> list[_Of]:
    """What a viewer may see of it, folded as one customer's needs are; the oldest first."""
    by_customer: dict[UUID, list[Touchpoint]] = {}
    for each in _touchpoints(told):
        customer, event = each
        if may_see(viewer, event.body) and (event.type != OBSERVED or purpose_of(event, SERVICE) == purpose):
            by_customer.setdefault(customer, []).append(event)
    found = [_Of(customer, need) for customer, events in by_customer.items() for need in fold(events).values()]
    return sorted((each for each in found if each.need.state in {"open", "confirmed"}), key=lambda each: each.place)


def _touchpoints(told: Iterable[Listed]) -> Iterator[tuple[UUID, Touchpoint]]:
    for each in told:
        yield each.customer, Touchpoint(each.time, each.event, each.further["type"], "", each.time, each.further)


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
