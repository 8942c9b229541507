"""The benchmark's workload: what it claims to send is what it sends."""

from collections import Counter
from datetime import UTC, datetime

import orjson

from bench.generator import FIRST_RATE, LAG, next_rate
from bench.orders import Step, Stream, expected, touchpoints
from services.chassis.cloudevents import decode
from services.journey.domain import impossible

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
STRUCTURED = [("content-type", b"application/cloudevents+json")]


def _all_of(orders: int) -> list[bytes]:
    stream, sent = Stream(), []
    for at in range(5):
        sent += stream.turn(at, orders if at == 0 else 0, NOW)
    assert not stream.under_way
    assert stream.produced == len(sent)
    return sent


def test_every_touchpoint_is_one_that_journey_accepts() -> None:
    for body in _all_of(10):
        event = decode(body, STRUCTURED)
        assert event.time == NOW
        assert impossible(event.type, event.time, NOW) is None


def test_a_touchpoint_has_about_230_bytes() -> None:
    sizes = [len(body) for body in _all_of(1000)]
    assert 220 <= sum(sizes) / len(sizes) <= 240


def test_no_id_is_sent_twice() -> None:
    sent = [orjson.loads(body)["id"] for body in _all_of(1000)]
    assert len(set(sent)) == len(sent)


def test_an_order_stays_with_its_customer() -> None:
    customers: dict[str, set[str]] = {}
    for body in _all_of(2000):
        event = orjson.loads(body)
        customers.setdefault(event["data"]["order_id"], set()).add(event["subject"])
    assert all(len(each) == 1 for each in customers.values())
    assert len({subject for each in customers.values() for subject in each}) > 1900


def test_what_must_come_of_the_promises_follows_from_what_was_sent() -> None:
    steps = Counter(orjson.loads(body)["type"] for body in _all_of(3000))
    placed, shipped, delivered = (steps[f"order.{step}"] for step in ("placed", "shipped", "delivered"))
    assert expected(3000) == {
        "shipped-in-time": (shipped, placed - shipped),
        "carried-in-time": (delivered, shipped - delivered),
        "delivered-in-time": (delivered, placed - delivered),
    }


def test_about_one_commitment_in_a_hundred_breaks() -> None:
    broken, kept = (sum(each[place] for each in expected(1000).values()) for place in (1, 0))
    assert 0.01 <= broken / (broken + kept) <= 0.012


def test_no_order_moves_on_before_its_time() -> None:
    stream = Stream()
    assert len(stream.turn(0.0, 9, NOW)) == 9
    assert stream.turn(0.9, 0, NOW) == []
    assert {orjson.loads(body)["type"] for body in stream.turn(1.0, 0, NOW)} <= {"order.shipped"}


def test_the_time_is_text_that_any_reader_of_rfc_3339_takes() -> None:
    assert orjson.loads(touchpoints(Step.PLACED, [1], NOW)[0])["time"] == "2026-11-23T12:00:00.000005Z"


def test_at_full_speed_the_lag_is_bounded_and_never_starves_the_system() -> None:
    assert next_rate(10_000, LAG + 1) < 10_000
    assert next_rate(10_000, LAG) == 10_000
    assert next_rate(10_000, 0) > 10_000
    assert next_rate(0, 0) == FIRST_RATE
