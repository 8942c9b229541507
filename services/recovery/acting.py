"""What people do to cases, each act in the lane of its customer, beside the lane's consumer: load, decide, save."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.acts import Act
from services.chassis.database import Transaction, driven
from services.chassis.instants import from_milliseconds, to_milliseconds
from services.chassis.keys import partition_of
from services.chassis.preconditions import Expected, Once
from services.chassis.progress import Progress, read_progress
from services.chassis.settings import Clock
from services.chassis.telemetry import current_traceparent
from services.chassis.turns import take_turn
from services.recovery import domain, erasure, store
from services.recovery.desk import Desk, save
from services.recovery.domain.case import Case, Failure, Happened, Severity
from services.recovery.domain.deeds import Actor, Deed
from services.recovery.domain.ledger import SPENDING
from services.recovery.domain.messages import Written, preview
from services.recovery.domain.people import Room
from services.recovery.domain.severity import at_stake
from services.recovery.domain.things import thing_id
from services.recovery.playbooks import Playbooks
from services.recovery.settings import RecoverySettings
from services.recovery.store import ACTED, CREATED, Answer, attachments, giving, mass, people

MAKES_OWNER: Final = frozenset({"own_case", "assign_case", "accept_case"})


class NoSuchCaseError(Exception):
    """There is no such case."""


class NoSuchPlaybookError(Exception):
    """There is no such playbook; publish it, or leave it out."""


class ClockNotStartedError(Exception):
    """On the replay clock nothing has been judged for this customer's partition yet, so there is no now; send ticks."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An act of the table that somebody wants done on a case they have seen in some version; `once` where it creates something."""

    case: UUID
    act: Act
    actor: Actor
    seen: Expected
    needs: Mapping[str, Any] = field(default_factory=dict)
    once: Once | None = None
    file: bytes | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody says that we failed a customer, beside what promises tell."""

    customer: UUID
    actor: Actor
    what: str
    once: Once
    severity: Severity | None = None
    playbook: str | None = None
    value: Mapping[str, str] | None = None


Render = Callable[[Case], bytes]


class People:
    """What people do to cases, each act in the lane of its customer, beside the lane's consumer."""

    def __init__(self, engine: AsyncEngine, settings: RecoverySettings) -> None:
        """For one process of the API."""
        self._engine, self._settings = engine, settings
        self._playbooks = Playbooks(settings.plain)

    async def do(self, wish: Wish, render: Render) -> Answer:
        """Do a person's act in the lane of the case, or give the answer it got before."""
        partition = await store.partition_of_case(self._engine, wish.case)
        if partition is None:
            raise NoSuchCaseError(NoSuchCaseError.__doc__)

        async def work(tx: Transaction, progress: Progress) -> tuple[Desk, Case]:
            return await self._act(tx, progress, wish)

        return await self._once(partition, wish.once, work, render)

    def now(self, progress: Progress) -> datetime:
        """The time of what is done on a lane now."""
        return _now(self._settings, progress)

    async def desk(self, tx: Transaction, progress: Progress, cases: Iterable[UUID]) -> Desk:
        """These cases, to work on them in a lane's turn."""
        await self._playbooks.refresh(tx)
        return Desk(self._playbooks, progress.partition, await store.cases_of(tx.connection, ids=list(cases)))

    async def preview(self, case: UUID, name: str, language: str | None) -> Written:
        """How a message of the case's playbook would read; changes nothing."""
        async with driven(self._engine, "SELECT 1") as (tx, _):
            stored = await store.case_of(tx.connection, case)
            if stored is None:
                raise NoSuchCaseError(NoSuchCaseError.__doc__)
            await erasure.require_known(tx, stored.case.customer)
            await self._playbooks.refresh(tx)
            others = await store.cases_of(tx.connection, [stored.case.customer])
            return preview(stored.case, self._playbooks.of(stored.case), name, language, [each.case for each in others.values()])

    async def report(self, report: Report, render: Render) -> Answer:
        """Let a report join the customer's case in work, or open one, or give the answer it got before."""

        async def work(tx: Transaction, progress: Progress) -> tuple[Desk, Case]:
            return await self._report(tx, progress, report)

        lanes = await store.lanes(self._engine)
        return await self._once(partition_of(report.customer, lanes), report.once, work, render)

    async def _once(
        self, partition: int, once: Once | None, work: Callable[[Transaction, Progress], Awaitable[tuple[Desk, Case]]], render: Render
    ) -> Answer:
        async def turn(tx: Transaction, progress: Progress) -> Answer:
            if once and (before := await store.answered(tx.connection, once)):
                once.require_same(before.fingerprint)
                return before
            await self._playbooks.refresh(tx)
            desk, case = await work(tx, progress)
            await save(tx, progress, desk)
            answer = Answer(b"", CREATED if once else ACTED, case.version, render(case))
            if once:
                await store.remember(tx.connection, once, answer, case.id)
            return answer

        return await take_turn(self._engine, store.INPUT_TOPIC, partition, self._settings.act_attempts, turn)

    async def _act(self, tx: Transaction, progress: Progress, wish: Wish) -> tuple[Desk, Case]:
        stored = await store.case_of(tx.connection, wish.case)
        if stored is None:
            raise NoSuchCaseError(NoSuchCaseError.__doc__)
        await erasure.require_known(tx, stored.case.customer)
        wish.seen.require(stored.case.version)
        at, key = _now(self._settings, progress), wish.once.name if wish.once else ""
        actor = replace(wish.actor, covers=await people.covered_by(tx.connection, wish.actor.subject, at))
        room = await self._room(tx, wish) if wish.act.name in MAKES_OWNER else None
        playbook = self._playbooks.of(stored.case)
        spent = await giving.spent(tx, playbook, at) if wish.act.name in SPENDING else Decimal(0)
        if wish.act.name == mass.GROUP:
            await mass.require_open(tx.connection, wish.needs["mass_failure"])
        deed = Deed(wish.act.name, actor, at, playbook, wish.needs, key, room, spent=spent)
        into = wish.needs.get("into")
        others = [each.case for each in (await store.cases_of(tx.connection, [stored.case.customer], [into] if into else [])).values()]
        desk = Desk(self._playbooks, progress.partition, {wish.case: stored}, others=others)
        desk.happen(wish.case, domain.act(stored.case, deed, wish.act, others), current_traceparent())
        if wish.act.name == "remove_file":
            await attachments.remove(tx, wish.case, wish.needs["attachment"])
        if wish.file is not None:
            await attachments.keep(tx, stored.case.customer, thing_id(wish.case, key), wish.file)
        return desk, desk.stored[wish.case].case

    async def _room(self, tx: Transaction, wish: Wish) -> Room:
        """How much more whoever would own the case can take; nobody else gives them one meanwhile."""
        _, load = await people.person_in_turn(tx, wish.needs.get("to", wish.actor.subject))
        return Room(load, self._settings.limits)

    async def _report(self, tx: Transaction, progress: Progress, report: Report) -> tuple[Desk, Case]:
        await erasure.require_known(tx, report.customer)
        desk = Desk(self._playbooks, progress.partition, await store.cases_of(tx.connection, [report.customer]))
        playbook = self._playbooks.named(report.playbook)
        if report.playbook is not None and playbook.name is None:
            raise NoSuchPlaybookError(NoSuchPlaybookError.__doc__)
        failure = Failure(
            uuid5(report.customer, report.once.name), None, report.severity or playbook.severity, _now(self._settings, progress),
            what=report.what,
        )  # fmt: skip
        case = desk.fail(report.customer, failure, playbook, current_traceparent(), report.actor.subject)
        assert case is not None, "a failure that was never told before is in some case"
        if report.value is not None:
            said = Happened("assessed", report.actor.subject, failure.broken_at, at_stake(report.value), {"why": report.what})
            desk.happen(case, [said], current_traceparent())
        return desk, desk.stored[case].case


async def time_of(engine: AsyncEngine, settings: RecoverySettings, partition: int = 0) -> datetime:
    """The time at which a lane stands, for who only reads."""
    return _now(settings, await read_progress(engine, store.INPUT_TOPIC, partition))


def _now(settings: RecoverySettings, progress: Progress) -> datetime:
    """The time of an act: on the replay clock what the lane has reached is now (DESIGN 3)."""
    if settings.clock is Clock.LIVE:
        return from_milliseconds(to_milliseconds(datetime.now(UTC)))
    if progress.arrival is None:
        raise ClockNotStartedError(ClockNotStartedError.__doc__)
    return progress.arrival
