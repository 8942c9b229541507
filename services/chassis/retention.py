"""Letting go of what has had its time: bounded batches, each a transaction of its own, beside whatever else goes on.

A service says which statements; each takes away at most `AT_ONCE` rows that are older than a moment, and is said again while it finds
as many. Why not by dropping partitions: docs/decisions/0017.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import sqlalchemy as sa

from services.chassis.database import transaction
from services.chassis.process import Context, Task
from services.chassis.settings import Clock

History = Callable[[Context, datetime], Awaitable[Mapping[str, int]]]
"""Lets go of what is older than a moment, in bounded batches; how many rows of which table went."""
AT_ONCE: Final = 5000
LEAST: Final = 32
"""Days; repeats are known for 30 and a day's margin on both sides."""


def retaining(statements: Mapping[str, str], history: History | None = None) -> Task:
    """The task that carries out these statements, by the name of their table; `$1` is the moment, `$2` how many rows at most.

    What a service can let go of beside that, because nobody wants to keep it for ever, is its `history`: only where it is asked to.
    """

    async def retain(context: Context, arguments: Sequence[str]) -> int:
        reading = ArgumentParser("retain")
        reading.add_argument("--days", type=int, required=True, help=f"keep what is younger; at least {LEAST}")
        if history is not None:
            reading.add_argument("--history", type=int, metavar="DAYS", help="let go of history that is older, too; it cannot be undone")
        asked = reading.parse_args(arguments)
        old = getattr(asked, "history", None)
        if min(asked.days, old or asked.days) < LEAST:
            reading.error(f"days must be at least {LEAST}: by what is younger, repeats are known for what they are")
        if context.settings.clock is Clock.REPLAY:
            reading.error("a system on the replay clock holds history, all of which is old")
        before = datetime.now(UTC) - timedelta(days=asked.days)
        for table, statement in statements.items():
            _tell(table, before, await delete_older(context, statement, before))
        if history is not None and old is not None:
            before = datetime.now(UTC) - timedelta(days=old)
            for table, number in (await history(context, before)).items():
                _tell(table, before, number)
        return 0

    return retain


def _tell(table: str, before: datetime, number: int) -> None:
    sys.stdout.buffer.write(orjson.dumps({"table": table, "before": before, "rows": number}) + b"\n")
    sys.stdout.buffer.flush()


async def delete_older(context: Context, statement: str, before: datetime) -> int:
    """Carry out one statement until it finds nothing more; returns how many rows it took."""
    total = 0
    while True:
        async with transaction(context.engine, sa.text("SELECT 1"), {}) as tx:
            done = await tx.driver.execute(statement, before, AT_ONCE)
        number = int(done.rpartition(" ")[2])
        total += number
        if number < AT_ONCE:
            return total
