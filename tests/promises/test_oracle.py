"""Random histories, judged by `makegood` and by SQL written from PROMISES.md: the patterns, with what can end or excuse them.

Where PROMISES.md leaves a choice, the reading here and in `test_oracle_clocks` is:
* Of triggers of one instant under `open: first` the event's key decides; so it does between resets, and between targets.
* A cancel at the very due time still withdraws, and at the instant of `broken_by` or of a reset it goes first; at the end of an absence or
  of a settlement it goes first too, and at the instant of an `until` that keeps a recurrence, or of what keeps early, it comes too late.
* Grace delays what is said and keeps nothing: what comes within grace is late.
* The intervals of a recurrence are closed: an event at the end of one is in the next one too. One that ends at `until` is owed.
* A step from the one before it counts events at or after that one's event; the same event may reach two steps.
* A budget that is used up at the instant of a pause is due; a pause at that instant comes too late.
* `resume: other` is any event of the correlation that does not match `pause`, the trigger among them.
* A target chosen at the very due time still counts. One that was used up before it was chosen breaks at that instant, and as due is told
  when it had been used up; what came before it was chosen still keeps. It counts no more at the instant of a failure, cancel or reset.
* A reset opens one commitment, however many it ends, and none where all are decided; it takes its target from what it ended.
* An excuse counts at or after the trigger, however late.
* A settlement with `within` or `by` that an `until` ended is never late: nothing can be owed after it. One whose end was before its trigger
  is judged over its trigger alone.
"""

from collections.abc import Callable, Iterator

import pytest
from duckdb import DuckDBPyConnection as Database
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.promises.oracle import AS_OF, GRACE, MINUTES, Case, Happening, agree, histories, match, minutes, oracle

EXAMPLES = 40


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
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


def claims(case: st.SearchStrategy[Case], *types: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Draw promises, histories of these types, and where they end."""
    return lambda test: settings(max_examples=EXAMPLES, deadline=None)(given(case=case, history=histories(*types), as_of=AS_OF)(test))


@claims(responses(), "T", "T", "E", "F", "C", "X", "TE", "FC", "TF", "O")
def test_responses_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(absences(), "T", "T", "N", "U", "C", "X", "TN", "NU", "UC", "O")
def test_absences_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(precedences(), "T", "E", "E", "TE", "X", "O")
def test_precedences_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(limits(), "T", "T", "T", "TC", "C", "X", "O")
def test_limits_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(recurrences(), "T", "E", "E", "E", "U", "F", "C", "X", "TE", "EU", "UC", "O")
def test_recurrences_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(milestones(), "T", "1", "2", "3", "12", "T1", "F", "C", "X", "O")
def test_milestones_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(settlements(), "T", "K", "K", "K", "U", "TK", "KU", "C", "X", "O")
def test_settlements_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)
