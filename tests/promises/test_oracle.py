"""Random histories, judged by `makegood` and by SQL written from PROMISES.md: the patterns, with what can end or excuse them.

Where PROMISES.md leaves a choice, the reading is:
"""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.promises.oracle import AS_OF, GRACE, MINUTES, Case, Happening, agree, histories, match, minutes, oracle

EXAMPLES = 80


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with oracle() as connection:
        yield connection


ENDINGS = {"cancel": match("C"), "excuse": match("X")}
FAILURE = {"broken_by": match("F")}
OPEN = st.sampled_from(["each", "first"])


@st.composite
def responses(draw: st.DrawFn) -> Case:
    within, by, opened, count = draw(MINUTES), draw(st.booleans()), draw(OPEN), draw(st.integers(1, 2))
    within = None if by else within
    strictly = draw(st.booleans()) and (by or within is not None)
    due = {"by": "data.due"} if by else minutes(within, "within")
    pattern = {"when": match("T"), "expect": match("E"), "open": opened, "count": count, "strictly": strictly} | due
    terms = {"within": within, "dated": by, "first": opened == "first", "count": count, "strictly": strictly, "grace": draw(GRACE)}
    return Case("response", pattern, ENDINGS | FAILURE, terms)


@st.composite
def absences(draw: st.DrawFn) -> Case:
    within, until, opened = draw(MINUTES), draw(st.booleans()), draw(OPEN)
    pattern = (
        {"when": match("T"), "never": match("N"), "open": opened} | minutes(within, "within") | ({"until": match("U")} if until else {})
    )
    return Case("absence", pattern, ENDINGS, {"within": within, "until": until, "first": opened == "first", "grace": draw(GRACE)})


@st.composite
def precedences(draw: st.DrawFn) -> Case:
    soonest, within = draw(MINUTES), draw(MINUTES)
    pattern = {"event": match("T"), "after": match("E")} | minutes(soonest, "no_sooner_than") | minutes(within, "within")
    return Case("precedence", pattern, {"excuse": match("X")}, {"soonest": soonest, "within": within, "grace": draw(GRACE)})


@st.composite
def limits(draw: st.DrawFn) -> Case:
    at_most, window = draw(st.integers(0, 4)), draw(MINUTES)
    pattern = {"event": match("T"), "at_most": at_most} | minutes(window, "in")
    return Case("limit", pattern, ENDINGS, {"first": True, "at_most": at_most, "sliding": window, "grace": draw(GRACE)})


@st.composite
def recurrences(draw: st.DrawFn) -> Case:
    every, until, opened = draw(st.integers(1, 5)), draw(st.booleans()), draw(OPEN)
    pattern = {"when": match("T"), "expect": match("E"), "every": f"{every} minutes", "open": opened} | (
        {"until": match("U")} if until else {}
    )
    terms = {"every": every, "until": until, "first": opened == "first", "grace": draw(GRACE)}
    return Case("recurrence", pattern, ENDINGS | FAILURE, terms)


@st.composite
def milestones(draw: st.DrawFn) -> Case:
    steps = tuple(draw(st.lists(st.tuples(MINUTES, st.booleans()), min_size=1, max_size=3)))
    written = [
        {"name": f"s{number}", "expect": match(str(number)), "from": "previous" if from_previous else "start"} | minutes(within, "within")
        for number, (within, from_previous) in enumerate(steps, 1)
    ]
    opened = draw(OPEN)
    pattern = {"when": match("T"), "open": opened, "steps": written}
    return Case("milestones", pattern, ENDINGS | FAILURE, {"first": opened == "first", "grace": draw(GRACE)}, steps)


MUST = {
    "enough": "sum(events, 'data.value') >= trigger.data.value",
    "few": "count(events) <= 1",
    "below": "max(events, 'data.value') < trigger.data.value",
}


@st.composite
def settlements(draw: st.DrawFn) -> Case:
    within, by, until, early, opened = draw(MINUTES), draw(st.booleans()), draw(st.booleans()), draw(st.booleans()), draw(OPEN)
    within = None if by else within
    until = until or (not early and not by and within is None)
    must = draw(st.sampled_from(sorted(MUST)))
    due = {"by": "data.due"} if by else minutes(within, "within")
    pattern = {"when": match("T"), "collect": match("K"), "must": MUST[must], "open": opened, "settle": "early" if early else "at_end"}
    pattern |= due | ({"until": match("U")} if until else {})
    terms = {"within": within, "dated": by, "until": until, "early": early, "must": must, "first": opened == "first", "grace": draw(GRACE)}
    return Case("settlement", pattern, ENDINGS, terms)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=responses(), history=histories("T", "T", "E", "F", "C", "X", "TE", "FC", "TF", "O"), as_of=AS_OF)
def test_responses(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=absences(), history=histories("T", "T", "N", "U", "C", "X", "TN", "NU", "UC", "O"), as_of=AS_OF)
def test_absences(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=precedences(), history=histories("T", "E", "E", "TE", "X", "O"), as_of=AS_OF)
def test_precedences(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=limits(), history=histories("T", "T", "T", "TC", "C", "X", "O"), as_of=AS_OF)
def test_limits(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=recurrences(), history=histories("T", "E", "E", "E", "U", "F", "C", "X", "TE", "EU", "UC", "O"), as_of=AS_OF)
def test_recurrences(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=milestones(), history=histories("T", "1", "2", "3", "12", "T1", "F", "C", "X", "O"), as_of=AS_OF)
def test_milestones(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=settlements(), history=histories("T", "K", "K", "K", "U", "TK", "KU", "C", "X", "O"), as_of=AS_OF)
def test_settlements(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)
