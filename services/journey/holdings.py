"""Things that many hold, such as a flight: who holds which since when, and what happened to it (`about: many` of an EventType).

Whoever is named beside such a thing holds it from that event's time on. What happens to it reaches each who held it then, as their
own event, whichever of the two was read first; so it is kept under the thing's own key as well, where it opens nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.journey.domain import Identifier, Split, split
from services.journey.identity.attribution import Own
from services.journey.store import holdings as store
from services.journey.store import stored_events

LENT = ("evidenceonly", "kinship")


@dataclass(slots=True)
class Holdings:
    """Who holds the things of a batch, and what has happened to them; follows the batch event by event."""

    holders: dict[UUID, dict[UUID, datetime]] = field(default_factory=dict)
    events: dict[UUID, list[Own]] = field(default_factory=dict)
    learnt: set[tuple[UUID, UUID]] = field(default_factory=set)

    def everybody(self) -> set[UUID]:
        """All who hold any of these things."""
        return {customer for holders in self.holders.values() for customer in holders}

    def of(self, things: Iterable[UUID], time: datetime) -> list[UUID]:
        """Who held any of these things then, in the order of their keys."""
        return sorted({customer for thing in things for customer, since in self.holders.get(thing, {}).items() if since <= time})

    def happen(self, things: Iterable[UUID], own: Own) -> None:
        """Note what happened to things."""
        for thing in things:
            self.events.setdefault(thing, []).append(own)

    def hold(self, customer: UUID, things: Iterable[UUID], time: datetime) -> list[Own]:
        """Somebody holds things from then on, at the latest; returns what had happened to them that reaches them by it."""
        given: dict[UUID, Own] = {}
        before = {thing: self.holders.get(thing, {}).get(customer) for thing in self.holders.keys() | set(things)}
        for thing in things:
            since = before[thing]
            if since is not None and since <= time:
                continue
            self.holders.setdefault(thing, {})[customer] = time
            self.learnt.add((thing, customer))
            given |= {own.event: own for own in self.events.get(thing, ()) if time <= own.time and (since is None or own.time < since)}
        reached = {own.event for thing, since in before.items() if since for own in self.events.get(thing, ()) if since <= own.time}
        return [own for event, own in given.items() if event not in reached]


async def load_for(tx: Transaction, named: Sequence[Sequence[Identifier]], shared: Sequence[str]) -> tuple[Holdings, list[Split]]:
    """What a batch needs to know of things that many hold; nothing is asked where it names none."""
    if not shared:
        return Holdings(), [Split(each, ()) for each in named]
    parts = [split(each, shared) for each in named]
    things = {thing for part in parts for thing in part.things}
    return await load(tx, things) if things else Holdings(), parts


async def load(tx: Transaction, things: Iterable[UUID]) -> Holdings:
    """What is known of things; no other lane learns of them until this transaction ends."""
    named = sorted(set(things))
    await store.lock(tx, named)
    found = Holdings({thing: {} for thing in named})
    for thing, customer, since in await store.holders(tx, named):
        found.holders[thing][customer] = since
    for thing, event, time, body in await stored_events(tx, named, copied=True):
        found.events.setdefault(thing, []).append(Own(event, time, _own(orjson.loads(body))))
    return found


def _own(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in LENT}


async def save(tx: Transaction, holdings: Holdings) -> None:
    """Save what was learnt of who holds what."""
    rows = [(thing, customer, holdings.holders[thing][customer]) for thing, customer in sorted(holdings.learnt)]
    await store.hold(tx, rows)
