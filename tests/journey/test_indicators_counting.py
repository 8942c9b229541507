"""Whatever order and whatever chunks facts, prices and contacts come in, the counts are those of the latest word on each."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import duckdb
import orjson
from hypothesis import given, settings
from hypothesis import strategies as some

from services.journey.indicators.counting import Delta, Price, Said, price_key, said_of, take_commitments
from services.journey.indicators.encounters import (
    BEGUN,
    CONTACTS,
    Contact,
    Place,
    contact_of,
    of_pulse,
    price_of,
    take_contacts,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPACE = UUID(int=7)
SHEET = duckdb.connect()
WORDS = ("opened", "at_risk", "held", "kept", "broken", "excused", "withdrawn", "corrected", "rejudged")


class Word(NamedTuple):
    """A fact, as its hypothesis draws it."""

    commitment: int
    verdict: int
    kind: str
    judgement: str
    minute: int
    due: int | None
    segment: str | None


def fact(word: Word) -> bytes:
    """The fact as promises sends it: the trigger is an hour of the commitment's own."""
    trigger = NOON + timedelta(hours=word.commitment)
    data: dict[str, Any] = {
        "commitment": str(uuid5(SPACE, str(word.commitment))), "promise": f"p{word.commitment % 2}", "version": 1, "audience": "customer",
        "owner": None, "correlation": word.commitment % 3, "trigger": {"event": str(SPACE), "type": "t", "time": trigger.isoformat()},
        "due": None if word.due is None else (NOON + timedelta(minutes=word.due)).isoformat(), "judgement": word.judgement,
        "verdict": word.verdict, "segment": word.segment,
    }  # fmt: skip
    event = {
        "type": f"makegood.commitment.{word.kind}",
        "time": (NOON + timedelta(minutes=word.minute)).isoformat(),
        "customer": str(SPACE),
    }
    return orjson.dumps(event | {"data": data})


@some.composite
def words(draw: some.DrawFn) -> list[Word]:
    """What is said of some commitments: verdicts count up, warnings stand behind the verdict of their number."""
    found = []
    for commitment in range(draw(some.integers(1, 4))):
        for verdict in range(draw(some.integers(1, 4))):
            kind = "opened" if verdict == 0 else draw(some.sampled_from(["kept", "broken", "excused", "withdrawn", "corrected"]))
            open_again = kind in {"opened", "corrected"} and (kind == "opened" or draw(some.booleans()))
            judgement = "on_track" if open_again else "kept" if kind == "corrected" else kind
            due, segment = draw(some.none() | some.integers(0, 200)), draw(some.sampled_from([None, "a", "b"]))
            found.append(Word(commitment, verdict, kind, judgement, verdict * 10, due, segment))
            if draw(some.booleans()):
                found.append(Word(commitment, verdict, "at_risk", "at_risk", verdict * 10 + 5, due, segment))
            if draw(some.booleans()):
                found.append(Word(commitment, verdict + 1, "rejudged", "broken", 99, due, segment))
    return found


def chunked(draw: some.DrawFn, units: Iterable[Any]) -> list[list[Any]]:
    """The units in any order, in chunks of any size, some of them twice."""
    every = list(units)
    shuffled = draw(some.permutations(every + draw(some.lists(some.sampled_from(every), max_size=3)))) if every else []
    chunks: list[list[Any]] = [[]]
    for each in shuffled:
        if draw(some.booleans()):
            chunks.append([])
        chunks[-1].append(each)
    return chunks


def counted(chunks: Iterable[list[Word | Price]]) -> dict[tuple[str, int, str], int]:
    """The counts after all chunks, of which each is given what a database would hold for it."""
    stored: dict[UUID, Said] = {}
    prices: dict[UUID, Price] = {}
    counts = Counter[Any]()
    for chunk in chunks:
        heard = [said for each in chunk if isinstance(each, Word) and (said := said_of(fact(each))) is not None]
        priced = [each for each in chunk if isinstance(each, Price)]
        ids, keys = {each.commitment for each in heard}, {each.key for each in priced}
        near = {id_: each for id_, each in stored.items() if id_ in ids or each.priced in keys}
        keys |= {each.priced for each in [*heard, *near.values()]}
        taken = take_commitments(near, {key: each for key, each in prices.items() if key in keys}, heard, priced)
        stored |= taken.said
        prices |= taken.prices
        for key, number in taken.delta.items():
            counts[key] += number
    totals = Counter[tuple[str, int, str]]()
    for key, number in counts.items():
        totals[orjson.loads(key.group)["segment"] or "", key.quarter, key.what] += number
    return {key: number for key, number in totals.items() if number}


ORACLE = """
WITH ranked AS (SELECT *, row_number() OVER (PARTITION BY c ORDER BY verdict DESC, kind IN ('at_risk', 'held') DESC, minute DESC) AS place
                FROM facts WHERE kind <> 'rejudged'),
     latest AS (SELECT *, 'p' || (c % 2) || '/' || (c % 3) AS about,
                       CASE WHEN judgement IN ('kept', 'broken', 'excused', 'withdrawn') THEN judgement
                            WHEN due IS NULL THEN 'undated' ELSE 'open' END AS state,
                       (epoch(TIMESTAMP '2026-03-01 12:00:00') + coalesce(due * 60, c * 3600))::BIGINT // 900 AS quarter
                FROM ranked WHERE place = 1),
     paid AS (SELECT about, arg_max(cost, minute) AS cost FROM prices GROUP BY about),
     said AS (SELECT segment, quarter, state AS what FROM latest UNION ALL
              SELECT segment, quarter, CASE WHEN cost > 0 THEN 'dear_' ELSE 'cheap_' END || state FROM latest JOIN paid USING (about)
              WHERE state IN ('kept', 'broken'))
SELECT coalesce(segment, ''), quarter, what, count(*) FROM said GROUP BY ALL
"""


@settings(max_examples=100, deadline=None)
@given(some.data())
def test_any_order_and_any_chunks_come_to_what_sql_counts_over_all_facts(data: some.DataObject) -> None:
    """Breaks if a correction counted twice, or a price that comes late, or before its promise, were lost."""
    found = data.draw(words())
    places = some.tuples(some.integers(0, 1), some.integers(0, 2))
    costs = data.draw(some.lists(some.tuples(places, some.integers(0, 9), some.sampled_from([0.0, 3.5])), max_size=5,
                                 unique_by=lambda each: each[1]))  # fmt: skip
    prices = [Price(price_key(SPACE, f"p{p}", n), NOON + timedelta(minutes=at), UUID(int=at), cost) for (p, n), at, cost in costs]
    sheet = SHEET.cursor()
    sheet.execute("CREATE OR REPLACE TABLE facts (c INT, verdict INT, kind TEXT, judgement TEXT, minute INT, due INT, segment TEXT)")
    sheet.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)", list(found))
    sheet.execute("CREATE OR REPLACE TABLE prices (about TEXT, minute INT, cost DOUBLE)")
    for (p, n), at, cost in costs:
        sheet.execute("INSERT INTO prices VALUES (?, ?, ?)", [f"p{p}/{n}", at, cost])
    expected = {tuple(row[:3]): row[3] for row in sheet.execute(ORACLE).fetchall()}
    assert counted(data.draw(some.composite(chunked)([*found, *prices]))) == expected


class Happening(NamedTuple):
    """Something that happened in a contact."""

    customer: int
    contact: str
    kind: str
    minute: int


HAPPENINGS = some.builds(
    Happening,
    some.integers(1, 3),
    some.sampled_from("xyz"),
    some.sampled_from([each.split(".")[1] for each in CONTACTS]),
    some.integers(0, 40),
)
WHO = [tuple(UUID(int=each) for each in persons) for persons in ((1, 2, 3), (1, 1, 3), (1, 2, 2), (1, 2, 1), (1, 1, 1))]
"""Which of three keys are one person, named by the least of them."""
CONTACTS_ORACLE = """
WITH whole AS (SELECT person, contact, min(minute) FILTER (kind = 'begun') AS begun,
                      min(minute) FILTER (kind = 'greeted') AS greeted,
                      min(minute) FILTER (kind = 'attended') AS attended, min(minute) FILTER (kind = 'ended') AS ended
               FROM happenings GROUP BY person, contact),
     begun AS (SELECT *, begun = min(begun) OVER (PARTITION BY person) AS first,
                      coalesce(attended <= coalesce(ended, attended), false) AS there
               FROM whole WHERE begun IS NOT NULL)
SELECT first, count(*), count(greeted), count(*) FILTER (there), count(*) FILTER (ended IS NOT NULL AND NOT there),
       coalesce(sum(greatest(attended - begun, 0) * 60) FILTER (there), 0)
FROM begun GROUP BY first
"""


@settings(max_examples=100, deadline=None)
@given(some.data())
def test_contacts_come_to_what_sql_counts_over_all_that_happened_in_them(data: some.DataObject) -> None:
    """Breaks if an earlier contact that is told of late, or that another key of the person had, did not become their first one.

    What came under two keys of one person is one contact, and two again once they are not.
    """
    found = data.draw(some.lists(HAPPENINGS, min_size=1, max_size=12))
    begun = {each.minute: each[:2] for each in found if each.kind == "begun"}
    found = [each for each in found if each.kind != "begun" or begun[each.minute] == each[:2]]  # no two begin at once
    persons = {UUID(int=each): UUID(int=each) for each in (1, 2, 3)}
    stored: dict[Place, Contact] = {}
    counts = Delta()
    for chunk in data.draw(some.composite(chunked)(found)):
        heard = [
            contact_of(UUID(int=each.customer), f"contact.{each.kind}", NOON + timedelta(minutes=each.minute), {"contact": each.contact})
            for each in chunk
        ]
        whole = [each for each in heard if each is not None]
        now = dict(zip(persons, data.draw(some.sampled_from(WHO)), strict=True))
        news = {each.customer for each in whole} | {key for key in persons if persons[key] != now[key]}
        concerned = {key for key in now if any(now[key] == now[one] or persons[key] == persons[one] for one in news)}
        persons = now
        near = {place: each for place, each in stored.items() if place[0] in concerned}
        taken = take_contacts(near, whole, {key: persons[key] for key in concerned})
        stored |= taken.contacts
        for key, number in taken.delta.items():
            counts[key] += number
    mine: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for key, number in counts.items():
        mine[orjson.loads(key.group)["first"]][key.what] += number
    sheet = SHEET.cursor()
    sheet.execute("CREATE OR REPLACE TABLE happenings (customer INT, contact TEXT, kind TEXT, minute INT, person INT)")
    sheet.executemany(
        "INSERT INTO happenings VALUES (?, ?, ?, ?, ?)",
        [[*each, persons[UUID(int=each.customer)].int] for each in found] or [[0, "", "", 0, 0]],
    )
    rows = sheet.execute(CONTACTS_ORACLE).fetchall()
    names = ("contacts", "greeted", "attended", "left", "seconds")
    expected = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
    assert {first: {name: each[name] for name in names} for first, each in mine.items() if each["contacts"]} == expected


def test_what_is_not_as_the_contract_has_it_counts_nothing() -> None:
    answer = {"team": "cards", "round": "2026-03", "heard": 4, "helped": 3, "word_kept": 5}
    assert sum(number for _, number in of_pulse(NOON, answer)) == 13
    for wrong in ({"heard": 6}, {"heard": 4.0}, {"heard": True}, {"round": "2026-13"}, {"round": "2026-2"}, {"team": ""}, {"team": 7}):
        assert list(of_pulse(NOON, answer | wrong)) == []
    priced = {"promise": "p", "cost": 2}
    assert price_of(SPACE, SPACE, NOON, priced) is not None
    for odd in ({"cost": -1}, {"cost": True}, {"cost": "2"}, {"cost": float("inf")}, {"promise": None}):
        assert price_of(SPACE, SPACE, NOON, priced | odd) is None
    assert contact_of(SPACE, BEGUN, NOON, {"contact": 7}) is None
