"""End to end: touchpoints into Kafka, verdicts out, at full speed and then at half of it; beside it the limits."""

import asyncio
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from bench import counters, latency, limits, stack
from bench.counters import Stand, Statistics
from bench.generator import BATCH_BYTES, Sent, Task
from bench.orders import LONGEST_PROMISE_SECONDS, expected
from bench.stack import Say
from bench.watch import Use, Watch
from deploy.local.state import State

LOOK_SECONDS = 0.5
SETTLE_SECONDS = 180.0
LANES = 6


class NotSettledError(RuntimeError):
    """The system did not come to rest after a phase; its logs are in the benchmark's data folder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure, after how long a warm-up; which process to profile instead of measuring latency and limits."""

    seconds: float
    warm_up: float
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that is counted, at one moment."""

    wall: float
    stand: Stand
    use: Use
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class Window:
    """What lies between two moments."""

    before: Moment
    after: Moment
    sent: Sent

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.after.stand.at - self.before.stand.at

    @property
    def touchpoints(self) -> float:
        """How many touchpoints went the whole way in it."""
        return self.after.stand.through - self.before.stand.through


class Run:
    """One run on a fresh system."""

    def __init__(self, running: State, connection: asyncpg.Connection, plan: Plan, say: Say) -> None:
        """A run that has sent nothing yet."""
        self._running, self._connection, self.plan, self._say = running, connection, plan, say
        self.watch = Watch(running)
        self._following = self._sent = 0

    async def phase(self, rate: float | None) -> Window:
        """Send at a rate, or at full speed; measure after the warm-up; wait until all of it is judged."""
        task = Task(
            self._running.kafka, self._running.database["admin"], self.plan.warm_up + self.plan.seconds, self._following, self._sent, rate
        )
        generator = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.generator", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        answer = asyncio.create_task(generator.communicate(orjson.dumps(asdict(task))))
        try:
            await self._look_for(self.plan.warm_up)
            stack.tell_profiled(self._running, self.plan.profile, signal.SIGUSR1)
            before = await self._moment()
            await self._look_for(self.plan.seconds)
            after = await self._moment()
            stack.tell_profiled(self._running, self.plan.profile, signal.SIGUSR2)
            output, _ = await answer
        finally:
            if generator.returncode is None:
                generator.kill()
        sent = Sent(**orjson.loads(output))
        self._following, self._sent = sent.following, self._sent + sent.touchpoints
        await self._settled()
        return Window(before, after, sent)

    async def _moment(self) -> Moment:
        stand = await counters.read_stand(self._connection)
        return Moment(time.time(), stand, self.watch.look(), await counters.read_statistics(self._connection))

    async def _look_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(LOOK_SECONDS, left))
            self.watch.look()
            if dead := self._running.dead():
                raise NotSettledError(f"{', '.join(dead)} ended during the run; read the logs in the data folder")

    async def _settled(self) -> None:
        """Wait until everything sent is judged, everything due is said, and all of it is taken in; as long as any of it goes on."""
        rest = datetime.now(UTC) + timedelta(seconds=LONGEST_PROMISE_SECONDS)
        until, done = time.monotonic() + SETTLE_SECONDS, (-1, -1)
        while True:
            stand = await counters.read_stand(self._connection)
            if (stand.judged, stand.taken) != done:
                until, done = time.monotonic() + SETTLE_SECONDS, (stand.judged, stand.taken)
            due = stand.barrier is not None and stand.barrier > rest
            if due and stand.judged >= self._sent and stand.taken == stand.facts:
                return
            if stand.refused or time.monotonic() > until:
                raise NotSettledError(f"{self._sent} touchpoints were sent, and then it stood at {stand}")
            await self._look_for(LOOK_SECONDS)

    async def check(self) -> dict[str, Any]:
        """Hold what came of the promises against what was sent; raises where anything is lost, doubled or falsely broken."""
        came = await counters.verdicts(self._connection)
        late = sum(each[2] for each in came.values())
        for name, (kept, broken) in expected(self._following).items():
            was_kept, was_broken, was_late = came.get(name, (0, 0, 0))
            if (was_kept + was_late, was_broken - was_late) != (kept, broken):
                raise AssertionError(
                    f"{name}: of {self._following} orders {kept} should be kept and {broken} broken; "
                    f"it is {was_kept} kept, {was_broken} broken ({was_late} of them late)"
                )
        broken = sum(each[1] for each in came.values())
        commitments = sum(each[0] + each[1] for each in came.values())
        return {"commitments": commitments, "broken": broken, "late": late, "broken_share": broken / commitments}


async def measure(running: State, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure the flow; keys as `.local/bench.json` has them."""
    stack.publish(running)
    await stack.stamp_by_broker(running.kafka)
    connection = await asyncpg.connect(running.database["admin"])
    try:
        run = Run(running, connection, plan, say)
        say(f"full speed: {plan.warm_up:g} s of warm-up, then {plan.seconds:g} s")
        full = await run.phase(None)
        result = speed_of(full)
        if plan.profile is None:
            result |= await _half(running, run, connection, result["touchpoints_per_s"] / 2, say)
            result |= await _limits(running, result["rows_a_transaction"]["journey: touchpoints"], say)
        say("counting what came of every promise")
        return result | {"verdicts": await run.check(), "rss_mib": run.watch.peak}
    finally:
        await connection.close()


async def _half(running: State, run: Run, connection: asyncpg.Connection, rate: float, say: Say) -> dict[str, Any]:
    say(f"half of it: {rate:,.0f} touchpoints/s")
    since = await latency.end_offsets(running.kafka)
    window = await run.phase(rate)
    say("reading back when each barrier was known and each verdict said")
    found = await latency.measure(running.kafka, connection, since, (window.before.wall, window.after.wall))
    return {
        "half_rate_per_s": window.touchpoints / window.seconds,
        "barrier_to_verdict_p50_s": found.barrier_p50,
        "barrier_to_verdict_p99_s": found.barrier_p99,
        "due_to_verdict_p50_s": found.due_p50,
        "due_to_verdict_p99_s": found.due_p99,
        "verdicts_timed": found.verdicts,
        "half_rate_cpu_s_per_1000": per_thousand(window.after.use.since(window.before.use), window.touchpoints),
    }


async def _limits(running: State, batch: float, say: Say) -> dict[str, Any]:
    say("the limits: bare COPY, bare produce and consume")
    return {
        "copy_limit_per_s": await limits.copy_limit(running.database["admin"], max(1, round(batch)), LANES),
        "kafka_limit_per_s": await limits.kafka_limit(running.kafka, LANES, BATCH_BYTES),
    }


def speed_of(window: Window) -> dict[str, Any]:
    """The sustained rate, and what a thousand touchpoints cost."""
    before, after = window.before, window.after
    written = Counter(after.statistics.inserted) + Counter(after.statistics.updated)
    written.subtract(Counter(before.statistics.inserted) + Counter(before.statistics.updated))
    scanned = Counter(after.statistics.scanned)
    scanned.subtract(Counter(before.statistics.scanned))
    server = {name: after.statistics.server[name] - before.statistics.server[name] for name in after.statistics.server}
    moved = {name: after.stand.revisions[name] - before.stand.revisions.get(name, 0) for name in after.stand.revisions}
    seconds, cpu = window.seconds, after.use.since(before.use)
    return {
        "window_s": seconds,
        "touchpoints_per_s": window.touchpoints / seconds,
        "judged_per_s": (after.stand.judged - before.stand.judged) / seconds,
        "lag": {"at_begin": before.stand.journalled - before.stand.through, "at_end": after.stand.journalled - after.stand.through},
        "cpu_s_per_1000": per_thousand(cpu, window.touchpoints),
        "generator_cpu_s_per_1000": window.sent.cpu_seconds / window.sent.touchpoints * 1000,
        "cpu_busy": {"system": sum(cpu.values()) / seconds, "machine": (after.use.machine - before.use.machine) / seconds},
        "rows_per_1000": per_thousand({name: number for name, number in written.items() if number}, window.touchpoints),
        "rows_scanned_per_1000": per_thousand({name: number for name, number in scanned.items() if number}, window.touchpoints),
        "server_per_1000": per_thousand(server, window.touchpoints),
        "transactions_per_1000": per_thousand({name: number for name, number in moved.items() if number}, window.touchpoints),
        "rows_a_transaction": rows_a_transaction(before.stand, after.stand, moved),
    }


def rows_a_transaction(before: Stand, after: Stand, moved: dict[str, int]) -> dict[str, float]:
    """How many records a service took at once, on average."""
    taken = {
        "journey: touchpoints": after.journalled - before.journalled,
        "promises: journey": after.judged - before.judged,
        "journey: promises": after.taken - before.taken,
        "recovery: promises": after.taken - before.taken,
    }
    return {name: number / moved[name] for name, number in taken.items() if moved.get(name)}


def per_thousand(amounts: dict[str, Any], touchpoints: float) -> dict[str, float]:
    """Amounts for each thousand touchpoints."""
    return {name: amount / touchpoints * 1000 for name, amount in amounts.items()}
