"""Forgetting a customer, as journey's log says it: nothing more is read or said of them, and what was kept is emptied bit by bit.

The lane notes whom to forget, in its own transaction, and leaves their commitments as they were judged last: what is open stays open.
The rest is work without a lane, in bounded steps, each of which may be the last of its process; behind it promises says that it is done.
"""

from typing import Final

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.chores import Chore
from services.chassis.database import Transaction
from services.chassis.instants import text_of
from services.chassis.progress import Progress
from services.chassis.redaction import impersonal
from services.chassis.turns import take_turn
from services.promises.facts import SOURCE, Fact, packed
from services.promises.handlers import JOURNEY, TURNS
from services.promises.store import erasure as store
from services.promises.store.erasure import Erasure, Work
from services.promises.store.rejudging import append

ERASED: Final = "makegood.promises.erased"


class Eraser(Chore):
    """Does what is left to do of erasures."""

    name = "an erasure"

    def __init__(self, engine: AsyncEngine) -> None:
        """For promises' database."""
        self._engine = engine

    async def step(self) -> bool:
        """Do one bounded piece; False where there is none."""
        async with store.step(self._engine) as tx:
            claimed = store.claimed_erasure(tx)
            if claimed is None:
                return False
            erasure, work = claimed
            if work.part != "tell":
                following, number = await _do(tx, erasure, work)
                await store.advance(tx, erasure.customer, following, number)
                return True
        await self._tell(erasure)
        return True

    async def _tell(self, erasure: Erasure) -> None:
        """Say, in the customer's lane, that nothing is left; once, whoever is faster."""

        async def work(tx: Transaction, progress: Progress) -> None:
            if await store.finish(tx, erasure.customer):
                progress.ordinal += 1
                await append(tx, [], list(packed(progress, [Fact(progress.ordinal, erasure.customer, _body(erasure, progress))])))

        await take_turn(self._engine, JOURNEY, erasure.partition, TURNS, work)


async def _do(tx: Transaction, erasure: Erasure, work: Work) -> tuple[Work, int]:
    if work.part == "packs":
        after, number = await store.rewrite_packs(tx, erasure, work.after, impersonal)
        return (Work("packs", after) if after else Work("evidence")), number
    if work.part == "evidence":
        number = await store.empty_evidence(tx, erasure.customer)
        return (work if number == store.ROWS_AT_ONCE else Work("commitments")), number
    await store.empty_commitments(tx, erasure.customer)
    await store.empty_rest(tx, erasure.customer)
    return Work("tell"), 0


def _body(erasure: Erasure, progress: Progress) -> bytes:
    event = {
        "specversion": "1.0", "id": f"{erasure.customer}:erased", "source": SOURCE, "type": ERASED,
        "time": text_of(progress.arrival or erasure.at), "customer": str(erasure.customer), "data": {},
    }  # fmt: skip
    return orjson.dumps(event)
