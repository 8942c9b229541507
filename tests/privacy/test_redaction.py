"""What we say of ourselves quotes nothing: logs, spans and refusals name places, types and reasons, never what stood there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.redaction import blanked, told, traced, without
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry
from services.journey.domain import EventTypes, impossible
from services.promises.language import expressions
from services.promises.language.expressions import ConditionError
from tests.driving import NOON

CANARY = "canary-7731"
PROGRAM = f"""
import asyncio, logging
from services.chassis.logs import configure_logs
configure_logs("journey", "DEBUG")
log = logging.getLogger("test")
def fail():
    try:
        {{}}["{CANARY}"]
    except KeyError as error:
        raise ValueError("invalid input for argument: {CANARY}") from error
try:
    fail()
except ValueError as error:
    log.exception("our own code failed", extra={{"offset": 7}})
    log.error("again", exc_info=error)
raise RuntimeError("{CANARY}")
"""
plain = some.none() | some.integers() | some.text(max_size=4)
json_values = some.recursive(
    plain, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3), max_leaves=8
)


def test_a_log_tells_where_something_failed_and_with_what_type_and_quotes_no_message() -> None:
    """Breaks if an exception's message, its cause's, or that of what ended the process got into a line."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in found.stderr.splitlines()]
    assert [each["event"] for each in lines] == ["our own code failed", "again", "died"]
    assert "ValueError from KeyError" in lines[0]["exception"]
    assert "in fail" in lines[0]["exception"]
    assert lines[2]["exception"].endswith("RuntimeError")
    assert CANARY not in found.stderr + found.stdout


def test_a_span_that_fails_says_with_what_type_and_quotes_no_message(tmp_path: Path) -> None:
    telemetry = Telemetry(Settings(kafka="none:0", database="postgresql://none", traces=str(tmp_path / "spans")), "journey")
    with pytest.raises(ValueError, match=CANARY), telemetry.batch("makegood.touchpoints", 0, [1]):
        raise ValueError(CANARY)
    telemetry.close()
    (span,) = map(json.loads, (tmp_path / "spans").read_text().splitlines())
    assert span["status"]["description"] == "ValueError"
    assert CANARY not in json.dumps(span)


def test_what_a_condition_comes_to_is_not_quoted_where_it_is_neither_true_nor_false() -> None:
    holds = expressions.compiled("data.mail")
    with pytest.raises(ConditionError) as refused:
        holds({"data": {"mail": CANARY}})
    assert CANARY not in str(refused.value)


def test_what_is_impossible_about_an_event_is_said_without_what_it_says() -> None:
    wrongs = [impossible(f"makegood.{CANARY}", NOON, NOON), impossible(CANARY, None, NOON)]
    assert all(each is not None and CANARY not in str(each) for each in wrongs)
    assert EventTypes(()).identifiers({"type": CANARY, "subject": CANARY}) != []


def test_an_error_is_told_by_its_type_and_what_caused_it() -> None:
    error = OSError(CANARY)
    error.__cause__ = KeyError(CANARY)
    assert told(error) == "OSError from KeyError"
    assert traced(error) == "OSError from KeyError\nwhich came of:\nKeyError"


@given(value=json_values, texts=some.sets(some.text(min_size=1, max_size=4), max_size=3))
def test_without_some_texts_none_of_them_is_left_and_nothing_else_is_gone(value: Any, texts: set[str]) -> None:
    def strings(each: Any) -> list[str]:
        if isinstance(each, dict):
            return [text for name, inner in each.items() for text in [name, *strings(inner)] if name not in texts]
        return [each] if isinstance(each, str) else [text for inner in each for text in strings(inner)] if isinstance(each, list) else []

    left = without(value, texts)
    assert texts.isdisjoint(strings(left))
    assert strings(left) == [each for each in strings(value) if each not in texts]


def test_blanking_empties_what_a_path_leads_to_and_changes_nothing_of_the_event_itself() -> None:
    event = {"type": "t", "data": {"a": {"b": CANARY, "c": 1}, "d": [CANARY]}}
    assert blanked(event, ["data.a.b", "data.d", "data.x.y", "subject"]) == {"type": "t", "data": {"a": {"b": None, "c": 1}, "d": None}}
    assert event["data"] == {"a": {"b": CANARY, "c": 1}, "d": [CANARY]}
