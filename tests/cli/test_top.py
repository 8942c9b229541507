"""`makegood top`: what it says of a look, and that it says what to do."""

from datetime import timedelta
from io import StringIO
from typing import Any

from rich.console import Console

from services.cli.rest import Row
from services.cli.top import Look, advice, drawn
from tests.driving import NOON

LANE = ("makegood.journey", 3)


def seen(age: float = 0.3, outbox: int = 0, **changed: Any) -> Look:
    row = Row(10, NOON - timedelta(seconds=age), 5, outbox, 0)
    return Look(NOON, True, {"promises": {LANE: row}}, {"promises": 0.01}, (), (), 0)._replace(**changed)


def test_a_healthy_system_needs_nobody() -> None:
    assert advice(seen()) == []
    assert advice(seen(age=9_000_000, live=False)) == []  # a replayed clock is never behind ours


def test_whatever_is_wrong_is_said_by_name_and_with_what_to_do() -> None:
    """Breaks if something that waits for a person were shown as a number only."""
    said = advice(seen(age=90, outbox=2000, away=("promises consume",), silent=("shop",), refused=3, took={"promises": 2.0}))
    for word in ("promises consume", "makegood.journey/3", "2,000", "2.0 s", "shop", "3 refused"):
        assert sum(word in each for each in said) == 1, word


def test_the_view_shows_every_lane() -> None:
    console = Console(width=200, record=True, file=StringIO())
    console.print(drawn(seen(age=90)))
    text = console.export_text()
    assert "to be done" in text
    assert "90.0 s" in text
