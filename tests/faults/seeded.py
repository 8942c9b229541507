"""Runs a service with one bug in it: `python -m tests.faults.seeded BUG SERVICE ROLE`. The product knows nothing of this.

Each bug is a few lines put over the product's own before it starts. What must find them is the oracle.
"""

import json
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from services.chassis import numbering
from services.chassis.lane import Lane
from services.chassis.relay import Relay

DIES_AFTER: Final = 4
"""Batches until a process with a bug that only a death shows dies."""


class Bug(NamedTuple):
    """One bug: in which service, what it does to the product, and as what (`oracle.kinds`) it must be found, one of these at least."""

    service: str
    put: Callable[[], None]
    found_as: str
    slow_lane: bool = False
    """It shows where one raw lane is behind the others."""
    zombie: bool = False
    """It shows where an owner that was stopped goes on beside the one that took over."""
    dies: bool = False
    """It ends its process by itself; without it the next one takes up what is left."""


def _over(owner: Any, name: str, bug: object) -> None:
    """Put a bug over a part of the product."""
    setattr(owner, name, bug)


def position_before_effects() -> None:
    """The position is saved in a transaction of its own, and the process dies before the effects are."""
    commit, batches = Lane._commit, [0]

    async def _commit(self: Any, records: Sequence[Any]) -> Any:
        if records:
            async with self._engine.begin() as connection:
                values = (records[-1].offset + 1, self.progress.topic, self.progress.partition)
                await connection.exec_driver_sql("UPDATE progress SET position = $1 WHERE topic = $2 AND partition = $3", values)
            batches[0] += 1
            if batches[0] > DIES_AFTER:
                os._exit(137)
        return await commit(self, records)

    _over(Lane, "_commit", _commit)


def numbers_not_minded() -> None:
    """What was sent again is taken again."""
    _over(numbering.HighWater, "takes", lambda self, number: True)
    _over(numbering.HighWater, "expects", lambda self, number: True)


def published_before_acknowledged() -> None:
    """The pointer moves, and the process dies, before Kafka has what it points behind."""
    batches = [0]

    async def _publish(self: Any, outgoing: Sequence[Any]) -> None:
        if outgoing:
            self.progress.published = self.progress.ordinal
            async with self._engine.begin() as connection:
                values = (self.progress.ordinal, self.progress.topic, self.progress.partition)
                await connection.exec_driver_sql("UPDATE progress SET published = $1 WHERE topic = $2 AND partition = $3", values)
            batches[0] += 1
            if batches[0] > DIES_AFTER:
                os._exit(137)
            await self._relay.publish(outgoing)

    _over(Lane, "_publish", _publish)


def published_otherwise() -> None:
    """What goes to Kafka is not what was written down."""
    publish = Relay.publish

    async def _publish(self: Any, records: Sequence[Any]) -> None:
        told = f'{{"told":"{datetime.now(UTC).isoformat()}",'.encode()
        await publish(self, [each._replace(value=each.value.replace(b"{", told, 1)) for each in records])

    _over(Relay, "publish", _publish)


def sometimes_not_published() -> None:
    """One record of each thirty is left out."""
    publish, sent = Relay.publish, [0]

    async def _publish(self: Any, records: Sequence[Any]) -> None:
        kept = []
        for each in records:
            sent[0] += numbering.number_of(each.headers) is not None
            if sent[0] % 30 or numbering.number_of(each.headers) is None:
                kept.append(each)
        await publish(self, kept)

    _over(Relay, "publish", _publish)


def duplicates_not_known() -> None:
    """Every event is a new one."""
    from services.journey import intake  # noqa: PLC0415

    async def _deduplicate(tx: Any, batch: Any) -> Any:
        return batch.candidates

    _over(intake, "_deduplicate", _deduplicate)


def arrival_is_now() -> None:
    """An event has arrived when it is read."""
    from services.journey.handlers import TouchpointHandler  # noqa: PLC0415

    arrival = TouchpointHandler._arrival

    def _arrival(self: Any, lane: Any, record: Any) -> Any:
        arrival(self, lane, record)
        now = datetime.now(UTC)
        lane.arrival = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return lane.arrival

    _over(TouchpointHandler, "_arrival", _arrival)


def refused_and_forgotten() -> None:
    """Every third refused record leaves no trace."""
    from services.journey import intake  # noqa: PLC0415

    quarantine = intake.quarantine

    def _quarantine(batch: Any) -> None:
        batch.refused = [each for each in batch.refused if each.position % 3]
        quarantine(batch)

    _over(intake, "quarantine", _quarantine)


def two_customers_are_one() -> None:
    """What differs in the last letter is one customer's."""
    from services.journey import handlers  # noqa: PLC0415
    from services.journey.inspection import inspect  # noqa: PLC0415

    def _inspect(*event: Any) -> Any:
        identifiers, *others = inspect(*event)
        return [each._replace(text=each.text[:-1]) for each in identifiers], *others

    _over(handlers, "inspect", _inspect)


def _barrier(how: Callable[[Any, datetime], datetime]) -> None:
    from services.promises.intake import Memory  # noqa: PLC0415

    hear = Memory.hear

    def _hear(self: Any, marker: dict[str, Any]) -> bool:
        heard = hear(self, marker)
        if len(self.vouched) >= self.lanes:
            self.barrier = max(self.barrier, how(self, self.barrier))
        return heard

    _over(Memory, "hear", _hear)


def wall_clock_timers() -> None:
    """What falls due is said by the clock of this machine."""
    _barrier(lambda memory, barrier: datetime.now(UTC).replace(microsecond=0))


def the_fastest_lane() -> None:
    """The barrier is where the fastest lane is."""
    _barrier(lambda memory, barrier: datetime.fromisoformat(max(memory.vouched.values())))


def event_time_timers() -> None:
    """What falls due is said by the latest event time that was seen."""
    from services.promises.intake import Intake  # noqa: PLC0415

    see, latest = Intake._see, [datetime(1970, 1, 1, tzinfo=UTC)]

    def _see(self: Any, published: Any, batch: Any, record: Any, event: dict[str, Any]) -> Any:
        latest[0] = max(latest[0], datetime.fromisoformat(event["time"]))
        return see(self, published, batch, record, event)

    _over(Intake, "_see", _see)
    _barrier(lambda memory, barrier: latest[0])


def late_evidence_dropped() -> None:
    """What arrives more than a second and a half after it happened is nobody's evidence."""
    from services.promises.intake import Intake  # noqa: PLC0415

    see = Intake._see

    def _see(self: Any, published: Any, batch: Any, record: Any, event: dict[str, Any]) -> Any:
        late = datetime.fromisoformat(event["recordedtime"]) - datetime.fromisoformat(event["time"])
        return None if late > timedelta(seconds=1.5) else see(self, published, batch, record, event)

    _over(Intake, "_see", _see)


def _documents(change: Callable[[dict[str, Any]], None]) -> None:
    """Every promise is read as if something else stood in it."""
    from services.promises import catalogue  # noqa: PLC0415

    read = catalogue.read_promise

    def _read(document: bytes, *others: Any) -> Any:
        changed = json.loads(document)
        change(changed["spec"])
        return read(json.dumps(changed).encode(), *others)

    _over(catalogue, "read_promise", _read)


def grace_forgotten() -> None:
    """Broken is said at due."""
    _documents(lambda spec: spec.pop("grace", None))


def inclusive_though_strictly() -> None:
    """Exactly at due is in time, whatever was promised."""
    _documents(lambda spec: spec.get("response", {}).pop("strictly", None))


def failures_not_seen() -> None:
    """A failure that was seen breaks nothing before its time."""
    _documents(lambda spec: spec.pop("broken_by", None))


def cancelled_and_owed_all_the_same() -> None:
    """What was cancelled is still owed."""
    _documents(lambda spec: spec.pop("cancel", None))


def corrections_kept_to_itself() -> None:
    """A verdict that late evidence changes is changed, and nobody hears of it."""
    from services.promises.handlers import JourneyHandler  # noqa: PLC0415

    save = JourneyHandler._save

    async def _save(self: Any, tx: Any, batch: Any, pool: Any, spots: Any) -> None:
        batch.facts = [each for each in batch.facts if b"commitment.corrected" not in each.body]
        await save(self, tx, batch, pool, spots)

    _over(JourneyHandler, "_save", _save)


def failures_never_withdrawn() -> None:
    """A case stays open though what it was about was taken back."""
    from services.recovery.domain import failing  # noqa: PLC0415

    _over(failing, "withdraw_failure", lambda *_: [])


def a_case_for_each_failure() -> None:
    """A customer with a case in work gets a second one."""
    from services.recovery.domain import failing  # noqa: PLC0415

    fail = failing.fail
    _over(failing, "fail", lambda mine, *others: fail((), *others))


BUGS: Final[dict[str, Bug]] = {
    "position-before-effects": Bug("journey", position_before_effects, "lost", dies=True),
    "published-before-acknowledged": Bug("promises", published_before_acknowledged, "lost disordered", dies=True),
    "numbers-not-minded": Bug("promises", numbers_not_minded, "doubled false disordered", zombie=True),
    "published-otherwise": Bug("journey", published_otherwise, "lost"),
    "sometimes-not-published": Bug("journey", sometimes_not_published, "lost"),
    "duplicates-not-known": Bug("journey", duplicates_not_known, "doubled"),
    "arrival-is-now": Bug("journey", arrival_is_now, "doubled"),
    "refused-and-forgotten": Bug("journey", refused_and_forgotten, "lost"),
    "two-customers-are-one": Bug("journey", two_customers_are_one, "doubled"),
    "wall-clock-timers": Bug("promises", wall_clock_timers, "false", slow_lane=True),
    "the-fastest-lane": Bug("promises", the_fastest_lane, "false", slow_lane=True),
    "event-time-timers": Bug("promises", event_time_timers, "false", slow_lane=True),
    "late-evidence-dropped": Bug("promises", late_evidence_dropped, "doubled false"),
    "grace-forgotten": Bug("promises", grace_forgotten, "false"),
    "inclusive-though-strictly": Bug("promises", inclusive_though_strictly, "false"),
    "failures-not-seen": Bug("promises", failures_not_seen, "false"),
    "cancelled-and-owed-all-the-same": Bug("promises", cancelled_and_owed_all_the_same, "false"),
    "corrections-kept-to-itself": Bug("promises", corrections_kept_to_itself, "lost false disordered"),
    "failures-never-withdrawn": Bug("recovery", failures_never_withdrawn, "false"),
    "a-case-for-each-failure": Bug("recovery", a_case_for_each_failure, "false"),
}


if __name__ == "__main__":
    bug, service, role = sys.argv[1:]
    BUGS[bug].put()
    sys.argv = [service, role]
    runpy.run_module(f"services.{service}", run_name="__main__")
