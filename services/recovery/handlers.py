"""What recovery does with the facts of makegood.promises: load, decide, save."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import PLEDGES
from services.chassis.database import Driver, Transaction
from services.chassis.faults import BadDeployError
from services.chassis.instants import to_milliseconds
from services.chassis.keys import partition_of
from services.chassis.lane import Handler
from services.chassis.numbering import HighWater, Number, written_number
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.redaction import told
from services.chassis.relay import CONTENT_TYPE, Outgoing, lane_header
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.recovery import erasure, facts, store
from services.recovery.desk import Desk, save
from services.recovery.domain import failing, owed, restoring
from services.recovery.domain.case import IN_WORK, Case, Failure
from services.recovery.events import FACTS
from services.recovery.facts import Erased, Fact
from services.recovery.heartbeat import HERALD, Herald
from services.recovery.memory import Memory
from services.recovery.playbooks import Playbooks
from services.recovery.settings import RecoverySettings
from services.recovery.store import Sent, learning

PLEDGE_JUDGED: Final = {f"pledge_{verdict}": verdict for verdict in ("at_risk", "kept", "broken")}
"""What happens to a case where one of its pledges was judged."""


def decide(desk: Desk, fact: Fact, traceparent: str | None = None) -> None:
    """What one verdict means: it is about something owed, about a case, or it is a failure that opens, joins or withdraws."""
    mine = desk.of_customer(fact.customer)
    at = fact.said_at
    for about, case in ((about, case) for about in fact.about for case in mine):
        playbook = desk.playbooks.of(case)
        if case.owes(about):
            desk.happen(case.id, owed.judge_owed(case, about, fact.judgement, at, playbook), traceparent)
            return
        if about == case.id and fact.judgement != facts.AT_RISK:
            busy = any(each.state in IN_WORK for each in mine if each.id != case.id)
            desk.happen(case.id, restoring.judge_case(case, playbook, fact.promise, fact.judgement, at, busy=busy), traceparent)
            return
    if fact.to_customer and not fact.backfilled:
        _decide_failure(desk, fact, mine, traceparent)


def _decide_failure(desk: Desk, fact: Fact, mine: Sequence[Case], traceparent: str | None) -> None:
    """What is broken, or at risk where its playbook says so, is a failure; what was called so and is not, is taken back."""
    playbook, at = desk.playbooks.named(fact.playbook), fact.said_at
    at_risk = fact.judgement == facts.AT_RISK
    if fact.is_first_verdict and failing.was_taken_back(mine, fact.commitment):
        return  # a restored promises says again what it has corrected since, and will again
    if fact.judgement == "broken" or (at_risk and playbook.at_risk):
        severity = fact.severity or playbook.severity
        failure = Failure(
            fact.commitment, fact.promise, severity, at, at_risk=at_risk, component=fact.component, segment=fact.segment,
            at_stake=fact.at_stake,
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
            self._pass(memory, progress, record)
            return True
        return False

    def _pass(self, memory: Memory, progress: Progress, record: Record) -> None:
        number = written_number(record.headers)
        if number is not None:
            memory.takes(number, record.value or b"")
        elif record.value is not None and facts.PROGRESS in record.value:
            data = orjson.loads(record.value)["data"]
            vouched = Number(f"promises/{data['partition']}", data["incarnation"], data["seq"])
            barrier = datetime.fromisoformat(data["barrier"])
            if memory.water.reached(vouched) and (progress.arrival is None or barrier > progress.arrival):
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
        self._count(desk)
        memory.settle(news, [each.case for each in desk.stored.values()])
        sent = await save(tx, progress, desk)
        if gone := [each for each in read if isinstance(each, Erased)]:
            sent += await erasure.forget(tx, progress, gone)
        await learning.add_tallies(tx, progress.partition, memory.counted())
        if records:
            progress.position = records[-1].offset + 1
        return [self._outgoing(progress, each) for each in sent]

    def _count(self, desk: Desk) -> None:
        pledges = Counter(each.kind for happened in desk.done.values() for each in happened if each.kind in PLEDGE_JUDGED)
        for kind, number in pledges.items():
            self._telemetry.tell(PLEDGES, number, PLEDGE_JUDGED[kind])

    def _read(self, memory: Memory, progress: Progress, record: Record) -> Fact | Erased | None:
        """The fact of a record that is its lane's next, None for all others."""
        if record.value is None or not facts.may_concern_a_case(record.value, memory):
            self._pass(memory, progress, record)
            return None
        number = written_number(record.headers)
        if number is None or not memory.takes(number, record.value):
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
