"""`status`: where every lane stands, and waiting until everything is judged."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from contracts.topics import ACTS, JOURNEY, PROMISES, RECOVERY, TOUCHPOINTS
from deploy.local.state import State
from services.chassis.instants import text_of
from services.chassis.offsets import Ends, Offsets
from services.cli import console
from services.cli.client import Client, running, workbench_line
from services.cli.console import Waiting
from services.cli.rest import Rest, Row

_READ: Final = {
    "journey": (TOUCHPOINTS, ACTS, PROMISES, RECOVERY),
    "promises": (JOURNEY,),
    "recovery": (PROMISES,),
}
_NUMBERS: Final = ("partition", "read", "of", "lag", "outbox")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(status)


def status(
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Return when everything sent so far is judged and at rest.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="With --wait: then exit 1, and say what is stuck.")] = 600,
) -> None:
    """Show where every lane stands: what is read, the time or the barrier it has reached, what is still to be published."""
    stack = running()
    with Client(stack) as client:
        if wait:
            wait_for_rest(client, stack, timeout)
            return
        rest = Rest(client, stack)
        ends = asyncio.run(_ends(stack))
        table = console.table("service", "topic", numbers=_NUMBERS)
        table.add_column("time or barrier", no_wrap=True)
        for cells in _cells(rest, ends):
            table.add_row(*cells)
    console.output().print(table)
    console.output().print(workbench_line(stack))


def wait_for_rest(client: Client, stack: State, seconds: float) -> None:
    """Wait until everything sent so far is judged and at rest, telling what for when it takes long."""
    with Waiting() as waiting:
        asyncio.run(Rest(client, stack, waiting.tell).wait(seconds))


async def _ends(stack: State) -> Ends:
    async with Offsets(stack.kafka) as offsets:
        return await offsets.ends((TOUCHPOINTS, ACTS, JOURNEY, PROMISES, RECOVERY))


def _cells(rest: Rest, ends: Ends) -> Iterator[tuple[str, ...]]:
    for service, topics in _READ.items():
        rows = rest.rows(service)
        for topic in topics:
            for (_, partition), row in sorted(each for each in rows.items() if each[0][0] == topic):
                yield service, topic, str(partition), *_figures(row, ends.get((topic, partition), 0))


def _figures(row: Row, end: int) -> tuple[str, ...]:
    at = "" if row.arrival is None else text_of(row.arrival)
    return f"{row.position:,}", f"{end:,}", f"{max(0, end - row.position):,}", f"{row.outbox:,}", at
