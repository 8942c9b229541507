"""Negotiated terms: what a customer's own duration is at a time."""

from datetime import datetime, timedelta
from uuid import UUID

from services.promises.negotiated import Negotiated, Row, by_customer, within_at
from tests.driving import NOON
from tests.promises.conftest import ANA

HOUR = timedelta(hours=1)


def rows(*agreed: tuple[str | None, datetime | None, datetime | None]) -> list[Row]:
    return [Row(id_, "in-time", ANA, *each, NOON, "maria") for id_, each in enumerate(agreed, 1)]


def at(time: datetime, agreed: list[Row]) -> str | None:
    return within_at(by_customer(agreed).get(ANA, []), "in-time", time)


def test_a_term_counts_from_its_start_to_its_end() -> None:
    agreed = rows(("4 hours", NOON, NOON + HOUR))
    assert [at(NOON + number * HOUR, agreed) for number in (-1, 0, 1)] == [None, "4 hours", None]
    assert at(NOON, rows(("4 hours", None, None))) == "4 hours"


def test_a_newer_term_replaces_an_older_one_for_good() -> None:
    """Breaks if what was given up came back when the newer term runs out."""
    agreed = rows(("8 hours", None, None), ("4 hours", NOON, NOON + HOUR))
    assert [at(NOON + number * HOUR, agreed) for number in (-1, 0, 1)] == ["8 hours", "4 hours", None]


def test_an_ended_term_leaves_the_promise_as_it_is_for_everybody() -> None:
    agreed = rows(("8 hours", None, None), (None, NOON, None))
    assert [at(NOON + number * HOUR, agreed) for number in (-1, 0)] == ["8 hours", None]
    assert by_customer(rows(("8 hours", NOON, None), (None, NOON, None))) == {}


def test_terms_are_those_of_one_customer_and_one_promise() -> None:
    other = UUID(int=77)
    agreed = [*rows(("8 hours", None, None)), Row(9, "in-time", other, "1 hour", NOON, None, NOON, "maria")]
    found = by_customer(agreed)
    assert found[other] == [Negotiated("in-time", "1 hour", NOON, None)]
    assert within_at(found[other], "other", NOON) is None
    assert within_at(found[ANA], "in-time", NOON) == "8 hours"
