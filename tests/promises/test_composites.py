"""`all_of` and `sequence_of` over random histories, beside a reading of PROMISES.md that shares no code with the judge.

Minutes throughout; every event arrives at once. At one instant what happened comes before a cancel, and that before time that is up. A
`broken_by` at the instant at which everything is kept comes too late.
"""

import json
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.promises import language
from services.promises.backtest import Backtest, arrived
from services.promises.compile import Catalogue, Compiled
from services.promises.language.declarations import Promise
from tests.promises.oracle import START, match
from tests.promises.test_bearing import MINUTE

TYPES = ["T", "T", "E", "G", "N", "M", "E", "G", "C", "F", "X", "TE", "EG", "EC", "FC", "EF", "NC", "EN", "TN", "O"]
Event = tuple[str, int]


class Part(NamedTuple):
    """What is owed: so many events of this letter in time, or none of them (`never`)."""

    never: bool
    letter: str
    within: int | None
    number: int

    def written(self) -> dict[str, Any]:
        due = {} if self.within is None else {"within": f"{self.within} minutes"}
        if self.never:
            return {"absence": {"never": match(self.letter)} | due}
        return {"response": {"expect": match(self.letter), "count": self.number} | due}


class Came(NamedTuple):
    """When a part is kept or broken, and whether an event does so."""

    kept: int | None
    broken: int | None
    by_event: bool


LATE, BEFORE_TIME, IN_TIME = 2, 1, 0
parts = st.lists(
    st.one_of(
        st.builds(Part, st.just(value=False), st.sampled_from("EG"), st.sampled_from([None, 0, 1, 2, 4, 6]), st.integers(1, 2)),
        st.builds(Part, st.just(value=True), st.sampled_from("NM"), st.sampled_from([0, 1, 2, 4, 6]), st.just(1)),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def came(part: Part, start: int, since: int | None, after: list[Event]) -> Came:
    """What becomes of a part of a commitment that was opened at `start`; `since` None: what goes before it was never kept."""
    due = None if part.within is None else start + part.within
    times = sorted(time for type_, time in after if part.letter in type_ and since is not None and time >= since)
    in_time = [time for time in times if due is None or time <= due]
    if part.never:
        return Came(None, in_time[0], by_event=True) if in_time else Came(None if since is None else due, None, by_event=False)
    return Came(in_time[part.number - 1], None, by_event=True) if len(in_time) >= part.number else Came(None, due, by_event=False)


def judged(owed: list[Part], trigger: Event, after: list[Event], as_of: int, *, ordered: bool) -> str:
    """What a commitment comes to."""
    found: list[Came] = []
    since: int | None = trigger[1]
    for part in owed:
        found.append(came(part, trigger[1], since, after))
        since = found[-1].kept if ordered else since
    points = [(each.broken, IN_TIME if each.by_event else LATE, "broken") for each in found if each.broken is not None]
    kept = [each.kept for each in found if each.kept is not None]
    if len(kept) == len(found):
        last = [each for each in found if each.kept == max(kept)]
        points.append((max(kept), IN_TIME if all(each.by_event for each in last) else LATE, "kept"))
    points += [(time, BEFORE_TIME, "withdrawn") for type_, time in after if "C" in type_]
    points += [(time, LATE + 1, "broken") for type_, time in after if "F" in type_]
    at, _, said = min(points, default=(0, 0, "open"))
    quiet = [each.kept for each in found if each.kept is not None and not each.by_event]
    if (said == "broken" and as_of < at) or (said == "kept" and as_of < max(quiet, default=0)):
        return "open"
    return "excused" if said == "broken" and any("X" in type_ for type_, _ in after) else said


@settings(max_examples=400, deadline=None)
@given(
    owed=parts, ordered=st.booleans(), as_of=st.integers(8, 20),
    history=st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 8)), min_size=1, max_size=9),
)  # fmt: skip
def test_several_patterns_of_one_trigger_come_to_what_each_of_them_does(
    *, owed: list[Part], ordered: bool, as_of: int, history: list[Event]
) -> None:
    """Breaks if a cancel of the instant at which an event completes or breaks it came first, or if order were not kept."""
    pattern = {"when": match("T"), "patterns": [each.written() for each in owed]}
    around = {"cancel": match("C"), "broken_by": match("F"), "excuse": match("X")}
    spec = {"statement": "A claim.", "sequence_of" if ordered else "all_of": pattern} | around
    document = {"apiVersion": "makegood/v1", "kind": "Promise", "metadata": {"name": "p", "owner": "test"}, "spec": spec}
    (read,) = language.read(json.dumps(document), "p.json")
    assert isinstance(read.declares, Promise)
    compiled = Compiled(read.declares)
    tested = Backtest(Catalogue([compiled]), lambda origin: UUID(int=int(origin.id)))
    events = [{"id": str(place), "source": "test", "type": type_} for place, (type_, _) in enumerate(history)]
    times = [START + time * MINUTE for _, time in history]
    tested.take(arrived(["c"] * len(history), events, times, times))
    said = {each.trigger.event.int: each.judgement.state for each in tested.verdicts(compiled, START + as_of * MINUTE)}
    expected = {}
    for place, trigger in enumerate(history):
        after = [each for other, each in enumerate(history) if other != place and each[1] >= trigger[1]]
        if "T" in trigger[0]:
            expected[place] = judged(owed, trigger, after, as_of, ordered=ordered)
    assert {place: str(state) if state.decided else "open" for place, state in said.items()} == expected
