"""Random histories, judged by `makegood` and by SQL written from PROMISES.md; the two share no code.

An event's type is the letters of the parts it plays, so that one event can play several: T opens, E is expected, N forbidden, U until,
K collected, F fails, C cancels, R resets, P pauses, G goes on, X excuses, M changes the target, 1 to 3 are steps, O is none of them.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import duckdb
from hypothesis import strategies as st

from services.promises import language
from services.promises.backtest import Backtest, Tally, Verdict, arrived, outcome_of
from services.promises.compile import Catalogue, Compiled
from services.promises.domain import State
from services.promises.language.declarations import Promise

HERE = Path(__file__).parent
START = datetime(2026, 1, 1, tzinfo=UTC)
TERMS = {
    "as_of": 0, "first": False, "within": None, "dated": False, "count": 1, "strictly": False, "grace": 0, "until": False,
    "pausing": False, "resume_other": False, "targeted": False, "target_1": None, "target_2": None,
    "soonest": None, "at_most": None, "sliding": None, "every": None, "early": False, "must": None,
}  # fmt: skip
"""The columns of the oracle's table of terms."""

MINUTES = st.none() | st.integers(0, 8)
GRACE = st.sampled_from([0, 0, 0, 1, 4])
AS_OF = st.integers(0, 24)
Came = tuple[str, int | None]
"""What a commitment came to, and the minute at which it fell due, where it is broken."""


class Happening(NamedTuple):
    """One event of a random history."""

    customer: int
    type: str
    time: int
    delay: int
    priority: int
    due: int
    value: int


@dataclass(frozen=True)
class Case:
    """A promise, in the words of the language and of the oracle."""

    query: str
    pattern: dict[str, Any]
    around: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    steps: tuple[tuple[int | None, bool], ...] = ()

    @property
    def timed(self) -> bool:
        """Whether it has a due time, so that broken is late or never."""
        dated = "within" in self.pattern or "by" in self.pattern
        return self.query in ("response", "recurrence", "milestones") or (self.query == "settlement" and dated)


def histories(*types: str) -> st.SearchStrategy[list[Happening]]:
    """Histories of several customers, with ties, and with events that arrive late."""
    small = st.integers(0, 4)
    each = st.tuples(st.sampled_from(types), st.integers(0, 12), st.integers(0, 5), st.integers(0, 2), st.integers(0, 14), small)
    lists = st.lists(st.lists(each, max_size=12), min_size=1, max_size=6)
    return lists.map(lambda drawn: [Happening(customer, *one) for customer, ones in enumerate(drawn) for one in ones])


def match(letter: str) -> dict[str, Any]:
    """What matches every type that has this letter."""
    return {"type": f"*{letter}*"}


def minutes(number: int | None, key: str) -> dict[str, str]:
    """A duration of the language, or nothing."""
    return {} if number is None else {key: f"{number} minutes"}


@contextmanager
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database that knows the definitions."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(_query("oracle_tables"))
        yield connection


def agree(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> None:
    """Both say the same of every commitment; late arrivals and grace are drawn apart, for what fixes a due time is told elsewhere."""
    if case.terms.get("grace"):
        history = [each._replace(delay=0) for each in history]
    assert judged(case, history, as_of) == asked(database, case, history, as_of)


def judged(case: Case, history: list[Happening], as_of: int) -> dict[int, Came]:
    """What `makegood` says of each commitment, by the place of its trigger in the history."""
    spec = {"statement": "A claim.", case.query: case.pattern} | case.around | minutes(case.terms.get("grace"), "grace")
    compiled = _compiled(json.dumps(spec))
    tested = Backtest(Catalogue([compiled]), lambda origin: UUID(int=int(origin.id)))
    known = [(str(number), each) for number, each in enumerate(history) if each.time + each.delay <= as_of]
    times, arrivals = [_at(each.time) for _, each in known], [_at(each.time + each.delay) for _, each in known]
    events = [_event(number, each) for number, each in known]
    tested.take(arrived([each.customer for _, each in known], events, times, arrivals))
    assert not tested.unreadable
    verdicts = list(tested.verdicts(compiled, _at(as_of)))
    found = {each.trigger.event.int: _came(each, case) for each in verdicts}
    assert len(found) == len(verdicts)
    (report,) = tested.reports(_at(as_of))
    assert report.segments.get(None, Tally()).said == Counter(outcome_of(each.judgement) for each in verdicts)
    line = report.as_json()
    assert line["late"] + line["never"] == (line["broken"] if case.timed else 0)
    return found


def asked(database: duckdb.DuckDBPyConnection, case: Case, history: list[Happening], as_of: int) -> dict[int, Came]:
    """What SQL says of each commitment."""
    terms = TERMS | {"as_of": as_of, "pausing": "pause" in case.around} | case.terms
    database.execute("DELETE FROM happened; DELETE FROM terms; DELETE FROM steps")
    database.execute(f"INSERT INTO terms VALUES ({', '.join('?' * len(terms))})", list(terms.values()))
    rows = [(number, *each[:3], each.time + each.delay, *each[4:]) for number, each in enumerate(history)]
    if rows:
        database.executemany("INSERT INTO happened VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    for number, (within, from_previous) in enumerate(case.steps, 1):
        database.execute("INSERT INTO steps VALUES (?, ?, ?)", [number, within, from_previous])
    database.execute(_query("oracle"))
    database.execute(f"CREATE OR REPLACE TABLE said AS {_query('oracle_' + case.query)}")
    return {id_: (said, due) for id_, said, due in database.execute(_query("oracle_alive")).fetchall()}


@cache
def _compiled(spec: str) -> Compiled:
    document = {"apiVersion": "makegood/v1", "kind": "Promise", "metadata": {"name": "p", "owner": "test"}, "spec": json.loads(spec)}
    (read,) = language.read(json.dumps(document), "p.json")
    assert isinstance(read.declares, Promise)
    return Compiled(read.declares)


@cache
def _query(name: str) -> str:
    return (HERE / f"{name}.sql").read_text()


def _event(number: str, each: Happening) -> dict[str, Any]:
    data = {"priority": each.priority, "value": each.value, "due": _at(each.due).isoformat()}
    return {"id": number, "source": "test", "type": each.type, "data": data}


def _came(verdict: Verdict, case: Case) -> Came:
    judgement = verdict.judgement
    if judgement.standing or not judgement.state.decided:
        return ("standing" if judgement.standing else "open"), None
    if judgement.state in (State.KEPT, State.WITHDRAWN):
        return str(judgement.state), None
    assert judgement.due is not None
    said = str(judgement.state)
    if judgement.state is State.BROKEN and case.timed:
        # what is owed and comes after a failure is told of responses alone: of others it is the whole of what was owed
        failed = judgement.reason == "failure-seen" and case.query != "response"
        said = "failed" if failed else "late" if judgement.late else "never"
    return said, round((judgement.due - START) / timedelta(minutes=1))


def _at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)
