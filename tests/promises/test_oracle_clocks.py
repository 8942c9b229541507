"""Random histories, judged by `makegood` and by SQL written from PROMISES.md: pauses, targets and resets."""

from collections.abc import Iterator

import pytest
from duckdb import DuckDBPyConnection as Database
from hypothesis import strategies as st

from tests.promises.oracle import GRACE, MINUTES, Case, Happening, agree, match, minutes, oracle
from tests.promises.test_oracle import ENDINGS, FAILURE, OPEN, claims

SOME = st.integers(1, 8)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with oracle() as connection:
        yield connection


def pauses(other: bool) -> dict[str, object]:  # noqa: FBT001
    return {"pause": match("P"), "resume": "other" if other else match("G")}


@st.composite
def paused(draw: st.DrawFn) -> Case:
    by, other, opened, within = draw(st.booleans()), draw(st.booleans()), draw(OPEN), draw(st.integers(0, 8))
    due = {"by": "data.due"} if by else minutes(within, "within")
    strictly = draw(st.booleans())
    pattern = {"when": match("T"), "expect": match("E"), "open": opened, "strictly": strictly} | due
    terms = {"within": within, "dated": by, "first": opened == "first", "resume_other": other, "strictly": strictly, "grace": draw(GRACE)}
    return Case("response", pattern, ENDINGS | FAILURE | pauses(other), terms)


@st.composite
def paused_absences(draw: st.DrawFn) -> Case:
    within, other, until = draw(SOME), draw(st.booleans()), draw(st.booleans())
    pattern = {"when": match("T"), "never": match("N")} | minutes(within, "within") | ({"until": match("U")} if until else {})
    return Case("absence", pattern, ENDINGS | pauses(other), {"within": within, "until": until, "resume_other": other})


@st.composite
def paused_recurrences(draw: st.DrawFn) -> Case:
    every, until = draw(st.integers(1, 4)), draw(st.booleans())
    pattern = {"when": match("T"), "expect": match("E"), "every": f"{every} minutes"} | ({"until": match("U")} if until else {})
    return Case("recurrence", pattern, ENDINGS | FAILURE | pauses(other=False), {"every": every, "until": until})


@st.composite
def paused_milestones(draw: st.DrawFn) -> Case:
    steps = tuple(draw(st.lists(st.tuples(SOME, st.booleans()), min_size=1, max_size=3)))
    written = [
        {"name": f"s{number}", "expect": match(str(number)), "from": "previous" if from_previous else "start"} | minutes(within, "within")
        for number, (within, from_previous) in enumerate(steps, 1)
    ]
    return Case("milestones", {"when": match("T"), "steps": written}, ENDINGS | FAILURE | pauses(other=False), {}, steps)


@st.composite
def targeted(draw: st.DrawFn) -> Case:
    """Priority 1 and 2 have targets of their own; pauses keep counting when the target changes."""
    within, one, two = draw(MINUTES), draw(SOME), draw(SOME)
    targets = [{"where": {"data.priority": each}, "within": f"{target} minutes"} for each, target in ((1, one), (2, two))]
    around = {"targets": targets, "escalate_target": match("M")} | pauses(other=False)
    pattern = {"when": match("T"), "expect": match("E")} | minutes(within, "within")
    terms = {"within": within, "targeted": True, "target_1": one, "target_2": two, "grace": draw(GRACE)}
    return Case("response", pattern, ENDINGS | FAILURE | around, terms)


@st.composite
def resetting(draw: st.DrawFn) -> Case:
    within, with_pauses, opened = draw(SOME), draw(st.booleans()), draw(OPEN)
    pattern = {"when": match("T"), "expect": match("E"), "open": opened} | minutes(within, "within")
    around = ENDINGS | FAILURE | {"reset": match("R")} | (pauses(other=False) if with_pauses else {})
    return Case("response", pattern, around, {"within": within, "first": opened == "first", "grace": draw(GRACE)})


@st.composite
def resetting_absences(draw: st.DrawFn) -> Case:
    within, until = draw(SOME), draw(st.booleans())
    pattern = {"when": match("T"), "never": match("N")} | minutes(within, "within") | ({"until": match("U")} if until else {})
    return Case("absence", pattern, ENDINGS | {"reset": match("R")}, {"within": within, "until": until})


@claims(paused(), "T", "E", "P", "P", "G", "G", "F", "C", "X", "TP", "TG", "PG", "EP", "O")
def test_paused_responses_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(paused_absences(), "T", "N", "P", "P", "G", "G", "U", "C", "TP", "NP", "PG", "O")
def test_paused_absences_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(paused_recurrences(), "T", "E", "E", "P", "P", "G", "G", "U", "F", "C", "TP", "EP", "PG")
def test_paused_recurrences_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(paused_milestones(), "T", "1", "2", "3", "P", "P", "G", "G", "F", "C", "TP", "1P", "PG")
def test_paused_milestones_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(targeted(), "T", "T", "E", "M", "M", "P", "G", "F", "C", "TM", "MP", "ME")
def test_changing_targets_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(resetting(), "T", "T", "E", "R", "R", "F", "C", "X", "TR", "ER", "P", "G")
def test_responses_that_begin_anew_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)


@claims(resetting_absences(), "T", "T", "N", "R", "R", "U", "C", "X", "TR", "NR")
def test_absences_that_begin_anew_come_to_what_sql_says(database: Database, case: Case, history: list[Happening], as_of: int) -> None:
    agree(database, case, history, as_of)
