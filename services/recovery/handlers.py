"""What recovery does with the facts of makegood.promises and with people's acts: load, decide, save."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.acts import Act
from services.chassis.database import Driver, Transaction, driven
from services.chassis.faults import BadDeployError
from services.chassis.instants import from_milliseconds, to_milliseconds
from services.chassis.keys import partition_of
from services.chassis.lane import Handler
from services.chassis.numbering import HighWater, Number, written_number
from services.chassis.preconditions import Expected, Once
from services.chassis.progress import Progress, read_progress
from services.chassis.records import Record
from services.chassis.redaction import told
from services.chassis.relay import CONTENT_TYPE, Outgoing, lane_header
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry, current_traceparent
from services.chassis.turns import take_turn
from services.recovery import domain, erasure, facts, store, telling
from services.recovery.domain import failing, owed, restoring
from services.recovery.domain.case import SYSTEM, Case, Failure, Happened, Severity
from services.recovery.domain.deeds import Actor, Deed
from services.recovery.domain.ledger import SPENDING
from services.recovery.domain.messages import Written, preview
from services.recovery.domain.people import Room
from services.recovery.domain.playbook import Playbook
from services.recovery.domain.severity import at_stake
from services.recovery.domain.things import thing_id
from services.recovery.events import FACTS, Message, messages
from services.recovery.facts import Erased, Fact
from services.recovery.heartbeat import HERALD, Herald
from services.recovery.memory import Memory
from services.recovery.playbooks import Playbooks
from services.recovery.settings import RecoverySettings
from services.recovery.store import ACTED, CREATED, Answer, Change, Sent, Stored, attachments, deliveries, giving, mass, people
from services.recovery.telling import Telling

MAKES_OWNER: Final = frozenset({"own_case", "assign_case", "accept_case"})


class NoSuchCaseError(Exception):
    """There is no such case."""


class NoSuchPlaybookError(Exception):
    """There is no such playbook; publish it, or leave it out."""


class ClockNotStartedError(Exception):
    """On the replay clock nothing has been judged for this customer's partition yet, so there is no now; send ticks."""


@dataclass(slots=True)
class Desk:
    """The cases that one transaction works on, as they stand after what happened so far."""

    playbooks: Playbooks
    partition: int
    stored: dict[UUID, Stored]
    done: dict[UUID, list[Happened]] = field(default_factory=dict)
    said: list[Message] = field(default_factory=list)
    told: list[Telling] = field(default_factory=list)
    """Who is told by other ways than the log."""
    others: Sequence[Case] = ()
    """Further cases of these customers, which are read alone."""

    def of_customer(self, customer: UUID) -> list[Case]:
        """The customer's cases that are on the desk."""
        return [each.case for each in self.stored.values() if each.case.customer == customer]

    def happen(self, identity: UUID, news: Iterable[Happened], traceparent: str | None) -> None:
        """Put what happened, and what follows from it, into the case and into what is said."""
        known = self.stored.get(identity)
        happened = list(news)
        if not happened:
            return
        playbook = self.playbooks.of(known.case) if known else self.playbooks.version(happened[0].content)
        others = [*(each.case for each in self.stored.values()), *self.others]
        for case, each in domain.carry(known.case if known else None, identity, happened, playbook, others):
            known = replace(known, case=case) if known else Stored(case, self.partition)
            self.stored[identity] = known
            self.done.setdefault(identity, []).append(each)
            self.said += messages(case, each, traceparent)
            self.told += telling.told(case, each, playbook)

    def fail(self, customer: UUID, failure: Failure, playbook: Playbook, traceparent: str | None, by: str = SYSTEM) -> UUID | None:
        """Let a failure join the customer's case in work, or open one; returns the case that has it now, None where one had it."""
        told = failing.fail(self.of_customer(customer), customer, failure, playbook, by)
        for identity, news in told:
            self.happen(identity, news, traceparent)
        return told[-1][0] if told else None

    @property
    def changes(self) -> list[Change]:
        """The cases with what happened to them."""
        return [Change(self.stored[identity], happened) for identity, happened in self.done.items()]


async def save(tx: Transaction, progress: Progress, desk: Desk) -> list[Sent]:
    """Write what happened on the desk, what is said of it, and who is told; returns the outbox rows in order."""
    sent = await store.save(tx, progress, desk.changes, desk.said)
    await deliveries.queue(tx, progress.partition, desk.told, [each for each in desk.said if each.topic == FACTS])
    return sent


def decide(desk: Desk, fact: Fact, traceparent: str | None = None) -> None:
    """What one verdict means: it is about something owed, about a case, or it is a failure that opens, joins or withdraws."""
    mine = desk.of_customer(fact.customer)
    at = fact.said_at
    ours = fact.about if fact.judgement != facts.AT_RISK else ()
    for about, case in ((about, case) for about in ours for case in mine):
        playbook = desk.playbooks.of(case)
        if case.owes(about):
            desk.happen(case.id, owed.judge_owed(case, about, fact.judgement, at, playbook), traceparent)
            return
        if about == case.id:
            desk.happen(case.id, restoring.judge_case(case, playbook, fact.promise, fact.judgement, at), traceparent)
            return
    if fact.to_customer and not fact.backfilled:
        _decide_failure(desk, fact, mine, traceparent)


def _decide_failure(desk: Desk, fact: Fact, mine: Sequence[Case], traceparent: str | None) -> None:
    """What is broken, or at risk where its playbook says so, is a failure; what was called so and is not, is taken back."""
    playbook, at = desk.playbooks.named(fact.playbook), fact.said_at
    at_risk = fact.judgement == facts.AT_RISK
    if fact.judgement == "broken" or (at_risk and playbook.at_risk):
        severity = fact.severity or playbook.severity
        failure = Failure(
            fact.commitment, fact.promise, severity, at, at_risk=at_risk, component=fact.component, segment=fact.segment
        )  # fmt: skip
        desk.fail(fact.customer, failure, playbook, traceparent)
    elif not at_risk:
        back = failing.withdraw_failure if fact.takes_back else failing.avert
        for case in mine:
            desk.happen(case.id, back(case, fact.commitment, at), traceparent)


class FactHandler(Handler):
    """Takes in what promises says; the lane of every case."""

    topic, pace = store.INPUT_TOPIC, 0.5

    def __init__(self, acts_partitions: int, settings: RecoverySettings, telemetry: Telemetry) -> None:
        """For a system with so many partitions of makegood.acts."""
        self._acts_partitions = acts_partitions
        self._settings, self._telemetry = settings, telemetry
        self._herald = Herald(acts_partitions, settings)
        self._playbooks = Playbooks(settings.plain)
        self._engine: AsyncEngine | None = None

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Memory:
        """Which facts were taken in, and what is at risk."""
        self._engine = engine
        water = HighWater(progress.state.setdefault("marks", {}))
        return Memory(water, await store.at_risk(engine, progress.partition), self._playbooks.may_open_at_risk)

    def absorb(self, memory: Memory, progress: Progress, record: Record) -> bool:
        """Pass what concerns no case, thousands a second, with its number and its barrier only."""
        if record.value is None or not facts.may_concern_a_case(record.value, memory):
            self._pass(memory.water, progress, record)
            return True
        return False

    def _pass(self, water: HighWater, progress: Progress, record: Record) -> None:
        number = written_number(record.headers)
        if number is not None:
            water.takes(number)
        elif record.value is not None and facts.PROGRESS in record.value:
            data = orjson.loads(record.value)["data"]
            vouched = Number(f"promises/{data['partition']}", data["incarnation"], data["seq"])
            barrier = datetime.fromisoformat(data["barrier"])
            if water.reached(vouched) and (progress.arrival is None or barrier > progress.arrival):
                progress.arrival = barrier

    async def apply(
        self,
        tx: Transaction,
        progress: Progress,
        memory: Memory,
        records: Sequence[Record],
    ) -> list[Outgoing]:
        """Load the cases that the facts may be about, decide, save."""
        read = [fact for record in records if (fact := self._read(memory, progress, record))]
        news = [each for each in read if isinstance(each, Fact)]
        customers, commitments = {each.customer for each in news}, {each.commitment for each in news}
        named = {about for each in news for about in each.about}
        loaded = await store.touched(tx, customers, commitments, named) if news else {}
        if news:
            await self._playbooks.refresh(tx)
        desk = Desk(self._playbooks, progress.partition, loaded)
        if news and self._playbooks.look_around:
            desk.others = [each.case for each in (await store.cases_of(tx.connection, customers)).values()]
        for fact in news:
            decide(desk, fact, self._telemetry.step("decide case", fact.traceparent, promise=fact.promise))
        memory.settle(news, [each.case for each in desk.stored.values()])
        sent = await save(tx, progress, desk)
        if gone := [each for each in read if isinstance(each, Erased)]:
            sent += await erasure.forget(tx, progress, gone)
        if records:
            progress.position = records[-1].offset + 1
        return [self._outgoing(progress, each) for each in sent]

    def _read(self, memory: Memory, progress: Progress, record: Record) -> Fact | Erased | None:
        """The fact of a record that is its lane's next, None for all others."""
        if record.value is None or not facts.may_concern_a_case(record.value, memory):
            self._pass(memory.water, progress, record)
            return None
        number = written_number(record.headers)
        if number is None or not memory.water.takes(number):
            return None
        try:
            found = facts.erased(record.value) or facts.read(record.value)
        except (KeyError, TypeError, ValueError) as error:
            # promises is ours: to pass over one of its facts would lose a case, so the line stops until both agree
            message = f"{progress.lane} at offset {record.offset} is no fact of promises as this release reads it: {told(error)}"
            raise BadDeployError(message) from error
        if isinstance(found, Fact) and found.judgement == facts.AT_RISK:
            memory.known.add(found.commitment)  # what decides it may follow in the same batch
        return found

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:
        """The outbox behind the pointer."""
        rows = await store.unpublished(driver, progress, limit)
        return [(row.ordinal, self._outgoing(progress, row)) for row in rows]

    def _outgoing(self, progress: Progress, sent: Sent) -> Outgoing:
        key = str(sent.customer).encode()
        if sent.topic == FACTS:
            lane = lane_header(progress.lane, sent.incarnation, sent.seq or 0)
            return Outgoing(sent.topic, progress.partition, key, sent.body, [lane, CONTENT_TYPE])
        partition = partition_of(sent.customer, self._acts_partitions)
        timestamp = to_milliseconds(sent.at) if self._settings.clock is Clock.REPLAY else None
        return Outgoing(sent.topic, partition, key, sent.body, [CONTENT_TYPE], timestamp)

    def markers(self, memory: Memory, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """Nobody waits for recovery's barrier; but the herald says that recovery is alive, and has said all."""
        return self._herald.beats(self._engine) if progress.partition == HERALD and self._engine is not None else []


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
