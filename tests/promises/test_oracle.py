"""Random histories, judged by `makegood` and by SQL written from PROMISES.md; the two share no code."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.promises import language
from services.promises.backtest import Backtest
from services.promises.compile import Catalogue, Compiled
from services.promises.declarations import Promise

START = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = {"t": ["T", "TE", "TN"], "e": ["E", "TE"], "f": ["F", "FC"], "c": ["C", "FC"], "n": ["N", "TN"], "u": ["U"]}

events = st.lists(
    st.tuples(
        st.sampled_from(["T", "E", "F", "C", "N", "U", "TE", "TN", "FC"]),
        st.sampled_from(["anna", "ben"]),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    max_size=12,
)

TRIGGERS = """
WITH e AS (SELECT * FROM history WHERE arrival <= $as_of),
all_t AS (SELECT *, row_number() OVER (PARTITION BY customer ORDER BY time, id) AS place FROM e WHERE list_contains($t, type)),
t AS (SELECT * FROM all_t WHERE NOT $first OR place = 1),
"""
RESPONSE = f"""{TRIGGERS}
x AS (SELECT t.*, t.time + $within AS promised,
    (SELECT min(e.time) FROM e WHERE e.customer = t.customer AND e.id <> t.id AND e.time >= t.time AND list_contains($f, e.type)) AS f,
    (SELECT min(e.time) FROM e WHERE e.customer = t.customer AND e.id <> t.id AND e.time >= t.time AND list_contains($c, e.type)) AS c,
    (SELECT e.time FROM e WHERE e.customer = t.customer AND e.id <> t.id AND e.time >= t.time AND list_contains($e, e.type)
     ORDER BY e.time, e.id LIMIT 1 OFFSET $count - 1) AS k
FROM t),
y AS (SELECT *, coalesce(least(promised, f), promised, f) AS due FROM x)
SELECT CASE
    WHEN k <= coalesce(due, k) AND NOT ($strictly AND k = coalesce(promised, k + 1)) AND k <= coalesce(c, k) THEN 'kept'
    WHEN c <= coalesce(due, c) THEN 'withdrawn'
    WHEN due <= $as_of AND k IS NOT NULL THEN 'late'
    WHEN due <= $as_of THEN 'never'
    ELSE 'open' END AS said, count(*)
FROM y GROUP BY said
"""
ABSENCE = f"""{TRIGGERS}
x AS (SELECT t.*, t.time + $within AS promised,
    (SELECT min(e.time) FROM e WHERE e.customer = t.customer AND e.id <> t.id AND e.time >= t.time AND list_contains($u, e.type)) AS u,
    (SELECT min(e.time) FROM e WHERE e.customer = t.customer AND e.id <> t.id AND e.time >= t.time AND list_contains($c, e.type)) AS c,
    (SELECT min(e.time) FROM e WHERE e.customer = t.customer AND e.id <> t.id AND e.time >= t.time AND list_contains($n, e.type)) AS n
FROM t),
y AS (SELECT *, CASE WHEN $until THEN coalesce(least(promised, u), promised, u) ELSE promised END AS ending FROM x)
SELECT CASE
    WHEN n <= coalesce(ending, n) AND n <= coalesce(c, n) THEN 'broken'
    WHEN c <= coalesce(ending, c) THEN 'withdrawn'
    WHEN ending <= $as_of THEN 'kept'
    WHEN promised IS NULL AND NOT $until THEN 'standing'
    ELSE 'open' END AS said, count(*)
FROM y GROUP BY said
"""


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE history (id INTEGER, type VARCHAR, customer VARCHAR, time INTEGER, arrival INTEGER)")
        yield connection


@settings(max_examples=150, deadline=None)
@given(
    history=events,
    within=st.none() | st.integers(0, 8),
    count=st.integers(1, 2),
    strictly=st.booleans(),
    first=st.booleans(),
    as_of=st.integers(0, 18),
)
def test_responses_come_to_what_sql_says(
    database: duckdb.DuckDBPyConnection,
    history: list[tuple[str, str, int, int]],
    within: int | None,
    count: int,
    strictly: bool,  # noqa: FBT001 - drawn by Hypothesis
    first: bool,  # noqa: FBT001 - drawn by Hypothesis
    as_of: int,
) -> None:
    strictly = strictly and within is not None
    spec: dict[str, Any] = {
        "when": _match("t"),
        "expect": _match("e"),
        "open": "first" if first else "each",
        "count": count,
        "strictly": strictly,
    } | ({} if within is None else {"within": f"{within} minutes"})
    ours = _backtest({"response": spec, "broken_by": _match("f"), "cancel": _match("c")}, history, as_of)
    found = _sql(database, RESPONSE, history, as_of, within, first, "tefc", count=count, strictly=strictly)
    assert {name: ours[name] for name in ("kept", "late", "never", "withdrawn", "open")} == {
        name: found[name] for name in ("kept", "late", "never", "withdrawn", "open")
    }


@settings(max_examples=150, deadline=None)
@given(
    history=events,
    within=st.none() | st.integers(0, 8),
    until=st.booleans(),
    first=st.booleans(),
    as_of=st.integers(0, 18),
)
def test_absences_come_to_what_sql_says(
    database: duckdb.DuckDBPyConnection,
    history: list[tuple[str, str, int, int]],
    within: int | None,
    until: bool,  # noqa: FBT001 - drawn by Hypothesis
    first: bool,  # noqa: FBT001 - drawn by Hypothesis
    as_of: int,
) -> None:
    spec: dict[str, Any] = {"when": _match("t"), "never": _match("n"), "open": "first" if first else "each"}
    spec |= {} if within is None else {"within": f"{within} minutes"}
    spec |= {"until": _match("u")} if until else {}
    ours = _backtest({"absence": spec, "cancel": _match("c")}, history, as_of)
    found = _sql(database, ABSENCE, history, as_of, within, first, "tunc", until=until)
    assert (ours["kept"], ours["standing"]) == (found["kept"] + found["standing"], found["standing"])
    assert {name: ours[name] for name in ("broken", "withdrawn", "open")} == {name: found[name] for name in ("broken", "withdrawn", "open")}


def _match(role: str) -> dict[str, Any]:
    return {"type": ROLES[role]}


def _backtest(spec: dict[str, Any], history: list[tuple[str, str, int, int]], as_of: int) -> dict[str, Any]:
    text = json.dumps(
        {
            "apiVersion": "makegood/v1",
            "kind": "Promise",
            "metadata": {"name": "p", "owner": "test"},
            "spec": {"statement": "A claim.", **spec},
        }
    )
    (document,) = language.read(text, "p.json")
    assert isinstance(document.declares, Promise)
    tested = Backtest(Catalogue([Compiled(document.declares)]))
    for number, (type_, customer, time, delay) in enumerate(history):
        if time + delay <= as_of:
            tested.add(customer, {"type": type_}, _at(time), _at(time + delay), UUID(int=number))
    return tested.report(tested.catalogue.versions[0], _at(as_of)).as_json()


def _sql(
    database: duckdb.DuckDBPyConnection,
    query: str,
    history: list[tuple[str, str, int, int]],
    as_of: int,
    within: int | None,
    first: bool,  # noqa: FBT001
    roles: str,
    **more: Any,
) -> Counter[str]:
    database.execute("DELETE FROM history")
    if history:
        rows = [(number, type_, customer, time, time + delay) for number, (type_, customer, time, delay) in enumerate(history)]
        database.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?)", rows)
    parameters = {"as_of": as_of, "within": within, "first": first, **{role: ROLES[role] for role in roles}, **more}
    return Counter(dict(database.execute(query, parameters).fetchall()))


def _at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)
