"""The way ahead of a customer, and how what was promised to them stands: folded from what was said. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.chassis import rfc3339
from services.journey.timeline.said import Place

OPEN: Final = frozenset({"on_track", "at_risk", "paused", "held"})
"""Judgements of what is still owed."""


class Standing(NamedTuple):
    """How one commitment stands, as its last fact says; times are UTC."""

    commitment: UUID
    customer: UUID
    promise: str
    version: int
    audience: str
    owner: str | None
    statement: str | None
    correlation: Any
    segment: str | None
    trigger_id: str | None
    trigger_type: str
    trigger_time: datetime
    due: datetime | None
    judgement: str
    said: datetime

    @property
    def is_open(self) -> bool:
        """Whether it is still owed."""
        return self.judgement in OPEN


def lately_decided(places: Iterable[Place], most: int) -> list[Place]:
    """Of each partition the latest, at most so many."""
    found: dict[int, list[Place]] = {}
    for place in places:
        found.setdefault(place.partition, []).append(place)
    return [place for each in found.values() for place in sorted(each, reverse=True)[:most]]


def standing(fact: Mapping[str, Any]) -> Standing:
    """How a commitment stands by a fact about it."""
    data = fact["data"]
    trigger = data["trigger"]
    return Standing(
        commitment=UUID(data["commitment"]), customer=UUID(fact["customer"]), promise=data["promise"], version=data["version"],
        audience=data["audience"], owner=data.get("owner"), statement=data.get("statement"), correlation=data.get("correlation"),
        segment=data.get("segment"), trigger_id=trigger["id"], trigger_type=trigger["type"], trigger_time=rfc3339.parse(trigger["time"]),
        due=None if data.get("due") is None else rfc3339.parse(data["due"]), judgement=data["judgement"], said=rfc3339.parse(fact["time"]),
    )  # fmt: skip


def way_ahead(facts: Iterable[Mapping[str, Any]]) -> list[Standing]:
    """What is due, the earliest first; what has no time to be due by, last."""
    found = [each for each in map(standing, facts) if each.is_open]
    return sorted(found, key=lambda each: (each.due is None, each.due or each.trigger_time, each.trigger_time, each.commitment))
