"""One act done to many cases: each case decides by itself, in its lane, in bounded batches that a crash neither loses nor doubles.

What became of a case is written in the transaction that does the act, and what an act creates has an id made of the run: done again, it is
the same. Runs go on beside the lanes of every consuming process; a case is claimed by one of them.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.acts import BY_NAME, Act
from services.chassis.database import Transaction
from services.chassis.faults import WORLD
from services.chassis.preconditions import Expected
from services.chassis.problems import Problem
from services.chassis.progress import Progress
from services.chassis.redaction import told
from services.chassis.turns import LaneIsBusyError, take_turn
from services.recovery import domain, store
from services.recovery.acting import MAKES_OWNER, ClockNotStartedError, People
from services.recovery.desk import Desk, save
from services.recovery.domain import grouping
from services.recovery.domain.case import Case
from services.recovery.domain.deeds import Actor, Deed, RefusedError
from services.recovery.domain.ledger import SPENDING
from services.recovery.domain.people import Room
from services.recovery.domain.things import thing_id
from services.recovery.erasure import CustomerErasedError, require_known
from services.recovery.settings import RecoverySettings
from services.recovery.store import bulk, giving, mass, people
from services.recovery.store.bulk import Item, Run

log = logging.getLogger(__name__)
BATCH: Final = 50
"""Cases in a transaction: the lane of others waits so long at most."""
PAUSE_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 5.0
_ONE_BY_ONE: Final = SPENDING | MAKES_OWNER
"""Acts that are decided by what those before them have left in the tables: a budget, and what somebody carries."""


def key(run: Run) -> str:
    """What names the things that a run creates in its cases."""
    return f"bulk {run.id}"


class Bulk:
    """What one process does of all runs."""

    def __init__(self, engine: AsyncEngine, settings: RecoverySettings) -> None:
        """Beside the lanes of a process, or by itself."""
        self._engine, self._settings = engine, settings
        self._people = People(engine, settings)
        self._sweep_at = float("-inf")

    async def keep_working(self) -> None:
        """Do what waits, for ever; what the world does not let through is tried again."""
        while True:
            more = False
            try:
                more = await self.step()
            except (*WORLD, LaneIsBusyError, ClockNotStartedError) as error:
                log.warning("acts on many cases wait", extra={"error": told(error)})
            await asyncio.sleep(0 if more else PAUSE_SECONDS)

    async def step(self) -> bool:
        """Do the next batch; False where nothing waits."""
        piece = await bulk.next_piece(self._engine)
        if piece is None:
            await bulk.finish(self._engine)
            return await self._sweep()
        run, partition = piece
        act = BY_NAME[run.act]
        at_once = 1 if act.name in _ONE_BY_ONE and run.mass_failure is None else BATCH

        async def turn(tx: Transaction, progress: Progress) -> None:
            claimed = await bulk.claim(tx, run.id, partition, at_once)
            await bulk.settle(tx, run, await self._do(tx, progress, run, act, claimed))

        await take_turn(self._engine, store.INPUT_TOPIC, partition, self._settings.act_attempts, turn)
        return True

    async def _sweep(self) -> bool:
        """See every few seconds whether more cases belong to a mass failure."""
        now = time.monotonic()
        if now < self._sweep_at:
            return False
        found = await mass.sweep(self._engine)
        self._sweep_at = now if found else now + SWEEP_SECONDS
        return found

    async def _do(self, tx: Transaction, progress: Progress, run: Run, act: Act, claimed: Sequence[Item]) -> list[Item]:
        desk = await self._people.desk(tx, progress, [each.case_id for each in claimed])
        customers = {each.case.customer for each in desk.stored.values()}
        beside = await store.cases_of(tx.connection, customers)
        desk.others = [each.case for identity, each in beside.items() if identity not in desk.stored]
        at = self._people.now(progress)
        actor = Actor(run.subject, frozenset(run.roles), frozenset(run.teams))
        actor = replace(actor, covers=await people.covered_by(tx.connection, run.subject, at))
        outcomes = []
        for item in claimed:
            case = desk.stored[item.case_id].case
            try:
                await self._act(tx, desk, run, act, Deed(act.name, actor, at, desk.playbooks.of(case)), case, item)
                outcomes.append(item._replace(state=bulk.DONE))
            except (RefusedError, CustomerErasedError, Problem) as error:
                outcomes.append(item._replace(state=bulk.REFUSED, reason=str(error)))
        await save(tx, progress, desk)
        return outcomes

    async def _act(self, tx: Transaction, desk: Desk, run: Run, act: Act, deed: Deed, case: Case, item: Item) -> None:
        await require_known(tx, case.customer)
        if item.seen is not None:
            Expected(frozenset({str(item.seen)})).require(case.version)
        needs = _needs(run, act, case, deed.at)
        room, spent = None, Decimal(0)
        if act.name in MAKES_OWNER and run.mass_failure is None:
            _, load = await people.person_in_turn(tx, needs.get("to", run.subject))
            room = Room(load, self._settings.limits)
        if act.name in SPENDING:
            spent = await giving.spent(tx, deed.playbook, deed.at)
        mine = [*desk.of_customer(case.customer), *(each for each in desk.others if each.customer == case.customer)]
        if run.mass_failure is not None and act.name != mass.GROUP:
            grouping.require_part(case, run.mass_failure)
            deed = replace(deed, actor=replace(deed.actor, leads=True))
        deed = replace(deed, needs=needs, key=key(run), room=room, spent=spent)
        desk.happen(case.id, domain.act(case, deed, act, mine), None)


def _needs(run: Run, act: Act, case: Case, at: datetime) -> dict[str, Any]:
    """What the act needs in this case: the same in all but for when it is due, and which thing of the case it is about."""
    given = dict(run.needs) | ({} if run.within is None else {"due": (at + run.within).isoformat()})
    needs = act.needs.model_validate(given).model_dump()
    if act.thing is not None and run.made_by is not None:
        needs[act.thing] = thing_id(case.id, f"bulk {run.made_by}")
    return needs
