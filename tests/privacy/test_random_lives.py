"""Whatever a customer lived through, in whatever order, whenever they are erased and whatever comes later: no trace of them is left."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as some

from services.journey.domain import customer_key
from tests.driving import touchpoint
from tests.journey.conftest import declare
from tests.journey.identities import trust
from tests.privacy.conftest import housed
from tests.privacy.house import House, read
from tests.privacy.lives import IDENTIFIERS
from tests.privacy.test_canaries import erase, no_trace, places
from tests.promises.conftest import promise, response

NAMES = ("crm:canary-ana", "card:canary-9988", "tel:canary é", 'mail:canary"quoted"')
"""What systems call the customer; all of them are one person once it was said."""
ORDERS = ("canary-o1", "canary-o2")
Step = tuple[Any, ...]

words = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6).map(lambda text: f"canary{text}")
values = some.recursive(
    some.one_of(words, some.integers(-9, 9), some.booleans(), some.none()),
    lambda inner: some.one_of(some.lists(inner, max_size=3), some.dictionaries(words, inner, max_size=3)), max_leaves=6,
)  # fmt: skip
data = some.fixed_dictionaries(
    {"text": values}, optional={"order": some.sampled_from(ORDERS), "channel": words, "email": some.just("canary@home"), "value": values}
)
TYPES = ("placed", "delivered", "paid", "seen", "complained")
steps = some.one_of(
    some.tuples(some.just("event"), some.sampled_from(TYPES), some.sampled_from(NAMES), data),
    some.tuples(some.just("thing"), some.sampled_from(ORDERS), values),
    some.tuples(some.just("described"), some.sampled_from(NAMES), some.dictionaries(words, words, min_size=1, max_size=2)),
    some.tuples(some.just("linked"), some.sampled_from(NAMES[1:])),
    some.tuples(some.just("refused"), some.sampled_from(NAMES), values, some.integers(1, 9)),
    some.tuples(some.just("keyed"), some.sampled_from(NAMES), words, words),
    some.tuples(some.just("clash"), some.sampled_from(["canary@home", "canary-o1"])),
    some.tuples(some.just("time"), some.sampled_from([0.1, 1, 6])),
)  # fmt: skip


async def begin(house: House) -> None:
    for type_ in ("placed", "delivered", "paid", "seen"):
        await declare(house.engines["journey"], type_, IDENTIFIERS)
    await trust(house.engines["journey"])
    engine = house.engines["promises"]
    await promise(engine, "in-time", {"response": response(), "segment": "data.channel"})
    whole = {"when": {"type": "placed"}, "collect": {"type": "paid"}, "correlate": "data.order", "within": "5 hours"}
    await promise(engine, "paid", {"settlement": whole | {"must": "sum(events, 'data.value') >= 1"}})
    for each in ORDERS:  # before anything else names them: what nobody ties to anybody is nobody's
        house.send(touchpoint(f"first-{each}", "placed", subject=NAMES[0], data={"order": each, "email": "canary@home"}))
    for number, each in enumerate(NAMES[1:]):
        house.send(_linked(f"link-{number}", each))
    house.send(touchpoint("bob", "placed", subject="crm:bob", data={"order": "b1"}))
    await house.settle()


def _linked(id_: str, name: str) -> bytes:
    said = {"subject": NAMES[0], "data": {"identifiers": [name], "reason": "canary says so"}}
    return touchpoint(id_, "customer.linked", source="company/crm", **said)


async def live(house: House, number: int, step: Step) -> None:
    """One thing happens."""
    match step:
        case "event", type_, name, content:
            house.send(touchpoint(f"canary-e{number}", type_, subject=name, data=content))
        case "thing", order, content:
            house.send(touchpoint(f"e{number}", "seen", subject=f"order:{order}", data={"text": content}))
        case "described", name, attributes:
            house.send(touchpoint(f"e{number}", "customer.described", subject=name, data={"attributes": attributes}))
        case "linked", name:
            house.send(_linked(f"e{number}", name))
        case "refused", name, content, cut:
            whole = touchpoint(f"e{number}", "seen", time="never", subject=name, data={"text": ["canary", content]})
            house.send(whole if cut == 9 else whole[:-cut])
        case "keyed", name, key, header:
            headers = [("content-type", b"application/cloudevents+json"), ("x-who", header.encode())]
            house.send(touchpoint(f"e{number}", "seen", time=None, subject=name), key=key.encode(), headers=headers)
        case "clash", named:
            beside = {"email": named} if "@" in named else {"order": named}
            house.send(touchpoint(f"e{number}", "seen", subject="crm:bob", data=beside | {"note": "stays"}))
        case "time", hours:
            await house.pass_time(hours)


async def a_life(house: House, before: list[Step], between: list[Step], after: list[Step], log: pytest.LogCaptureFixture) -> None:
    """Live, be erased, live on while it is being done, and after it was."""
    note(f"{before=} {between=} {after=}")
    await begin(house)
    for number, step in enumerate(before):
        await live(house, number, step)
    await house.pass_time(1)
    assert "journey.journal.body" in await places(house, "journey")
    assert "promises.commitments.trigger_id" in await places(house, "promises") or not any(
        step[:2] == ("event", "placed") for step in before
    )
    log.set_level(logging.DEBUG)
    ana = customer_key(NAMES[0])
    await erase(house, ana)
    for number, step in enumerate(between, start=100):
        await live(house, number, step)
    await house.finish_erasing()
    for number, step in enumerate(after, start=200):
        await live(house, number, step)
    await house.pass_time(10)
    await house.finish_erasing()
    async with house.somebody("journey", "auditor") as auditor:
        assert read(await auditor.get(f"/v1/customers/{ana}/erasure"))["state"] == "done"
    await no_trace(house, ana)
    assert "canary" not in log.text
    async with house.somebody("journey", "agent") as agent:
        notes = [each["data"] for each in read(await agent.get(f"/v1/customers/{customer_key('crm:bob')}/timeline"))["items"]]
    clashes = sum(step[0] == "clash" for step in (*before, *between, *after))
    assert orjson.dumps(notes).count(b"stays") == clashes, "what is somebody else's stays"


SHAPE = {"deadline": None, "suppress_health_check": list(HealthCheck)}
lives = {name: some.lists(steps, max_size=most) for name, most in (("before", 10), ("between", 3), ("after", 5))}


@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate], **SHAPE)  # type: ignore[arg-type]
@given(**lives)
async def test_no_trace_is_left_of_any_life(
    before: list[Step], between: list[Step], after: list[Step],
    database: Callable[[str], Awaitable[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Breaks if forgetting hangs on what was lived, in which order, or on when it is asked for."""
    caplog.clear()
    async with housed(database, tmp_path) as house:
        await a_life(house, before, between, after, caplog)


@pytest.mark.slow
@settings(max_examples=60, **SHAPE)  # type: ignore[arg-type]
@given(**lives)
async def test_no_trace_is_left_of_many_lives(
    before: list[Step], between: list[Step], after: list[Step],
    database: Callable[[str], Awaitable[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The same, of as many as take minutes."""
    caplog.clear()
    async with housed(database, tmp_path) as house:
        await a_life(house, before, between, after, caplog)
