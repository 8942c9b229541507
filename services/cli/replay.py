"""`replay` and `tick`: history through Kafka as if it happened now, on the replay clock, where records say what time it is.

Between two moments that we send nobody can speak. So where recovery lives and has said all, time passes in its name too:
its heartbeat goes before our ticks.
"""

import asyncio
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from contracts.topics import ACTS, TOUCHPOINTS
from deploy.errors import StackError
from deploy.local.state import State
from services.chassis import rfc3339
from services.chassis.instants import MILLISECOND, from_milliseconds, text_of, to_milliseconds
from services.chassis.relay import CONTENT_TYPE, NotAcknowledgedError, Outgoing, Relay
from services.chassis.settings import Clock, Settings
from services.cli import console, lines
from services.cli.client import Client, running
from services.cli.console import Showing
from services.cli.lines import Arrivals
from services.cli.rest import POLL, Rest
from services.journey.domain import TICK
from services.recovery.events import heartbeat

RAW: Final = (TOUCHPOINTS, ACTS)
"""Their partitions are the lanes."""
BATCH: Final = 1_000
"""Records between ticks."""
_CAUGHT_UP_SECONDS: Final = 120.0
_A_MOMENT: Final = 3.0
Ordered = Iterator[tuple[int, bytes]]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("replay")(replay_command)
    app.command("tick")(tick_command)


def replay_command(
    events: Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True, help="CloudEvents, JSON Lines, gzipped or not.")],
    until: Annotated[str | None, typer.Option(metavar="TIME", help="What arrived later stays out. Default: the latest arrival.")] = None,
) -> None:
    """Send history in order of arrival into a system on the replay clock, and move its time to the end of it."""
    limit = None if until is None else instant(until, "--until")
    sent, end = replay(running(), events, limit)
    said = f"{console.plural(sent, 'event')} sent, as of {text_of(end)}"
    console.messages().print(f"{said}; `makegood status --wait` says when all is judged")


def tick_command(to: Annotated[str, typer.Option(metavar="TIME", help="RFC 3339, as in 2026-01-31T08:30:00Z.")]) -> None:
    """Let time pass on the replay clock: everything that arrived up to this time counts as read."""
    moment = instant(to, "--to")
    advance(running(), moment)


def instant(text: str, option: str) -> datetime:
    """Read a time that was given as an option."""
    try:
        return rfc3339.parse(text).astimezone(UTC)
    except rfc3339.BadTime as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def replay(stack: State, events: Path, until: datetime | None = None) -> tuple[int, datetime]:
    """Send the events of a file in order of arrival; return how many, and the time that was reached."""
    _require_replay_clock(stack)
    with lines.opened(events) as file:
        found = lines.arrivals(file, until)
        if not found and until is None:
            raise StackError(f"{events}: there is no event in it that could be replayed")
        end = until or found.last
        _refuse_the_past(stack, found.first if found else end)
        moving = _Moving(_recovery_has_said_all(stack))
        asyncio.run(_send(stack, lines.in_order_of_arrival(file, found), end, len(found), moving))
    _tell_unreadable(events, found)
    return len(found), end


def advance(stack: State, to: datetime) -> None:
    """Tick every lane, so that everything that arrived up to this time counts as read."""
    _require_replay_clock(stack)
    _refuse_the_past(stack, to, caught_up=False)

    moving = _Moving(_recovery_has_said_all(stack))

    async def work() -> None:
        relay = _relay(stack)
        try:
            await relay.publish(moving.ticks(await _lanes(relay), _behind(to)))
        finally:
            await relay.close()

    asyncio.run(_acknowledged(work()))


def produce(stack: State, events: list[dict[str, Any]]) -> None:
    """Write touchpoints straight to Kafka in their order, each arriving at its own time."""
    ordered = ((to_milliseconds(rfc3339.parse(each["time"])), orjson.dumps(each)) for each in events)

    async def work() -> None:
        relay = _relay(stack)
        try:
            partitions = await relay.partitions(TOUCHPOINTS)
            await relay.publish([_record(arrival, line, partitions) for arrival, line in ordered])
        finally:
            await relay.close()

    asyncio.run(_acknowledged(work()))


async def _send(stack: State, ordered: Ordered, end: datetime, total: int, moving: "_Moving") -> None:
    relay = _relay(stack)
    try:
        with Showing("events sent", total) as showing:
            await _acknowledged(_send_all(relay, ordered, end, showing, moving))
    finally:
        await relay.close()


async def _send_all(relay: Relay, ordered: Ordered, end: datetime, showing: Showing, moving: "_Moving") -> None:
    lanes = await _lanes(relay)
    batch: list[Outgoing] = []
    for done, (arrival, line) in enumerate(ordered, start=1):
        batch.append(_record(arrival, line, lanes[TOUCHPOINTS]))
        if len(batch) == BATCH:
            await relay.publish(batch + moving.ticks(lanes, arrival))
            batch = []
            showing.advance(done)
    await relay.publish(batch + moving.ticks(lanes, _behind(end)))


async def _acknowledged(work: Any) -> None:
    try:
        await work
    except NotAcknowledgedError as error:
        message = f"Kafka did not acknowledge everything ({error}): send all of it again, what was taken is recognised"
        raise StackError(message) from error


async def _lanes(relay: Relay) -> dict[str, int]:
    return {topic: await relay.partitions(topic) for topic in RAW}


def _record(arrival: int, line: bytes, partitions: int) -> Outgoing:
    key = str(orjson.loads(line).get("subject") or "").encode()
    return Outgoing(TOUCHPOINTS, zlib.crc32(key) % partitions, key or None, line, [CONTENT_TYPE], arrival)


@dataclass(frozen=True, slots=True)
class _Moving:
    """How time is moved."""

    in_the_name_of_recovery: bool

    def ticks(self, lanes: dict[str, int], milliseconds: int) -> list[Outgoing]:
        at = from_milliseconds(milliseconds)
        beats = [
            Outgoing(ACTS, partition, None, heartbeat(partition, at), [CONTENT_TYPE], milliseconds)
            for partition in range(lanes[ACTS] if self.in_the_name_of_recovery else 0)
        ]
        return beats + [_tick(topic, each, milliseconds) for topic, partitions in lanes.items() for each in range(partitions)]


def _recovery_has_said_all(stack: State) -> bool:
    """Whether recovery lives, and everything it has committed is published within a moment."""
    until = time.monotonic() + _A_MOMENT
    with Client(stack) as client:
        while time.monotonic() < until and client.is_ready("recovery-consume"):
            if not any(lane["outbox"] for lane in client.get("recovery", "/v1/status")["lanes"]):
                return True
            time.sleep(POLL / 2)
    return False


def _tick(topic: str, partition: int, milliseconds: int) -> Outgoing:
    time = text_of(from_milliseconds(milliseconds))
    value = {
        "specversion": "1.0",
        "id": f"{topic}/{partition}/{time}",
        "source": "makegood/replay",
        "type": TICK,
        "time": time,
    }
    return Outgoing(topic, partition, None, orjson.dumps(value), [CONTENT_TYPE], milliseconds)


def _behind(moment: datetime) -> int:
    """The first whole millisecond whose tick vouches for a moment: a lane vouches for what lies before its arrival."""
    return to_milliseconds(moment + MILLISECOND + timedelta(microseconds=999))


def _relay(stack: State) -> Relay:
    return Relay(Settings(kafka=stack.kafka, database=stack.database["admin"], clock=Clock.REPLAY))


def _require_replay_clock(stack: State) -> None:
    if stack.clock != Clock.REPLAY:
        raise StackError(
            "this system is on the live clock, where only Kafka says what time it is. Start another one for history: "
            "`MAKEGOOD_DATA=FOLDER makegood up --clock replay`"
        )


def _refuse_the_past(stack: State, start: datetime, *, caught_up: bool = True) -> None:
    """Time does not go back: what arrived before where the lanes stand would be judged as arriving now."""
    with Client(stack) as client:
        if caught_up:
            asyncio.run(Rest(client, stack).read(_CAUGHT_UP_SECONDS))
        now = standing_at(client)
    if now is not None and start + MILLISECOND < now:
        raise StackError(
            f"this system has reached {text_of(now)}, and this begins at {text_of(start)}: time does not go back. "
            "Replay older history into a system of its own (MAKEGOOD_DATA)."
        )


def standing_at(client: Client) -> datetime | None:
    """Return the latest arrival that any lane has reached; None before anything arrived."""
    rows = client.get("journey", "/v1/status")["lanes"]
    reached = [rfc3339.parse(row["arrival"]) for row in rows if row["topic"] in RAW and row["arrival"]]
    return max(reached, default=None)


def _tell_unreadable(events: Path, found: Arrivals) -> None:
    if not found.unreadable:
        return
    err = console.messages()
    err.print(f"{console.plural(found.unreadable, 'line')} of {events} not sent:")
    for example in found.examples:
        err.print(f"  {example}")
