"""Marks for tests: minutes after an instant, and an event key that follows from what the mark is."""

from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from services.promises.domain import Mark, Role

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def mark(
    time: float,
    roles: Role,
    *,
    arrival: float | None = None,
    due: float | None = None,
    holds: bool = True,
    name: str = "",
) -> Mark:
    key = uuid5(NAMESPACE_OID, f"{time} {int(roles)} {arrival} {name}")
    arrived = at(time if arrival is None else arrival)
    return Mark(key, at(time), arrived, int(roles), None if due is None else at(due), holds)
