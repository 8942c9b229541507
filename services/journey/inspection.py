"""Whether an event can be taken, and whom it names: one answer for the way in, for quarantine and for whoever asks beforehand."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from services.chassis.cloudevents import Event
from services.journey.attributes import DESCRIBED, undescribed
from services.journey.domain import STATEMENTS, EventTypes, Identifier, Impossible, impossible, misstated, unattributable, untrusted


class Inspected(NamedTuple):
    """What a decoded event is found to be: whom it names, or what is wrong with it, and where."""

    identifiers: list[Identifier]
    wrong: Impossible | None = None
    place: str = ""


def inspect(
    event: Event, arrival: datetime, window: timedelta | None, types: EventTypes, trusted: Collection[str] = frozenset()
) -> Inspected:
    """Whether an event that arrived then can be taken; who is whom is said by `trusted` sources alone."""
    if wrong := impossible(event.type, event.time, arrival, window):
        return Inspected([], wrong, "attribute type" if wrong.reason == "reserved-type" else "attribute time")
    if event.type == DESCRIBED and (wrong := undescribed(event.attributes.get("data"))):
        return Inspected([], wrong, "data")
    if event.type in STATEMENTS:
        return _statement(event, types, trusted)
    identifiers = types.identifiers(event.attributes)
    return Inspected(identifiers, unattributable(identifiers), "attribute subject")


def _statement(event: Event, types: EventTypes, trusted: Collection[str]) -> Inspected:
    if event.source not in trusted:
        return Inspected([], untrusted(), "attribute source")
    if wrong := misstated(event.attributes):
        return Inspected([], wrong, "data")
    identifiers = types.named([event.attributes["subject"], *event.attributes["data"]["identifiers"]])
    return Inspected(identifiers, unattributable(identifiers), "attribute subject")
