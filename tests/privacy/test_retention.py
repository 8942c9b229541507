"""Retention lets go of what is old enough and nothing else rests on, in bounded batches, and of nothing that was not told yet."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.chassis import retention
from services.chassis.database import create_engine
from services.chassis.process import Context
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry
from services.journey.store.retention import STATEMENTS as JOURNEY
from services.recovery.store.retention import STATEMENTS as RECOVERY
from tests.driving import owning, rows

Make = Callable[[str], Awaitable[Context]]
NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=40), NOW - timedelta(days=20)


@pytest.fixture
async def context(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Make]:
    made: list[Context] = []

    async def make(service: str) -> Context:
        settings = Settings(kafka="127.0.0.1:9", database=owning(await database(service)))
        made.append(Context(settings, create_engine(settings, service), Telemetry(settings, service)))
        return made[-1]

    yield make
    for each in made:
        await each.engine.dispose()


async def retain(context: Context, statements: dict[str, str], days: int = 32) -> int:
    return await retention.retaining(statements)(context, ["--days", str(days)])


async def test_by_what_repeats_are_known_goes_in_bounded_batches_and_not_before_its_time(
    context: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if a batch that was full was taken for the last one, or a repeat that may still come would not be known."""
    monkeypatch.setattr(retention, "AT_ONCE", 7)
    journey = await context("journey")
    add = "INSERT INTO seen SELECT CAST(:day AS date), gen_random_uuid(), n FROM generate_series(1, :number) n"
    async with journey.engine.begin() as connection:
        for day, number in ((OLD, 21), (YOUNG, 5)):
            await connection.execute(text(add), {"day": day.date(), "number": number})
    assert await retain(journey, JOURNEY) == 0
    assert await rows(journey.engine, "seen GROUP BY day", "day, count(*)") == [(YOUNG.date(), 5)]


async def test_fewer_days_than_repeats_are_known_for_are_refused(context: Make) -> None:
    with pytest.raises(SystemExit):
        await retain(await context("journey"), JOURNEY, days=31)


async def test_of_refused_records_only_the_bytes_of_those_settled_long_ago_go(context: Make) -> None:
    """Breaks if a record that waits for an operator lost what it was."""
    journey = await context("journey")
    add = (
        "INSERT INTO quarantine (lane, position, ordinal, reason, detail, place, arrival, key, value, headers) "
        "VALUES ('touchpoints/0', :at, :at, 'r', 'd', 'p', :arrival, 'k', 'v', '[[\"a\",\"00\"]]')"
    )
    settle = (
        "INSERT INTO quarantine_acts (lane, position, act, by, at, answer) VALUES ('touchpoints/0', :position, 'dismiss', 'o', :at, '{}')"
    )
    async with journey.engine.begin() as connection:
        for position in range(3):
            await connection.execute(text(add), {"at": position, "arrival": OLD})
        await connection.execute(text(settle), {"position": 1, "at": OLD})
        await connection.execute(text(settle), {"position": 2, "at": YOUNG})
    await retain(journey, JOURNEY)
    assert await rows(journey.engine, "quarantine", "position, value, key, headers") == [
        (0, b"v", b"k", b'[["a","00"]]'), (1, None, None, b"[]"), (2, b"v", b"k", b'[["a","00"]]'),
    ]  # fmt: skip


async def test_what_recovery_has_told_and_kafka_has_goes_and_what_it_has_not_stays(context: Make) -> None:
    """Breaks if a fact were deleted that its lane's next owner still has to publish."""
    recovery = await context("recovery")
    add = (
        "INSERT INTO outbox (partition, ordinal, topic, customer, incarnation, at, body) "
        "VALUES (0, :ordinal, 'makegood.recovery', gen_random_uuid(), 1, :at, '{}')"
    )
    async with recovery.engine.begin() as connection:
        await connection.execute(text("INSERT INTO progress (topic, partition, ordinal, published) VALUES ('makegood.promises', 0, 4, 3)"))
        for ordinal, at in ((1, OLD), (2, OLD), (3, YOUNG), (4, OLD)):
            await connection.execute(text(add), {"ordinal": ordinal, "at": at})
    await retain(recovery, RECOVERY)
    assert await rows(recovery.engine, "outbox", "ordinal") == [(3,), (4,)]


async def test_what_was_delivered_long_ago_goes_and_what_waits_stays_however_old(context: Make) -> None:
    """Breaks if the log of deliveries grew for ever, or something were let go of before anybody was told."""
    recovery = await context("recovery")
    add = (
        "INSERT INTO deliveries (id, partition, kind, about, mail, case_id, customer, target, subject, body, due, state, settled_at, "
        "reason) "
        "SELECT gen_random_uuid(), 0, 'notice', x, x, x, x, '', '', '', :at, :state, :settled, :name FROM gen_random_uuid() x"
    )
    create = "INSERT INTO creations (subject, key, fingerprint, version, status, body, at) VALUES ('ana', :key, '', 1, 201, '', :at)"
    async with recovery.engine.begin() as connection:
        for name, state, settled in (("1", "sent", OLD), ("2", "failed", YOUNG), ("3", "waiting", None)):
            await connection.execute(text(add), {"at": OLD, "state": state, "settled": settled, "name": name})
        for key, at in (("old", OLD), ("young", YOUNG)):
            await connection.execute(text(create), {"key": key, "at": at})
    await retain(recovery, RECOVERY)
    assert await rows(recovery.engine, "deliveries", "reason") == [("2",), ("3",)]
    assert await rows(recovery.engine, "creations", "key") == [("young",)]
