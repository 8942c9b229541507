"""Histories told in a few words: what happened to a customer when, and what was said of it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from services.chassis.instants import text_of
from services.chassis.keys import event_key, key_of
from services.journey.documents import language
from services.journey.picture.history import FactRow, History, Row, read
from tests.driving import NOON

SHOP = "shop"


def day(number: float) -> datetime:
    """So many days after the beginning."""
    return NOON + timedelta(days=number)


def event(id_: str, type_: str, at: float, source: str = SHOP, **data: Any) -> Row:
    """A touchpoint, so many days after the beginning."""
    body = {"id": id_, "source": source, "type": type_, "time": text_of(day(at)), "data": data}
    return Row(event_key(source, id_), day(at), orjson.dumps(body))


def key(id_: str, source: str = SHOP) -> UUID:
    """The key of a touchpoint."""
    return UUID(bytes=event_key(source, id_).bytes)


def commitment(
    number: int, judgement: str, trigger: str, at: float, *, promise: str = "kept-word", triggered: float = 0, verdict: int = 1,
    place: int = 0, decided_by: str | None = None, source: str = SHOP, **others: Any,
) -> FactRow:  # fmt: skip
    """What was said of a commitment, so many days after the beginning."""
    id_ = UUID(int=number)
    data = {
        "commitment": str(id_), "promise": promise, "version": 1, "audience": "customer", "owner": "branch", "verdict": verdict,
        "trigger": {"event": str(key(trigger)), "id": trigger, "type": "x", "time": text_of(day(triggered))}, "judgement": judgement,
        "decided_by": None if decided_by is None else str(key(decided_by, source)), "severity": "medium",
    } | others  # fmt: skip
    body = {"type": f"makegood.commitment.{judgement}", "id": f"{id_}:{verdict}:{judgement}", "time": text_of(day(at)), "data": data}
    return FactRow(("makegood.promises", 0, number * 1000 + verdict, place), orjson.dumps(body))


def case(kind: str, state: str, at: float, owner: str | None = None, *, place: int = 0, number: int = 1) -> FactRow:
    """What happened in a case, so many days after the beginning."""
    data = {"case": str(UUID(int=number)), "customer": str(UUID(int=0)), "state": state, "severity": "medium", "owner": owner}
    body = {"type": f"makegood.case.{kind}", "id": f"{number}:{kind}:{at}", "time": text_of(day(at)), "data": data}
    return FactRow(("makegood.recovery", 0, int(at * 1000), place), orjson.dumps(body))


def history(*told: Row | FactRow) -> History:
    """The history of all that is told, in whatever order."""
    return read([each for each in told if isinstance(each, Row)], [each for each in told if isinstance(each, FactRow)])


def declared(text: str) -> list[language.Declared]:
    """The documents of a text."""
    return language.read(text, "test.yaml", language.KINDS)


def ids(keys: Iterable[UUID], *told: Row) -> list[str]:
    """The ids of touchpoints by their keys."""
    names = {UUID(bytes=each.event.bytes): orjson.loads(each.body)["id"] for each in told}
    return [names[UUID(bytes=each.bytes)] for each in keys]


__all__ = ["NOON", "UTC", "case", "commitment", "day", "declared", "event", "history", "ids", "key", "key_of"]
