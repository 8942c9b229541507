"""Whatever order links, merges, unmerges and events arrive in, by whatever lane, through whatever crash: it ends the same."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.identity.persons import Word, last_words, persons
from tests.driving import CRASH_POINTS, NOON, clear, rows, touchpoint
from tests.journey.conftest import ORDER, TABLES, Raw, declare
from tests.journey.identities import after, evidence, say, trust

PERSONS = ("crm:1", "crm:2", "card:1", "tel:1")
ORDERS = {"crm:1": "o1", "card:1": "o2"}
"""What is somebody's, and nobody else's."""
Log = list[bytes]
Outcome = dict[str, tuple[frozenset[str], frozenset[str]]]


def statement(number: int, kind: str, subject: str, others: Sequence[str], minute: int) -> bytes:
    return say(f"s{number}", kind, subject, *[each for each in others if each != subject], time=after(minute))


def event(number: int, subject: str, how: str, minute: int) -> bytes:
    order = ORDERS.get(subject)
    alone = how == "thing" and order is not None
    data = {"order": order} if how != "plain" else {}
    return touchpoint(f"e{number}", "order.seen", subject=None if alone else subject, time=after(minute).isoformat(), data=data)


statements = some.builds(
    statement, some.integers(0, 999), some.sampled_from(["linked", "merged", "unmerged", "unmerged"]), some.sampled_from(PERSONS),
    some.sets(some.sampled_from(PERSONS), min_size=2, max_size=3).map(sorted), some.integers(0, 5),
)  # fmt: skip
events = some.builds(
    event, some.integers(0, 999), some.sampled_from(PERSONS), some.sampled_from(["plain", "plain", "both", "thing"]), some.integers(0, 5)
)
logs = some.lists(
    some.one_of(statements, events), min_size=2, max_size=12, unique_by=lambda value: value.split(b'"id":"')[1].split(b'"')[0]
)
happenings = some.one_of(
    some.tuples(some.just("deliver"), some.integers(1, 4), some.integers(0, 3)),
    some.tuples(some.just("crash"), some.sampled_from(CRASH_POINTS), some.integers(1, 4)),
    some.tuples(some.just("fail_sending"), some.integers(0, 3), some.integers(1, 4)),
    some.tuples(some.just("meet_zombie"), some.integers(0, 3), some.integers(1, 4)),
    some.just(("start",)),
)


async def outcome(engine: AsyncEngine) -> Outcome:
    """For each identifier: the identifiers of the person it leads to, and all that the customer has it leads to."""
    leads: dict[str, str] = dict(await rows(engine, "identifiers", "identifier, customer::text"))
    person = {key: (whose or key) for key, whose in await rows(engine, "customers", "key::text, person::text")}
    has = await evidence(engine)
    return {
        text: (frozenset(each for each in leads if person[leads[each]] == person[customer]), frozenset(has.get(customer, ())))
        for text, customer in leads.items()
    }


async def in_order(make: Callable[..., Raw], engine: AsyncEngine, log: Log) -> Outcome:
    """As one lane has it that takes one record after the other."""
    await clear(engine, *TABLES)
    lane = await make().start()
    for value in log:
        lane.add(value)
    while lane.lane.progress.position < len(log):
        await lane.deliver(1)
    return await outcome(engine)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=some.data())
async def test_any_order_of_links_merges_unmerges_and_events_ends_in_the_same_attribution(
    data: some.DataObject, raw: Callable[..., Raw], engine: AsyncEngine
) -> None:
    """Breaks if a word counts by when it was read, if an event falls between two lanes, or if evidence stays behind."""
    await declare(engine, "order.seen", ORDER)
    await trust(engine)
    log = data.draw(logs)
    expected = await in_order(raw, engine, log)
    await clear(engine, *TABLES)
    lanes = [await raw(partition).start() for partition in range(2)]
    for value in data.draw(some.permutations(log)):
        lanes[data.draw(some.integers(0, 1))].add(value, arrival=NOON + timedelta(seconds=len(lanes[0].log)))
    for name, *arguments in data.draw(some.lists(happenings, max_size=10)):
        await getattr(lanes[data.draw(some.integers(0, 1))], name)(*arguments)
    for lane in lanes:
        await lane.deliver()
    assert await outcome(engine) == expected


keys = some.sampled_from([after(0).replace(microsecond=number) for number in range(4)])
events_of_words = some.sampled_from([UUID(int=number) for number in range(3)])
words = some.lists(
    some.builds(Word, some.sampled_from(range(5)), some.sampled_from(range(5)), some.booleans(), keys, events_of_words), max_size=12,
    unique_by=lambda word: (word.time, word.event, frozenset(word[:2])),
)  # fmt: skip


@settings(max_examples=300)
@given(data=some.data(), said=words)
def test_who_is_one_person_is_a_function_of_what_was_said(data: some.DataObject, said: list[Any]) -> None:
    """Breaks if a group hangs on the order of words, if one person holds two who are said to be apart, or a word is lost."""
    found, again = persons(said), persons(data.draw(some.permutations(said)))
    assert (found.members, found.apart, found.contradicted) == (again.members, again.apart, again.contradicted)
    for one, other in found.apart:
        assert not found.same(one, other)
    for word in last_words(said).values():
        assert word.same == (found.same(word.one, word.other) or word in found.contradicted)
