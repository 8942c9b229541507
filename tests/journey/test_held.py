"""A record that cannot be taken holds whom it names: in its place among their events, and nobody else (DESIGN 3.7)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.numbering import number_of
from services.journey.domain import customer_key
from services.journey.records import JOURNEY
from tests.driving import NOON, rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare

ANA, THING = str(customer_key("crm:ana")), str(customer_key("order:o1"))
BINARY = [("ce_specversion", b"1.0"), ("ce_source", b"shop"), ("ce_type", b"order.seen"), ("content-type", b"application/json")]
SECOND = timedelta(seconds=1)


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await declare(engine, "order.seen", ORDER)
    return await raw().start()


def bad(id_: str = "bad", subject: str | None = "crm:ana", **others: Any) -> bytes:
    """An event that says not when it happened."""
    return touchpoint(id_, subject=subject, time=None, **others)


async def holds(lane: Raw) -> list[tuple[str, str, bool]]:
    """Who got which hold, and whether for another key's sake."""
    journal = await lane.journal()
    return [(each["customer"], each["data"]["record"], each.get("evidenceonly", False)) for each in journal if "held" in each["type"]]


async def test_a_hold_stands_in_its_place_among_the_customers_events_and_is_numbered_like_them(lane: Raw) -> None:
    """Breaks if promises could not tell what came before the hold from what came after it."""
    lane.add(touchpoint("e1", subject="crm:ana"))
    lane.add(bad(source="till"), arrival=NOON + SECOND)
    lane.add(touchpoint("e2", subject="crm:ana"), arrival=NOON + 2 * SECOND)
    await lane.deliver()
    sent = [each for each in lane.wire.sent if each.topic == JOURNEY]
    assert [orjson.loads(each.value)["id"] for each in sent] == ["e1", "touchpoints/0/1:held", "e2"]
    assert [number.seq for each in sent if (number := number_of(each.headers))] == [1, 2, 3]
    assert len({each.partition for each in sent}) == 1
    held = orjson.loads(sent[1].value)
    assert held["data"] == {
        "record": "touchpoints/0/1", "reason": "no-time", "arrival": "2026-03-01T12:00:01.000Z", "source": "till", "type": "order.placed",
    }  # fmt: skip
    assert (held["type"], held["source"], held["subject"]) == ("makegood.journey.held", "makegood/journey", f"customer:{ANA}")
    assert (held["customer"], held["recordedtime"], held["time"]) == (ANA, "2026-03-01T12:00:01.000Z", "2026-03-01T12:00:01.000Z")
    assert sum(lane.counts().values()) == lane.lane.progress.position == 3


GOOD = touchpoint("e", subject="crm:ana")
NAMING: dict[str, tuple[bytes, list[tuple[str, Any]] | None]] = {
    "without a time": (bad(), None),
    "future-dated": (touchpoint("e", subject="crm:ana", time=(NOON + timedelta(hours=1)).isoformat()), None),
    "a time that is none": (touchpoint("e", subject="crm:ana", time="yesterday"), None),
    "of a reserved type": (touchpoint("e", "makegood.case.opened", subject="crm:ana"), None),
    "without a type": (GOOD.replace(b'"type"', b'"kind"'), None),
    "a list as its type": (GOOD.replace(b'"order.placed"', b"[1]"), None),
    "a number as its id": (GOOD.replace(b'"e"', b"7"), None),
    "a key twice": (GOOD[:-1] + b',"id":"other"}', None),
    "cut off": (GOOD[:-1] + b',"data":{"total":', None),
    "not a number": (GOOD[:-1] + b',"data":NaN}', None),
    "nested too deeply": (GOOD[:-1] + b',"data":' + b"[" * 2000 + b"]" * 2000 + b"}", None),
    "too large": (touchpoint("m", subject="crm:ana", data="x" * 1_000_000), None),
    "no content type": (GOOD, []),
    "binary, without an id": (b"{}", [*BINARY, ("ce_subject", b"crm:ana")]),
    "binary, broken data": (b'{"order', [*BINARY, ("ce_id", b"e"), ("CE_Subject", b"crm:ana")]),
    "binary, by an identifier in its data": (b'{"email":"a@b.c"}', BINARY),
    "by an identifier in its data": (touchpoint("e", "order.seen", time=None, data={"email": "a@b.c"}), None),
}


@pytest.mark.parametrize(("value", "headers"), NAMING.values(), ids=NAMING.keys())
async def test_whom_a_record_names_is_read_as_far_as_it_can_be(lane: Raw, value: bytes, headers: list[tuple[str, Any]] | None) -> None:
    lane.add(touchpoint("known", "order.seen", subject="crm:ana", data={"email": "a@b.c"}))
    lane.add(value, **({} if headers is None else {"headers": headers}))
    await lane.deliver()
    assert lane.counts()["quarantined"] == 1
    assert await holds(lane) == [(ANA, "touchpoints/0/1", False)]
    assert await rows(lane.engine, "quarantine", "held::text") == [(f"{{{ANA}}}",)]


NAMELESS: list[tuple[bytes | None, list[tuple[str, Any]] | None]] = [
    (None, None), (b"", None), (b"{", None), (b"[1]", None), (b"\xff\xfe", None), (touchpoint("n"), None), (bad(subject=None), None),
    (bad(subject="crm:\0"), None), (touchpoint("n", subject=["crm:ana"]), None), (bad(subject="x" * 600), None),
    (b'{"subject":"\\ud800"}', None), (b'{"subject":"\\ud800', None), (b'{"subject":{"subject":7}}', None),
    (b"{}", [("ce_subject", None), ("ce_id", b"\xff")]), (b"{}", [("ce_subject", b"\x00")]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "headers"), NAMELESS)
async def test_a_record_that_names_nobody_holds_nobody(lane: Raw, value: bytes | None, headers: list[tuple[str, Any]] | None) -> None:
    """Breaks, too, if a name that no table can hold stopped the lane."""
    lane.add(value, **({} if headers is None else {"headers": headers}))
    lane.add(GOOD)
    await lane.deliver()
    assert lane.counts() == {"applied": 1, "quarantined": 1}
    assert await holds(lane) == []


async def test_nothing_is_learnt_from_a_record_that_cannot_be_taken(lane: Raw) -> None:
    """Breaks if a mistyped identifier of a broken record became a customer's for ever."""
    lane.add(touchpoint("e", "order.seen", subject="crm:ana", time=None, data={"order": "o1"}))
    await lane.deliver()
    assert [each for each, _, _ in await holds(lane)] == [ANA]
    assert await rows(lane.engine, "identifiers") == await rows(lane.engine, "customers") == []
    lane.add(touchpoint("of-order", "order.seen", data={"order": "o1"}))
    await lane.deliver()
    assert (await lane.journal())[-1]["customer"] == THING


Delivery = Callable[[Raw], Awaitable[None]]


async def at_once(lane: Raw) -> None:
    await lane.deliver()


async def one_by_one(lane: Raw) -> None:
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(1)


@pytest.mark.parametrize("deliver", [at_once, one_by_one])
async def test_a_hold_reaches_every_key_that_the_event_would_have_reached(lane: Raw, deliver: Delivery) -> None:
    """Breaks if the order's own key were judged while the person's is held, or if it hung on where a batch ends."""
    lane.add(touchpoint("of-thing", "order.seen", data={"order": "o1"}))
    lane.add(touchpoint("of-ana", subject="crm:ana"))
    lane.add(touchpoint("e", "order.seen", subject="crm:ana", time=None, data={"order": "o1"}))
    lane.add(touchpoint("link", "order.seen", subject="crm:ana", data={"order": "o1"}))
    lane.add(bad(subject="order:o1"))
    await deliver(lane)
    first, second = "touchpoints/0/2", "touchpoints/0/4"
    found = await holds(lane)
    assert found[:2] == [(ANA, first, False), (THING, first, True)]
    assert found[-2:] == [(ANA, second, False), (THING, second, True)]
    assert {customer for customer, record, _ in found if record == first} == {ANA, THING}


async def test_what_our_own_code_failed_on_holds_whom_it_names(lane: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a bug of ours made the customers of the records it met appear to be failed."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("services.journey.handlers.inspect", broken)
    lane.add(GOOD)
    await lane.deliver()
    assert await holds(lane) == [(ANA, "touchpoints/0/0", False)]
