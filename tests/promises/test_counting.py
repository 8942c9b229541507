"""Counting commitments that are alike, and judging one of them, comes to what judging every one of them does."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.promises import language
from services.promises.backtest import Arrived, Backtest, Report, arrived
from services.promises.compile import Catalogue, Compiled
from services.promises.domain import Judgement, Terms, judge
from services.promises.language.declarations import Promise

START = datetime(2026, 1, 1, tzinfo=UTC)


def match(letter: str) -> dict[str, Any]:
    return {"type": f"*{letter}*"}


RESPONSE = {"when": match("T"), "expect": match("E")}
ABSENCE = {"when": match("T"), "never": match("N")}
TARGETS = [{"where": {"data.priority": 1}, "within": "2 minutes"}, {"where": {"data.priority": 2}, "within": "4 minutes"}]
SPECS: dict[str, dict[str, Any]] = {
    "within": {"response": RESPONSE | {"within": "3 minutes"}, "segment": "data.priority"},
    "by": {"response": RESPONSE | {"by": "data.due"}, "broken_by": match("F"), "cancel": match("C")},
    "strictly": {"response": RESPONSE | {"by": "data.due", "strictly": True, "count": 2}, "segment": "data.priority"},
    "first": {"response": RESPONSE | {"within": "4 minutes", "open": "first"}, "broken_by": match("F"), "grace": "2 minutes"},
    "for-ever": {"response": RESPONSE, "broken_by": match("F")},
    "targets": {"response": RESPONSE, "targets": TARGETS},
    "nothing": {"absence": ABSENCE | {"until": match("U"), "within": "5 minutes"}, "cancel": match("C")},
    "standing": {"absence": ABSENCE | {"open": "first"}},
    "fits": {"conformance": {"event": match("T"), "must": {"data.priority": ">= 2"}}, "segment": "data.priority"},
    "seldom": {"limit": {"event": match("E"), "at_most": 1}},
    "before": {"precedence": {"event": match("E"), "after": match("T"), "within": "3 minutes"}},
    "paused": {"response": RESPONSE | {"within": "3 minutes"}, "pause": match("N"), "resume": match("U")},
    "other": {"response": RESPONSE | {"within": "3 minutes"}, "pause": match("N"), "resume": "other"},
    "each": {"recurrence": {"when": match("T"), "expect": match("E"), "every": "2 minutes", "until": match("U")}},
    "conditional": {"response": {"when": match("T") | {"where": {"data.priority": 1}}, "expect": match("E"), "within": "3 minutes"}},
    "correlated": {"response": RESPONSE | {"within": "3 minutes", "correlate": "data.priority"}},
}


class Happening(NamedTuple):
    type: str
    time: int
    due: int
    priority: int


happenings = st.builds(
    Happening,
    st.sampled_from(["T", "E", "F", "C", "N", "U", "TE", "TN", "FC"]),
    st.integers(0, 9),
    st.integers(0, 12),
    st.integers(1, 3),
)
# many customers to whom the same happens, each thing a little later, and known at once, before or long after
shifts = st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, -2, 6]))
courses = st.tuples(
    st.lists(happenings, min_size=1, max_size=5),
    st.lists(st.lists(shifts, min_size=5, max_size=5), min_size=1, max_size=8),
)
Found = list[tuple[list[Happening], list[list[tuple[int, int]]]]]
# what no draw comes by: pauses of different lengths; a trigger heard of late, when grace is not over
PAUSES: Found = [
    (
        [Happening("T", 0, 9, 1), Happening("N", 1, 9, 1), Happening("U", 4, 9, 1), Happening("E", 8, 9, 1)],
        [[(0, 0), (0, 0), (longer, 0), (0, 0)] for longer in range(4)],
    )
]
HEARD_LATE: Found = [([Happening("T", 0, 9, 1)], [[(0, delay)] for delay in (0, 0, 6, 6)])]


def compiled(name: str, spec: dict[str, Any], grace: bool = True) -> Compiled:  # noqa: FBT001, FBT002 - a fact about the promise
    around = spec if grace else {key: value for key, value in spec.items() if key != "grace"}
    document = {
        "apiVersion": "makegood/v1",
        "kind": "Promise",
        "metadata": {"name": name, "owner": "test"},
        "spec": {"statement": "A claim."} | around,
    }
    (read,) = language.read(json.dumps(document), "p.json")
    assert isinstance(read.declares, Promise)
    return Compiled(read.declares)


VERSIONS = [compiled(name, spec) for name, spec in SPECS.items()]
UNGRACED = [compiled(name, spec, grace=False) for name, spec in SPECS.items()]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def history(found: Found, as_of: int, part: slice = slice(None)) -> Arrived:
    rows = []
    for course, (things, shifts) in enumerate(found):
        for customer, shifted in enumerate(shifts):
            for number, ((type_, minute, due, priority), (later, delay)) in enumerate(zip(things, shifted, strict=False)):
                time = minute + later
                if time + delay <= as_of:
                    data = {"due": at(due + later // 2).isoformat(), "priority": priority}
                    name = f"{course}-{customer}-{number}"
                    event = {"id": name, "source": "test", "type": type_, "data": data}
                    rows.append((f"{course}-{customer}", event, at(time), at(time + delay)))
    return arrived(*map(list, zip(*rows[part], strict=True))) if rows[part] else arrived([], [], [], [])


def told(reports: list[Report]) -> dict[str, dict[str | None, Counter[Any]]]:
    return {
        each.version.name: {name: +Counter(tally.said) for name, tally in each.segments.items() if +Counter(tally.said)} for each in reports
    }


# the clock of its source is ahead: it is known, and has not happened
AHEAD: Found = [([Happening("T", 0, 9, 1), Happening("F", 8, 9, 1)], [[(0, 0), (later, -later)] for later in (0, 0, 2, 2)])]


@settings(max_examples=200, deadline=None)
@example(PAUSES, 20, True, 0)
@example(HEARD_LATE, 7, True, 0)
@example(AHEAD, 8, False, 0)
@given(st.lists(courses, min_size=1, max_size=4), st.integers(0, 20), st.booleans(), st.integers(0, 40))
def test_what_is_counted_is_what_each_commitment_is_judged_to_be(
    found: Found,
    as_of: int,
    graced: bool,  # noqa: FBT001 - drawn by Hypothesis
    cut: int,
) -> None:
    """Breaks if two commitments are taken for alike, and something else than the order of their instants counts."""
    versions = VERSIONS if graced else UNGRACED
    tested = Backtest(Catalogue(versions))
    for part in (slice(None, cut), slice(cut, None)):
        tested.take(history(found, as_of, part))
    expected: dict[str, dict[str | None, Counter[Any]]] = {each.name: defaultdict(Counter) for each in versions}
    for version in versions:
        for verdict in tested.verdicts(version, at(as_of)):
            judgement = verdict.judgement
            expected[version.name][verdict.trigger.segment][judgement.state, judgement.late, judgement.standing] += 1
    assert told(tested.reports(at(as_of))) == expected


def test_of_many_commitments_that_are_alike_few_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if nothing is ever taken for alike, and the test above holds nothing against nothing."""
    judged: list[Terms] = []

    def judge_and_note(terms: Terms, *more: Any) -> Judgement:
        judged.append(terms)
        return judge(terms, *more)

    things = [Happening("T", 0, 5, 1), Happening("E", 3, 5, 1)]
    tested = Backtest(Catalogue([compiled("within", SPECS["within"])]))
    tested.take(history([(things, [[(shift, 0)] * 2 for shift in range(4)] * 25)], 60))
    monkeypatch.setattr("services.promises.backtest.judge", judge_and_note)
    (report,) = tested.reports(at(60))
    assert (sum(tally.said.total() for tally in report.segments.values()), len(judged)) == (100, 1)
