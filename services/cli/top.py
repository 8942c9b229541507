"""`top`: is it healthy, how far behind, what is stuck, and what to do; again and again, until told to stop."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table

from services.cli import console
from services.cli.client import Client, running
from services.cli.rest import Lane, Rest, Row

SERVICES: Final = ("journey", "promises", "recovery")
OLD, MANY, SLOW = 5.0, 1000, 0.5
"""What is pointed out: seconds of a barrier's age, effects that wait to be published, seconds that an answer takes."""


class Look(NamedTuple):
    """What was seen at one moment."""

    at: datetime
    live: bool
    lanes: Mapping[str, Mapping[Lane, Row]]
    took: Mapping[str, float]
    """Seconds that each service needed to say where it stands."""
    away: tuple[str, ...]
    """Processes that do not answer, or say that they are not ready."""
    silent: tuple[str, ...]
    refused: int


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(top)


def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and exit 1 where something is to be done.")] = False,
    every: Annotated[float, typer.Option(min=0.2, metavar="SECONDS", help="Look again this often.")] = 2.0,
) -> None:
    """Show whether it is healthy, how far behind it is, what is stuck and what to do, as it goes on."""
    stack = running()
    with Client(stack) as client:
        rest = Rest(client, stack)

        def look() -> Look:
            lanes, took = {}, {}
            for service in SERVICES:
                began = time.perf_counter()
                lanes[service] = rest.rows(service)
                took[service] = time.perf_counter() - began
            away = tuple(name for name in stack.health if not client.is_ready(name))
            silent = tuple(each["source"] for each in client.get("journey", "/v1/sources")["items"] if each["state"] == "silent")
            refused = sum(1 for _ in client.pages("journey", "/v1/quarantine", settled=False, limit=100))
            return Look(datetime.now(UTC), stack.clock == "live", lanes, took, away, silent, refused)

        if once:
            seen = look()
            console.output().print(drawn(seen))
            raise typer.Exit(1 if advice(seen) else 0)
        with Live(drawn(look()), console=console.output(), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(drawn(look()), refresh=True)


def advice(seen: Look) -> list[str]:
    """What is to be done, the worst first; docs/operations.md says more."""
    said = [f"{name} is not ready: `makegood doctor` says why" for name in seen.away]
    for service, lanes in seen.lanes.items():
        if old := [f"{topic}/{number}" for (topic, number), row in lanes.items() if _age(seen, row) > OLD]:
            said.append(f"{service} is behind on {', '.join(old)}: is its consumer ready, and does Kafka answer? (BarrierStuck)")
        if (waiting := sum(row.outbox for row in lanes.values())) > MANY:
            said.append(f"{service} has {waiting:,} effects that Kafka has not acknowledged: look at Kafka (OutboxGrowing)")
        if seen.took[service] > SLOW:
            said.append(f"{service} took {seen.took[service]:.1f} s to answer: look at its database")
    said += [f"source {name} is silent, and what depends on it is held: wake it, or retire it (SourceSilent)" for name in seen.silent]
    if seen.refused:
        said.append(f"{seen.refused:,} refused records wait for a person, in the workbench's /operations (QuarantineRising)")
    return said


def drawn(seen: Look) -> Group:
    """The whole view."""
    table: Table = console.table("service", "topic", numbers=("partition", "barrier age", "outbox"))
    for service, lanes in seen.lanes.items():
        for (topic, partition), row in sorted(lanes.items()):
            age = "never" if row.arrival is None else f"{_age(seen, row):.1f} s" if seen.live else "replayed"
            table.add_row(service, topic, str(partition), age, f"{row.outbox:,}")
    said = advice(seen)
    return Group(f"{seen.at:%H:%M:%S} UTC  {'healthy' if not said else 'to be done:'}", *(f"  !! {each}" for each in said), table)


def _age(seen: Look, row: Row) -> float:
    """Seconds since the arrival that a lane has applied; 0 on a replayed clock, and before anything came."""
    return (seen.at - row.arrival).total_seconds() if seen.live and row.arrival is not None else 0.0
