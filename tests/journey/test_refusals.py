"""What cannot be taken is kept, told and counted, and stops nothing."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import cloudevents
from services.chassis.faults import BadDeployError
from services.journey import handlers
from services.journey.records import DEAD_LETTERS, JOURNEY, TOUCHPOINTS
from tests.driving import NOON, record, rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare

GOOD = touchpoint("good", subject="crm:1")


def _broken() -> list[tuple[str, bytes | None]]:
    deep = b"[" * 100_000
    return [
        ("null", None), ("empty", b""), ("text", b"hello"), ("truncated", GOOD[:-7]), ("array", b"[1]"), ("not-utf8", b"\xff\xfe{}"),
        ("utf16", GOOD.decode().encode("utf-16")), ("bom", b"\xef\xbb\xbf" + GOOD),
        ("nul", touchpoint("n", subject="crm:\0")), ("nul-in-data", touchpoint("n", subject="crm:1", data={"a": "\0"})),
        ("surrogate", GOOD.replace(b"crm:1", b"\\ud800")), ("nan", GOOD[:-1] + b',"data":NaN}'),
        ("huge-number", GOOD[:-1] + b',"data":1e999}'), ("huge-integer", GOOD[:-1] + b',"data":' + b"9" * 5000 + b"}"),
        ("duplicate-key", GOOD[:-1] + b',"id":"other"}'), ("deep", GOOD[:-1] + b',"data":' + deep),
        ("deep-closed", GOOD[:-1] + b',"data":' + b"[" * 2000 + b"]" * 2000 + b"}"),
        ("megabyte", touchpoint("m", subject="crm:1", data="x" * 1_000_000)),
        ("many-keys", touchpoint("k", subject="crm:1", data={str(number): 0 for number in range(50_000)})),
        ("long-id", touchpoint("i" * 600, subject="crm:1")), ("version", GOOD.replace(b'"1.0"', b'"2.0"')),
        ("no-time", touchpoint("t", subject="crm:1", time=None)), ("bad-time", touchpoint("t", subject="crm:1", time="yesterday")),
        ("no-offset", touchpoint("t", subject="crm:1", time="2026-03-01T12:00:00")),
        ("year-one", touchpoint("t", subject="crm:1", time="0001-01-01T00:00:00Z")),
        ("year-9999", touchpoint("t", subject="crm:1", time="9999-12-31T23:59:59Z")),
        ("before-year-one", touchpoint("t", subject="crm:1", time="0001-01-01T00:00:00+14:00")),
        ("nobody", touchpoint("n")), ("ours", touchpoint("n", "makegood.case.opened", subject="crm:1")),
        ("number-as-id", GOOD.replace(b'"good"', b"7")), ("list-as-subject", GOOD.replace(b'"crm:1"', b'["crm:1"]')),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (touchpoint("e", subject="crm:1", time=(NOON + timedelta(minutes=6)).isoformat()), "future-dated"),
        (touchpoint("e", subject="crm:1", time=(NOON - timedelta(days=31)).isoformat()), "too-old"),
        (touchpoint("e", subject="crm:1", time=None), "no-time"),
        (touchpoint("e"), "names-nobody"),
        (touchpoint("e", "makegood.case.opened", subject="crm:1"), "reserved-type"),
        (b"{", "not-json"),
        (None, "empty"),
    ],
)
async def test_what_is_impossible_is_quarantined_with_its_reason(raw: Callable[..., Raw], value: bytes | None, reason: str) -> None:
    lane = await raw().start()
    lane.add(value)
    lane.add(touchpoint("limit", subject="crm:1", time=(NOON + timedelta(minutes=5)).isoformat()))
    lane.add(touchpoint("floor", subject="crm:1", time=(NOON - timedelta(days=30)).isoformat()))
    await lane.deliver()
    assert await rows(lane.engine, "quarantine", "position, reason") == [(0, reason)]
    assert lane.counts() == {"applied": 2, "quarantined": 1} | ({} if "conflict" not in lane.counts() else {"conflict": 0, "duplicate": 0})


async def test_the_original_bytes_and_headers_are_kept_and_go_to_the_dead_letters(raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    lane = await raw(2).start()
    original = b'\xff\x00"not json'
    headers: list[tuple[str, Any]] = [("content-type", b"application/cloudevents+json"), ("trace", b"\x00\xff"), ("empty", None)]
    lane.add(original, key=b"\x01key", headers=headers)
    await lane.deliver()
    assert await rows(engine, "quarantine", "key, value") == [(b"\x01key", original)]
    (dead,) = [each for each in lane.wire.sent if each.topic == DEAD_LETTERS]
    assert (dead.key, dead.value) == (b"\x01key", original)
    added = [("makegood-origin", b"touchpoints/2/0"), ("makegood-reason", b"not-utf-8")]
    assert dead.headers == [(name, value or b"") for name, value in headers] + added


async def test_hundreds_of_malformed_records_stop_no_lane_and_each_is_accounted_for_once(raw: Callable[..., Raw]) -> None:
    """Breaks if anything a stranger can write raises in our code or in the database (FAULTS 12)."""
    lane = await raw().start()
    await declare(lane.engine, "order.seen", ORDER)
    chance = random.Random(7)
    corpus = [value for _, value in _broken()]
    for number in range(400):
        cut = bytearray(touchpoint(f"m{number}", "order.seen", subject="crm:1", data={"order": f"o{number}"}))
        for _ in range(chance.randint(1, 4)):
            cut[chance.randrange(len(cut))] = chance.randrange(256)
        corpus.append(bytes(cut))
    for number, value in enumerate(corpus):
        lane.add(value)
        if number % 20 == 0:
            lane.add(touchpoint(f"good{number}", subject="crm:1"))
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(chance.randint(1, 90))
    counts = lane.counts()
    assert sum(counts.values()) == lane.lane.progress.position == len(lane.log)
    assert counts["applied"] + counts["quarantined"] + counts.get("duplicate", 0) + counts.get("conflict", 0) == len(lane.log)
    assert {f"good{number}" for number in range(0, len(corpus), 20)} <= {each["id"] for each in await lane.journal()}
    assert len(await rows(lane.engine, "quarantine")) == counts["quarantined"] >= len(_broken())


@pytest.mark.parametrize("text", ["".join(random.Random(1).choices("0123456789abcdef", k=12_000)), "\ufffe", "é" * 300])
async def test_no_identifier_that_an_event_may_carry_stops_a_lane(raw: Callable[..., Raw], engine: AsyncEngine, text: str) -> None:
    """Breaks if an identifier is too long for the index that finds it."""
    await declare(engine, "order.seen", ORDER)
    lane = await raw().start()
    lane.add(touchpoint("e1", "order.seen", subject="crm:1", data={"order": text}))
    lane.add(touchpoint("e2", subject="crm:1"))
    await lane.deliver()
    assert sum(lane.counts().values()) == 2


@pytest.mark.parametrize(
    "time", ["2026-03-01t12:00:00z", "2026-03-01T12:00:00.123456789Z", "2026-02-28T23:59:60Z", "2026-03-01T05:59:00-06:00"]
)
async def test_every_time_that_is_accepted_can_be_read_by_those_who_come_after(raw: Callable[..., Raw], time: str) -> None:
    """Breaks if the next service met spellings of RFC 3339 that Python does not read, and took them for faults of its own."""
    lane = await raw().start()
    lane.add(touchpoint("e1", subject="crm:1", time=time))
    await lane.deliver()
    (event,) = [orjson.loads(each.value) for each in lane.wire.sent if each.topic == JOURNEY]
    assert datetime.fromisoformat(event["time"]).utcoffset() is not None


async def test_a_deploy_that_fails_on_valid_records_stops_the_lane_and_quarantines_nothing(
    raw: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if a bug of ours were taken for bad data, and a day's records went to the dead letters (FAULTS 13)."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    lane = await raw().start()
    for number in range(200):
        lane.add(touchpoint(f"e{number}", subject="crm:1"))
    with monkeypatch.context() as patch:
        patch.setattr(handlers, "decode", broken)
        with pytest.raises(BadDeployError):
            await lane.lane.step(lane.log)
    assert await rows(lane.engine, "quarantine") == []
    await lane.start()
    await lane.deliver()
    assert lane.counts()["applied"] == 200


async def test_one_record_that_our_own_code_fails_on_is_put_aside_and_the_rest_goes_on(
    raw: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_once(value: bytes | None, headers: Any) -> Any:
        if value and b'"e7"' in value:
            raise ZeroDivisionError
        return cloudevents.decode(value, headers)

    monkeypatch.setattr(handlers, "decode", fails_once)
    lane = await raw().start()
    for number in range(10):
        lane.add(touchpoint(f"e{number}", subject="crm:1"))
    await lane.deliver()
    assert await rows(lane.engine, "quarantine", "position, reason") == [(7, "unexpected")]
    assert lane.counts()["applied"] == 9


@pytest.mark.parametrize("inside", ["value", "header", "key"])
async def test_of_a_record_that_swells_when_it_is_unpacked_no_more_is_read_and_kept_than_a_bound(
    raw: Callable[..., Raw], inside: str
) -> None:
    """Breaks if a compressed megabyte becomes a row, a dead letter or a tree of objects of a gigabyte; whom it names is still held."""
    swollen = 8 * 1024 * 1024
    parts: dict[str, Any] = {"key": None, "headers": [("content-type", b"application/cloudevents+json")]}
    value = touchpoint("bomb", time=None, subject="crm:1", data=["x"] * (swollen // 4) if inside == "value" else None)
    if inside == "header":
        parts["headers"].append(("x-bomb", b"\0" * swollen))
    if inside == "key":
        parts["key"] = b"\0" * swollen
    lane = await raw().start()
    lane.log.append(record(TOUCHPOINTS, 0, 0, value, **parts))
    await lane.deliver()
    row = await rows(lane.engine, "quarantine", "length(key), length(value), length(headers), cardinality(held), headers")
    ((key, kept, headers, held, written),) = row
    assert max(key or 0, kept, headers) <= 1024 * 1024
    assert held == 1
    cut = dict(orjson.loads(written))["makegood-cut"]
    assert bytes.fromhex(cut) == str(len(value)).encode()
    assert sum(len(each.value or b"") for each in lane.wire.sent if each.topic == DEAD_LETTERS) <= 1024 * 1024
