"""Letting go of history: what is old goes, in bounded batches; what is owed, unsent or not counted yet stays; figures follow."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as shape
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.packed import unpack
from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.privacy import history
from services.journey.privacy.history import let_go
from services.journey.projections.pictures import Pictures
from services.journey.projections.projector import Projector
from services.journey.settings import JourneySettings
from tests.driving import NOON, Raw, clear, owner_engine, rows, touchpoint
from tests.journey.conftest import TABLES
from tests.journey.test_pictures import OURS, publish, summed, totals
from tests.journey.told import PROMISES, Telling, at, fact, pages
from tests.serving import bearer, in_front_of, trusting

ANA, BOB = customer_key("crm:ana"), customer_key("crm:bob")
KNOWN = (Pictures(),)
happened = some.tuples(some.sampled_from(["ana", "bob"]), some.integers(0, 1), some.integers(0, 20))
said = some.tuples(some.sampled_from([ANA, BOB]), some.sampled_from("abcd"), some.sampled_from(["opened", "at_risk", "kept", "broken"]),
                   some.integers(0, 20))  # fmt: skip


@pytest.fixture
async def owner(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Whose right it is to take away what has had its time."""
    async with owner_engine(engine) as found:
        yield found


def ordered(told: list[tuple[Any, str, str, int]]) -> list[dict[str, Any]]:
    """Facts in the order of their times, as promises says them, each once."""
    found = {(whose, name, word): minute for whose, name, word, minute in told}
    return [
        fact(whose, f"canary-{name}-{minute}", word, at(minute))
        for (whose, name, word), minute in sorted(found.items(), key=lambda each: each[1])
    ]


def owed(facts: list[dict[str, Any]], batch: int) -> set[tuple[int, str, str]]:
    """In which batches the last facts of what is undecided were read, whose they are, and of when; by the bodies alone."""
    last = {each["data"]["commitment"]: (number // batch, each) for number, each in enumerate(facts)}
    undecided = ("on_track", "at_risk")
    return {(read, each["customer"], each["time"]) for read, each in last.values() if each["data"]["judgement"] in undecided}


@shape(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(sent=some.lists(happened, max_size=25), told=some.lists(said, max_size=25), edge=some.integers(0, 21), step=some.integers(1, 6))
async def test_what_is_old_goes_but_for_what_is_still_owed_and_totals_stay_the_sum_of_customers(
    sent: list[tuple[str, int, int]], told: list[tuple[Any, str, str, int]], edge: int, step: int,
    raw: Callable[..., Raw], engine: AsyncEngine, owner: AsyncEngine, settings: JourneySettings, tmp_path: Path,
) -> None:  # fmt: skip
    """Breaks if a batch that was full were the last, if what is due were forgotten, or if a total counted what nobody has any more."""
    await clear(engine, *TABLES, *OURS, "picture_documents")
    await publish(engine)
    lanes = [await raw(each).start() for each in range(2)]
    for number, (who, lane, minute) in enumerate(sorted(sent, key=lambda each: each[2])):
        lanes[lane].add(touchpoint(f"e{number}", subject=f"crm:{who}", data={"minute": minute}), arrival=at(minute))
    for one in lanes:
        await one.deliver()
        await one.save()
    facts = ordered(told)
    await Telling(engine, settings, PROMISES).tell(facts, batch=step)
    projector = Projector(engine, KNOWN)
    await projector.catch_up()
    own = trusting(settings, tmp_path)
    async with in_front_of(api.build(own, engine, Relay(own)), bearer(tmp_path, "agent")) as agent:
        ahead = {key: (await agent.get(f"/v1/customers/{key}/timeline", params={"ahead": True})).json()["ahead"] for key in (ANA, BOB)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(history, "ROWS_AT_ONCE", step)
            patch.setattr(history, "PACKS_AT_ONCE", step)
            first = await let_go(owner, at(edge), KNOWN)
            again = await let_go(owner, at(edge), KNOWN)
        left = [each for key in (ANA, BOB) for each in await pages(agent, key)]
        for key in (ANA, BOB):
            assert (await agent.get(f"/v1/customers/{key}/timeline", params={"ahead": True})).json()["ahead"] == ahead[key]
    assert again == {"journal": 0, "facts": 0}
    assert first["journal"] == sum(minute < edge for _, _, minute in sent)
    assert {each["data"]["minute"] for each in left if each["kind"] == "touchpoint"} == {each[2] for each in sent if each[2] >= edge}
    may = owed(facts, step)
    shown = {each["id"] for each in left if each["kind"] == "promise"}
    assert {each["id"] for each in facts if each["time"] >= at(edge).isoformat()} <= shown
    for number, each in enumerate(facts):
        beside = (number // step, each["customer"], each["time"]) in may  # what was read with something of one moment stays with it
        assert (each["id"] in shown) == (each["time"] >= at(edge).isoformat() or beside)
    await projector.catch_up()
    assert await totals(engine) == await summed(engine)
    kept = b"".join(body for (bodies,) in await rows(engine, "packs", "bodies") for body in unpack(bodies))
    gone = [each for each in facts if each["id"] not in shown]
    assert not [each for each in gone if orjson.dumps(each["data"]["correlation"]) in kept and not _shared(each, facts, shown)]


def _shared(gone: dict[str, Any], facts: list[dict[str, Any]], shown: set[str]) -> bool:
    """Whether something that is still shown is about the same."""
    return any(each["id"] in shown and each["data"]["correlation"] == gone["data"]["correlation"] for each in facts)


@pytest.fixture
async def old(raw: Callable[..., Raw]) -> Raw:
    """Three old touchpoints of ana in one lane, the last of which Kafka has not taken."""
    lane = await raw().start()
    for number in range(3):
        lane.add(touchpoint(f"e{number}", subject="crm:ana"))
    await lane.deliver(2)
    await lane.save()
    return lane


LATER = NOON + timedelta(days=400)


async def test_what_was_not_sent_on_yet_stays(old: Raw, owner: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a lane's next owner had nothing to send for a number that readers wait for."""

    async def refuses(*_: Any) -> None:
        raise OSError("no broker")

    with monkeypatch.context() as patch:
        patch.setattr(old.wire, "publish", refuses)
        with pytest.raises(OSError, match="no broker"):
            await old.lane.step(old.ahead())
    assert await let_go(owner, LATER, KNOWN) == {"journal": 2, "facts": 0}
    await old.start()
    await old.deliver()
    assert [each["id"] for each in map(orjson.loads, _sent(old))] == ["e0", "e1", "e2"]


def _sent(lane: Raw) -> list[bytes]:
    return [each.value for each in lane.wire.sent if each.topic == "makegood.journey" and each.key is not None]


async def test_what_is_not_counted_yet_stays_until_it_is(old: Raw, engine: AsyncEngine, owner: AsyncEngine) -> None:
    """Breaks if what a document asks to be counted went before it was read for it."""
    await clear(engine, *OURS, "picture_documents")
    await publish(engine)
    assert (await let_go(owner, LATER, KNOWN))["journal"] == 0
    await Projector(engine, KNOWN).catch_up()
    assert (await let_go(owner, LATER, KNOWN))["journal"] == 2


async def test_nothing_younger_goes_and_a_repeat_of_what_has_gone_is_still_known(old: Raw, owner: AsyncEngine) -> None:
    assert await let_go(owner, NOON, KNOWN) == {"journal": 0, "facts": 0}
    await let_go(owner, LATER, KNOWN)
    old.add(touchpoint("e0", subject="crm:ana"))
    await old.deliver()
    assert (old.counts()["applied"], old.counts()["duplicate"]) == (3, 1)
