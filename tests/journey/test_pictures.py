"""What is kept of all customers: the sum of what is so of each, whatever happened to the process that keeps it."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as shape
from hypothesis import strategies as some
from ruamel.yaml import YAML
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.domain import customer_key
from services.journey.picture.whole import picture
from services.journey.projections import pictures as pictures_module
from services.journey.projections import projector as projector_module
from services.journey.projections.kept import PROJECTIONS, waiting
from services.journey.projections.pictures import Pictures, declared_by
from services.journey.projections.projector import Projector
from services.journey.settings import JourneySettings
from services.journey.store import picture as store
from services.journey.store import principles, projections
from services.journey.timeline.projection import FactHandler
from tests.driving import NOON, Crash, Raw, clear, record, rows, touchpoint
from tests.journey.conftest import ORDER, TABLES, declare
from tests.journey.identities import say as state
from tests.journey.identities import trust
from tests.journey.picture.test_stages import MAP

OURS = ("projections", "pictures", "picture_dirty", "picture_items", "tallies")
PROMISES = "makegood.promises"


async def publish(engine: AsyncEngine, documents: str = MAP) -> None:
    for each in YAML(typ="safe").load_all(documents):
        await store.publish(engine, each["kind"], each["metadata"]["name"], orjson.dumps(each), "ana", NOON)


async def kept(engine: AsyncEngine) -> dict[str, Any]:
    """All that is kept, with its numbers and instants."""
    found: dict[str, Any] = {each: await rows(engine, each) for each in OURS[1:]}
    found["pictures"] = [(key, again, orjson.loads(tally)) for key, again, tally in found["pictures"]]
    return found


async def summed(engine: AsyncEngine) -> dict[str, int]:
    """What the totals have to be: each person's part, folded by itself."""
    total: Counter[str] = Counter()
    async with engine.connect() as connection:
        keys = [row[0] for row in await connection.execute(text("SELECT key FROM customers"))]
        persons = set((await store.persons(connection, keys)).values())
        declared = declared_by(await store.published(connection), await principles.promises_known(connection))
        now = await projections.present(connection)
        for history in (await store.histories(connection, persons)).values():
            total.update(picture(declared, history, now).tally)
    return {name: number for name, number in total.items() if number}


async def totals(engine: AsyncEngine) -> dict[str, int]:
    return dict(await rows(engine, "tallies"))


Say = Callable[..., bytes]


def fact(seq: int, subject: str, judgement: str, trigger: str, number: int = 1) -> dict[str, Any]:
    """A fact of promises as it is read."""
    customer = customer_key(subject)
    data = {
        "commitment": str(UUID(int=number)), "promise": "on-time", "version": 1, "audience": "customer",
        "verdict": seq, "judgement": judgement,
        "trigger": {"event": str(UUID(int=int(trigger))), "time": NOON.isoformat()},
    }  # fmt: skip
    body = {
        "type": f"makegood.commitment.{judgement}",
        "id": f"{UUID(int=number)}:{seq}:{judgement}",
        "time": NOON.isoformat(),
        "customer": str(customer),
    }
    return body | {"data": data}


def facts_lane(engine: AsyncEngine, settings: JourneySettings) -> Raw:
    return Raw(engine, settings, lambda: FactHandler(PROMISES), 0)


def say(lane: Raw, body: dict[str, Any]) -> None:
    seq = len(lane.log)
    headers = [("lane", f"promises/0/1/{seq + 1}".encode())]
    lane.log.append(record(PROMISES, 0, seq, orjson.dumps(body), key=body["customer"].encode(), headers=headers))


async def test_nothing_is_kept_where_no_document_asks_for_it(engine: AsyncEngine, raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    lane.add(touchpoint("a", "web.seen", subject="crm:1"))
    await lane.deliver()
    assert not await Projector(engine, [Pictures()]).step()
    assert {each: await rows(engine, each) for each in OURS[1:]} == {each: [] for each in OURS[1:]}


async def test_a_late_event_a_correction_and_a_joined_customer_change_the_totals_as_if_they_had_been_there_from_the_start(
    engine: AsyncEngine, raw: Callable[..., Raw], settings: JourneySettings
) -> None:
    await declare(engine, "order.placed", ORDER)
    await publish(engine)
    worker, lane, facts = Projector(engine, [Pictures()]), await raw().start(), await facts_lane(engine, settings).start()
    lane.add(touchpoint("a", "web.seen", subject="order:o1", data={}), arrival=NOON)
    lane.add(touchpoint("b", "order.placed", subject="crm:2", data={"order": "o2"}), arrival=NOON)
    await lane.deliver()
    say(facts, fact(1, "crm:2", "broken", "5"))
    await facts.deliver()
    await worker.catch_up()
    assert (await totals(engine))["map:shop:all:customers:travelled"] == 2
    lane.add(touchpoint("c", "order.placed", subject="crm:1", data={"order": "o1"}), arrival=NOON + timedelta(days=1))
    lane.add(touchpoint("d", "web.seen", subject="crm:2", time=(NOON - timedelta(days=3)).isoformat()), arrival=NOON + timedelta(days=1))
    await lane.deliver()
    say(facts, fact(2, "crm:2", "kept", "5"))
    await facts.deliver()
    await worker.catch_up()
    found = await totals(engine)
    assert found == await summed(engine)
    assert found["map:shop:all:customers:travelled"] == 2, "the order turned out to be crm:1's"
    assert found["map:shop:stage:moved:promised"] == 2
    assert found["map:shop:stage:kept:buying"] == 1
    assert "map:shop:stage:broken:buying" not in found


async def test_who_is_one_person_counts_once_and_who_is_not_after_all_counts_apart_again(
    engine: AsyncEngine, raw: Callable[..., Raw]
) -> None:
    await trust(engine)
    await publish(engine)
    worker, lane = Projector(engine, [Pictures()]), await raw().start()
    numbers = []
    for number, each in enumerate([
        touchpoint("a", "web.seen", subject="crm:1"), touchpoint("b", "order.placed", subject="crm:2"),
        state("s1", "linked", "crm:1", "crm:2", time=NOON), state("s2", "unmerged", "crm:1", "crm:2", time=NOON + timedelta(minutes=2)),
    ]):  # fmt: skip
        lane.add(each, arrival=NOON + timedelta(minutes=number))
        await lane.deliver()
        await worker.catch_up()
        found = await totals(engine)
        assert found == await summed(engine)
        numbers.append(found["map:shop:all:customers:travelled"])
    assert numbers == [1, 2, 1, 2]


async def test_who_falls_silent_falls_out_as_time_goes_on_though_nothing_is_heard_of_them(
    engine: AsyncEngine, raw: Callable[..., Raw]
) -> None:
    await publish(engine)
    worker, lane = Projector(engine, [Pictures()]), await raw().start()
    lane.add(touchpoint("a", "web.seen", subject="crm:1"), arrival=NOON)
    await lane.deliver()
    await worker.catch_up()
    assert (await totals(engine))["map:shop:stage:standing:promised"] == 1
    lane.add(touchpoint("b", "weather", subject="crm:2", time=(NOON + timedelta(days=31)).isoformat()), arrival=NOON + timedelta(days=31))
    await lane.deliver()
    await worker.catch_up()
    found = await totals(engine)
    assert found["map:shop:stage:fell_out:promised"] == 1
    assert "map:shop:stage:standing:promised" not in found
    assert found == await summed(engine)


async def test_a_new_version_of_a_map_sees_everybody_anew(engine: AsyncEngine, raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    lane.add(touchpoint("a", "weather", subject="crm:1"))
    await lane.deliver()
    await publish(engine)
    await Projector(engine, [Pictures()]).catch_up()
    assert (await totals(engine))["map:shop:unmapped:touchpoints:weather"] == 1
    await publish(engine, MAP.replace('type: "web.*"', 'type: ["web.*", weather]'))
    await Projector(engine, [Pictures()]).catch_up()
    found = await totals(engine)
    assert found == await summed(engine)
    assert found["map:shop:stage:standing:promised"] == 1
    assert "map:shop:unmapped:touchpoints:weather" not in found


async def test_a_document_that_is_retired_is_as_if_it_had_never_been_until_it_is_published_again(
    engine: AsyncEngine, raw: Callable[..., Raw]
) -> None:
    """Breaks if a total of it stayed, or if publishing the same again were taken for what is in force already."""
    lane = await raw().start()
    lane.add(touchpoint("a", "web.seen", subject="crm:1"))
    await lane.deliver()
    await publish(engine)
    await Projector(engine, [Pictures()]).catch_up()
    before = await totals(engine)
    assert before["map:shop:stage:standing:promised"] == 1
    for _ in range(2):
        assert await store.retire(engine, "JourneyMap", "shop", "ana", NOON)
    await Projector(engine, [Pictures()]).catch_up()
    assert not [name for name in await totals(engine) if name.startswith("map:")]
    await publish(engine)
    await Projector(engine, [Pictures()]).catch_up()
    assert await totals(engine) == before
    async with engine.connect() as connection:
        versions = {each.name: each.version for each in await store.published(connection)}
    assert versions["shop"] == 3, "published, retired once, published again"
    assert not await store.retire(engine, "JourneyMap", "never", "ana", NOON)


async def test_what_is_kept_so_far_counts_as_kept_once_it_is_known_that_nothing_else_keeps_it(
    engine: AsyncEngine, raw: Callable[..., Raw], settings: JourneySettings
) -> None:
    """Breaks if a map showed none kept of a promise that is broken once in a thousand, or if it were told of too late to count."""
    await publish(engine)
    lane = await raw().start()
    lane.add(touchpoint("a", "web.seen", subject="crm:1"))
    await lane.deliver()
    facts = await facts_lane(engine, settings).start()
    say(facts, fact(1, "crm:1", "on_track", "1"))
    say(facts, fact(2, "crm:1", "broken", "1", number=2))
    await facts.deliver()
    await Projector(engine, [Pictures()]).catch_up()
    before, names = await totals(engine), ("open", "broken", "kept", "so_far")
    assert [before.get(f"map:shop:stage:{each}:promised") for each in names] == [1, 1, None, None]
    limit = {"spec": {"limit": {"event": {"type": "x"}, "at_most": 2}}, "metadata": {}}
    await principles.learn(engine, "on-time", 1, orjson.dumps(limit))
    await Projector(engine, [Pictures()]).catch_up()
    found = await totals(engine)
    assert [found.get(f"map:shop:stage:{each}:promised") for each in names] == [None, 1, 1, 1]
    assert found == await summed(engine)


async def test_one_customer_on_whom_the_fold_fails_is_counted_and_stops_nobody(
    engine: AsyncEngine, raw: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(engine)
    lane = await raw().start()
    lane.add(touchpoint("a", "web.seen", subject="crm:1"))
    lane.add(touchpoint("b", "web.seen", subject="crm:2"))
    await lane.deliver()
    whole = picture

    def failing(declared: Any, history: Any, now: Any) -> Any:
        if history.touchpoints[0].body["id"] == "a":
            raise ZeroDivisionError
        return whole(declared, history, now)

    monkeypatch.setattr(pictures_module, "picture", failing)
    await Projector(engine, [Pictures()]).catch_up()
    found = await totals(engine)
    assert (found["failed:customers"], found["map:shop:all:customers:travelled"]) == (1, 1)
    assert "no picture could be made" in caplog.text


async def test_whoever_is_erased_stays_counted_and_is_in_no_list(engine: AsyncEngine, raw: Callable[..., Raw]) -> None:
    """Breaks if an erased customer were folded from what is left of them."""
    await publish(engine)
    worker, lane = Projector(engine, [Pictures()]), await raw().start()
    lane.add(touchpoint("a", "web.seen", subject="crm:1"), arrival=NOON)
    await lane.deliver()
    await worker.catch_up()
    before, whose = await totals(engine), customer_key("crm:1")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE journal SET body = NULL"))
        asked = "INSERT INTO erasures (customer, person, reason, by, at, asked_at) VALUES (:key, :key, 'asked', 'ana', now(), now())"
        await connection.execute(text(asked), {"key": whose})
        await connection.execute(text("INSERT INTO picture_dirty (customer) VALUES (:key)"), {"key": whose})
    late = NOON + timedelta(days=60)
    lane.add(touchpoint("t", "web.seen", subject="crm:2", time=late.isoformat()), arrival=late)
    await lane.deliver()
    await worker.catch_up()
    assert (await totals(engine))["map:shop:stage:standing:promised"] == 2 * before["map:shop:stage:standing:promised"]
    assert await rows(engine, "picture_dirty") == []


EVENTS = some.builds(
    lambda id_, type_, subject, order, ago: touchpoint(
        f"e{id_}", type_, subject=subject, time=(NOON - timedelta(days=ago)).isoformat(), data={"order": order}
    ),
    some.integers(0, 30), some.sampled_from(["web.seen", "order.placed", "order.delivered", "weather", "bye"]),
    some.sampled_from(["crm:1", "crm:2", "order:o1", "order:o2"]), some.sampled_from([None, None, "o1", "o2"]),
    some.sampled_from([0, 0, 1, 5, 29]),
)  # fmt: skip
LINKS = some.builds(
    lambda number, kind, one, other, ago: state(f"s{number}", kind, one, other, time=NOON - timedelta(days=ago)),
    some.integers(0, 9), some.sampled_from(["linked", "unmerged"]), some.sampled_from(["crm:1", "crm:2"]),
    some.sampled_from(["crm:3", "crm:2"]), some.sampled_from([0, 1, 2]),
)  # fmt: skip
FACTS = some.tuples(some.sampled_from(["crm:1", "crm:2"]), some.sampled_from(["kept", "broken"]), some.integers(1, 2))


@shape(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    log=some.lists(some.one_of(EVENTS, EVENTS, EVENTS, FACTS, LINKS), min_size=1, max_size=14),
    steps=some.lists(some.sampled_from(["deliver", "deliver", "step", "crash", "publish"]), max_size=12),
)
async def test_whatever_happens_between_what_is_kept_is_what_one_clean_pass_keeps(
    engine: AsyncEngine, raw: Callable[..., Raw], settings: JourneySettings, log: list[Any], steps: list[str]
) -> None:
    await clear(engine, *TABLES, *OURS, "picture_documents", "statements")
    await declare(engine, "order.placed", ORDER)
    await trust(engine)
    lane, facts = await raw().start(), await facts_lane(engine, settings).start()
    for number, each in enumerate(log):
        if isinstance(each, bytes):
            lane.add(each, arrival=NOON + timedelta(days=number / 4))
        else:
            say(facts, fact(number, each[0], each[1], "1", each[2]))
    for each in steps:
        worker = Projector(engine, [Pictures()])
        if each == "deliver":
            await lane.deliver(3)
            await facts.deliver(2)
        elif each == "publish":
            await publish(engine)
        elif each == "step":
            await worker.step()
        else:
            with pytest.MonkeyPatch.context() as patch, suppress(Crash):
                patch.setattr(projector_module, "crash_point", crash)
                await worker.step()
    await publish(engine)
    await lane.deliver()
    await facts.deliver()
    await Projector(engine, [Pictures()]).catch_up()
    found = await kept(engine)
    assert dict(found["tallies"]) == await summed(engine)
    await clear(engine, *OURS)
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO picture_dirty (customer) SELECT key FROM customers"))
    await Projector(engine, [Pictures()]).catch_up()
    assert await kept(engine) == found


def crash(name: str) -> None:
    """Die here."""
    raise Crash(name)


async def test_what_is_still_to_be_made_is_told_until_nothing_is(raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    """Breaks if waiting for a system to come to rest returned before its totals did."""
    await publish(engine)
    projector = Projector(engine, PROJECTIONS)
    await projector.catch_up()
    lane = await raw().start()
    for number in range(3):
        lane.add(touchpoint(f"e{number}", subject=f"crm:{number}"))
    await lane.deliver()
    assert (await waiting(engine))["pictures"] == 3
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO picture_dirty (customer) SELECT key FROM customers LIMIT 2"))
    assert (await waiting(engine))["pictures out of date"] == 2
    await projector.catch_up()
    assert not any((await waiting(engine)).values())


async def test_markers_that_pass_by_are_nothing_to_be_waited_for(engine: AsyncEngine) -> None:
    """Breaks if a system at rest, in which time goes on, never were."""
    await publish(engine)
    projector = Projector(engine, PROJECTIONS)
    await projector.catch_up()
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO progress (topic, partition, position) VALUES ('{PROMISES}', 0, 500)"))
    assert not any((await waiting(engine)).values())
