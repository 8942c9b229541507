"""The lane itself: what it refuses to do, and when it notices that somebody else was there."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from services.chassis import lane as lane_module
from services.chassis.faults import LostOwnershipError
from services.chassis.lane import Lane
from services.chassis.relay import NotAcknowledgedError, Outgoing
from services.journey.handlers import TouchpointHandler
from tests.driving import Raw, crashing_at, touchpoint


async def test_a_lane_that_was_not_opened_takes_no_records(raw: Raw) -> None:
    raw.add(touchpoint("e", subject="crm:1"))
    closed = Lane(raw.engine, raw.wire, raw.settings, raw.lane.handler, 0)
    with pytest.raises(LostOwnershipError):
        await closed.step(raw.log)


async def test_after_a_failure_a_lane_has_to_be_opened_again(raw: Raw) -> None:
    """Breaks if memory that a failed batch has changed were believed afterwards."""
    raw.add(touchpoint("e", subject="crm:1"))
    raw.wire.fails_after = 0
    with pytest.raises(NotAcknowledgedError):
        await raw.lane.step(raw.log)
    with pytest.raises(LostOwnershipError):
        await raw.lane.step(raw.log)
    assert await raw.lane.open() == 1
    assert len(raw.wire.sent) == 1


async def test_records_before_the_position_are_passed_over(raw: Raw) -> None:
    raw.add(touchpoint("e", subject="crm:1"))
    await raw.deliver()
    rev = raw.lane.progress.rev
    await raw.lane.step(raw.log)
    assert raw.lane.progress.rev == rev


async def test_an_idle_owner_notices_that_its_lane_was_moved(raw: Raw) -> None:
    """Breaks if what a person's act has put on the lane waited for the next record."""
    async with raw.engine.begin() as connection:
        await connection.execute(text("UPDATE progress SET rev = rev + 1"))
    with pytest.raises(LostOwnershipError):
        await raw.lane._flush()


@pytest.mark.parametrize("known", [0, 1, 2])
async def test_what_an_owner_left_unpublished_is_published_by_the_next_from_the_pointer_on(raw: Raw, known: int) -> None:
    for number in range(3):
        raw.add(touchpoint(f"e{number}", subject=f"crm:{number}"))
        raw.add(b"refused")
    await raw.deliver()
    async with raw.engine.begin() as connection:
        await connection.execute(text(f"UPDATE progress SET published = {known}"))
    everything, raw.wire.sent = raw.wire.sent, []
    raw.lane.REPUBLISH = 2
    await raw.start()
    assert raw.wire.sent == everything[known:]


async def test_crash_points_are_where_fault_tests_expect_them(raw: Raw) -> None:
    """Breaks if a crash point went away: the tests that die there would die nowhere and prove nothing."""
    for point in ("before-claim", "after-claim", "before-commit", "after-commit", "after-publish"):
        raw.add(touchpoint(point, subject="crm:1"))
        with crashing_at(point), pytest.raises(BaseException, match=point):
            await raw.lane.step(raw.ahead())
        await raw.start()


async def test_what_nobody_waits_for_is_gathered_until_its_time_or_a_batch_has_come(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a projection commits every handful of records, or passes over those that wait."""
    monkeypatch.setattr(TouchpointHandler, "pace", 3600.0)
    for number in range(raw.settings.batch_records + 5):
        raw.add(touchpoint(f"e{number}", subject="crm:1"))
    assert raw.lane.due([]) == []
    assert raw.lane.due(raw.log[:1]) == raw.log[:1]
    assert raw.lane.due(raw.log[1:3]) == []
    assert raw.lane.following == 3
    assert raw.lane.due(raw.log[3:]) == raw.log[1:]
    assert raw.lane.due(raw.log[:1]) == []
    monkeypatch.setattr(TouchpointHandler, "pace", 0.0)
    assert raw.lane.due([]) == raw.log[:1]


@pytest.mark.parametrize(
    ("records", "seconds", "waits"),
    [(1000, 0.1, 0.3), (1000, 9.0, 0.8), (4, 9.0, 0.005), (1000, 0.0, 0.0)],
    ids=["thrice as long as it took", "not for ever", "not for a few", "not where it is quick"],
)
async def test_a_lane_whose_batches_are_large_and_slow_takes_larger_ones(
    raw: Raw, monkeypatch: pytest.MonkeyPatch, records: int, seconds: float, waits: float
) -> None:
    """Breaks if a busy system pays for small batches, or an idle one waits for large ones."""
    now = [0.0]
    monkeypatch.setattr(lane_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(TouchpointHandler, "pace", 0.0)
    await raw.start()
    for number in range(records + 1):
        raw.add(touchpoint(f"e{number}", subject="crm:1"))
    first = raw.lane.due(raw.log[:records])
    publish = raw.wire.publish

    async def slowly(outgoing: Sequence[Outgoing]) -> None:
        now[0] += seconds
        await publish(outgoing)

    monkeypatch.setattr(raw.wire, "publish", slowly)
    await raw.lane.step(first)
    now[0] = max(0.0, waits - 0.001)
    assert raw.lane.due(raw.log[records:]) == (raw.log[records:] if waits == 0.0 else [])
    now[0] = waits + 0.001
    assert raw.lane.due([]) == ([] if waits == 0.0 else raw.log[records:])


async def test_what_waits_is_read_again_by_whoever_opens_the_lane(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if records outlive the position that they were read from."""
    monkeypatch.setattr(TouchpointHandler, "pace", 3600.0)
    raw.add(touchpoint("e", subject="crm:1"))
    raw.lane.due(raw.log)
    raw.lane.due(raw.log)
    await raw.lane.open()
    assert raw.lane.following == 0
