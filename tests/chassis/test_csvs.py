"""CSV answers: what a spreadsheet shows, and never runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.requests import Request

from services.chassis import csvs
from tests.driving import NOON


def asks(accept: str | None) -> bool:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    return csvs.wanted(Request({"type": "http", "headers": headers}))


@pytest.mark.parametrize("accept", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV,*/*;q=0.1", "application/json;q=0.5, text/csv;q=0.6"])
def test_csv_is_for_those_who_ask_for_it(accept: str) -> None:
    assert asks(accept)


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/json", "text/csv;q=0", "text/csv, application/json", "text/csv;q=x", "text/html"]
)
def test_everybody_else_gets_json(accept: str | None) -> None:
    assert not asks(accept)


@pytest.mark.parametrize("attack", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "=cmd|' /C calc'!A0"])
def test_no_cell_is_a_formula(attack: str) -> None:
    """Breaks if somebody can write a segment or a statement that a spreadsheet runs."""
    (row,) = list(csv.DictReader(io.StringIO(csvs.render(["a"], [{"a": attack}]).decode(), newline="")))
    assert row["a"] == f"'{attack}"


@given(some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0")), some.integers())
def test_texts_and_numbers_come_back_as_they_were(text: str, number: int) -> None:
    rendered = csvs.render(["text", "number"], [{"text": text, "number": number}])
    (row,) = list(csv.DictReader(io.StringIO(rendered.decode(), newline="")))
    assert row["text"].removeprefix("'") == text.removeprefix("'")
    assert row["number"] == str(number)


def test_what_is_not_there_is_empty_and_times_are_utc() -> None:
    rendered = csvs.render(["a", "b", "c"], [{"a": None, "b": NOON, "c": True}])
    assert rendered.decode() == '"a","b","c"\r\n"","2026-03-01T12:00:00.000Z","true"\r\n'
