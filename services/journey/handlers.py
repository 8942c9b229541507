"""What journey does with a batch: validate, deduplicate, attribute, journal; load, decide, save.

`TouchpointHandler` drives the raw lanes; `FactHandler` takes in the facts of promises and recovery for the timeline.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.cloudevents import Event, InvalidEvent, decode
from services.chassis.database import Driver, Transaction
from services.chassis.faults import FaultBudget
from services.chassis.instants import MILLISECOND, from_milliseconds, text_of
from services.chassis.keys import event_key, partition_of, read_key
from services.chassis.lane import Record
from services.chassis.numbering import HighWater, number_of
from services.chassis.progress import Progress
from services.chassis.relay import Outgoing
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey import attribution, store
from services.journey.attribution import Identity, Kin, Own
from services.journey.domain import TICK, WINDOW, Identifier, Impossible, impossible, unattributable
from services.journey.records import ACTS, dead_letter, journey_record, marker, tick
from services.journey.settings import JourneySettings

log = logging.getLogger(__name__)


class LaneAheadError(OSError):
    """A live lane's records run ahead of our own clock: the broker's clock, or ours, must be set right first."""


class Candidate(NamedTuple):
    """One record that may become a journey event."""

    event: Event
    time: datetime
    arrival: datetime
    key: UUID
    day: date
    digest: int
    identifiers: list[Identifier]
    trace: str | None
    """The trace context it came with: as CloudEvents' extension, or as a header of the record."""


class Refusal(NamedTuple):
    """One record that is refused."""

    record: Record
    arrival: datetime
    wrong: Impossible
    place: str


@dataclass(slots=True)
class Batch:
    """What one batch has come to so far."""

    progress: Progress
    candidates: list[Candidate] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    rows: list[store.JournalRow] = field(default_factory=list)
    quarantined: list[store.QuarantineRow] = field(default_factory=list)

    def count(self, outcome: str, number: int = 1) -> None:
        """Account for records."""
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def outgoing(self) -> list[Outgoing]:
        """What is to be published, in the order of ordinals."""
        return [journey_record(row) for row in self.rows] + [dead_letter(row) for row in self.quarantined]


class TouchpointHandler:
    """Turns the records of one raw topic into journey events."""

    def __init__(self, topic: str, lanes: int, partitions: int, settings: JourneySettings, telemetry: Telemetry) -> None:
        """For a raw topic, in a system of so many raw lanes and journey partitions."""
        self.topic = topic
        self._lanes, self._partitions = lanes, partitions
        self._settings, self._telemetry = settings, telemetry
        # what recovery did is never a backfill, however late it is sent: years late where history is replayed in minutes
        self._window = None if topic == ACTS else WINDOW
        self._budget = FaultBudget()
        self._joining: set[int] = set()

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Identity:  # noqa: ARG002 - nothing to read
        """An empty memory: it fills itself from the identifiers table."""
        return Identity(exclusive=progress.partition in self._joining)

    def absorb(self, memory: Identity, progress: Progress, record: Record) -> bool:  # noqa: ARG002
        """Take in a tick: only its arrival counts."""
        if record.value is None or TICK.encode() not in record.value[:200] or not _is_tick(record):
            return False
        self._arrival(progress, record)
        counts = progress.state.setdefault("counts", {})
        counts["ignored"] = counts.get("ignored", 0) + 1
        return True

    async def apply(self, tx: Transaction, progress: Progress, memory: Identity, records: Sequence[Record]) -> list[Outgoing]:
        """Validate, deduplicate, attribute, journal."""
        if not records:
            return []
        batch = Batch(progress)
        self._joining.add(progress.partition)
        await attribution.refresh(tx, memory)
        for record in records:
            self._read(batch, memory, record)
        await self._accept(tx, memory, batch, await _deduplicate(tx, batch))
        self._joining.discard(progress.partition)
        memory.exclusive = False
        self._quarantine(batch)
        await store.append(tx, batch.rows, batch.quarantined)
        self._account(batch)
        progress.position = records[-1].offset + 1
        return batch.outgoing()

    def _account(self, batch: Batch) -> None:
        counts = batch.progress.state.setdefault("counts", {})
        for outcome, number in batch.counts.items():
            counts[outcome] = counts.get(outcome, 0) + number
            self._telemetry.outcome(outcome, number)

    def _arrival(self, progress: Progress, record: Record) -> datetime:
        """The record's arrival: its timestamp, made monotone along the lane."""
        stamped = from_milliseconds(record.timestamp)
        if progress.arrival is None or stamped > progress.arrival:
            self._refuse_to_run_ahead(stamped)
            progress.arrival = stamped
        return progress.arrival

    def _refuse_to_run_ahead(self, stamped: datetime) -> None:
        lead = timedelta(seconds=self._settings.clock_lead)
        if self._settings.clock is Clock.LIVE and stamped - datetime.now(UTC) > lead:
            message = f"{self.topic} is stamped {stamped.isoformat()}, more than {lead} ahead of our own clock"
            raise LaneAheadError(message)

    def _read(self, batch: Batch, memory: Identity, record: Record) -> None:
        arrival = self._arrival(batch.progress, record)
        try:
            event = decode(record.value, record.headers)
            if event.type == TICK:
                batch.count("ignored")
            elif wrong := impossible(event.type, event.time, arrival, self._window):
                batch.refused.append(Refusal(record, arrival, wrong, "attribute time" if "time" in wrong.detail else ""))
            elif wrong := unattributable(identifiers := memory.types.identifiers(event.attributes)):
                batch.refused.append(Refusal(record, arrival, wrong, "attribute subject"))
            else:
                batch.candidates.append(_candidate(record, event, arrival, identifiers))
        except InvalidEvent as invalid:
            wrong = Impossible(invalid.reason, invalid.detail)
            batch.refused.append(Refusal(record, arrival, wrong, invalid.where))
        except Exception as error:  # our own fault: the budget decides whether the line stops
            self._budget.failed(error)
            log.exception("our own code failed", extra={"lane": batch.progress.lane, "offset": record.offset})
            wrong = Impossible("unexpected", f"our own code failed on it: {type(error).__name__}")
            batch.refused.append(Refusal(record, arrival, wrong, ""))
        else:
            self._budget.passed(1)

    async def _accept(self, tx: Transaction, memory: Identity, batch: Batch, fresh: Sequence[Candidate]) -> None:
        """Journal new events under their customers."""
        if not fresh:
            return
        found, kin = await attribution.attribute(tx, memory, [each.identifiers for each in fresh], [each.arrival for each in fresh])
        for candidate, whose in zip(fresh, found, strict=True):
            copies = [copied for each in whose.joined for copied in kin.join(whose.customer, each)]
            self._emit(batch, candidate, whose.customer, kin)
            for customer, own in copies:
                self._journal(batch, customer, own.event, own.time, candidate.arrival, own.body | {"evidenceonly": True})
        named = zip(fresh, found, strict=True)
        clashes = [(each.key, whose.customer, other, each.arrival) for each, whose in named for other in whose.conflicts]
        await store.save_conflicts(tx, clashes)

    def _emit(self, batch: Batch, candidate: Candidate, customer: UUID, kin: Kin) -> None:
        body = candidate.event.attributes
        body.pop("evidenceonly", None)
        trace = self._telemetry.begin("accept touchpoint", candidate.trace, **{"event.type": candidate.event.type})
        if trace is not None:
            body["traceparent"] = trace
        batch.count("applied")
        _, time, arrival, key, *_ = candidate
        body["time"] = text_of(time)  # one spelling: RFC 3339 has some that not every reader knows
        self._journal(batch, customer, key, time, arrival, body)
        kin.note(customer, Own(key, time, body))
        for other in kin.others(customer):
            self._journal(batch, other, key, time, arrival, body | {"evidenceonly": True})

    def _journal(self, batch: Batch, customer: UUID, event: UUID, time: datetime, arrival: datetime, body: dict[str, Any]) -> None:
        progress = batch.progress
        body["customer"] = str(customer)
        body["recordedtime"] = text_of(arrival)
        partition = partition_of(customer, self._partitions)
        seqs = progress.state.setdefault("seqs", [0] * self._partitions)
        seqs[partition] += 1
        progress.ordinal += 1
        row = store.JournalRow(
            progress.lane, progress.ordinal, partition, progress.incarnation, seqs[partition], customer, event, time,
            arrival, body.get("evidenceonly", False), orjson.dumps(body),
        )  # fmt: skip
        batch.rows.append(row)

    def _quarantine(self, batch: Batch) -> None:
        progress = batch.progress
        for record, arrival, wrong, place in batch.refused:
            progress.ordinal += 1
            headers = orjson.dumps([[name, (value or b"").hex()] for name, value in record.headers])
            row = store.QuarantineRow(
                progress.lane, record.offset, progress.ordinal, wrong.reason, wrong.detail, place, _source(record),
                arrival, record.key, record.value, headers,
            )  # fmt: skip
            batch.quarantined.append(row)
            batch.count("quarantined")

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:
        """The lane's journal and quarantine after the pointer."""
        rows, refused = await store.unpublished(driver, progress.lane, progress.published, limit)
        found = [(row.ordinal, journey_record(row)) for row in rows]
        found += [(row.ordinal, dead_letter(row)) for row in refused]
        return sorted(found, key=lambda each: each[0])[:limit]

    def markers(self, memory: Identity, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """To every journey partition: the last number of this lane there, and the arrival applied."""
        if progress.arrival is None:
            return []
        vouched = progress.arrival - MILLISECOND
        seqs = progress.state.get("seqs", [0] * self._partitions)
        return [marker(progress, self._lanes, where, seq, vouched) for where, seq in enumerate(seqs)]

    def ticks(self, progress: Progress) -> list[Outgoing]:
        """One tick into this lane, so that the broker's clock moves it; none where the sender's clock does."""
        if self._settings.clock is not Clock.LIVE:
            return []
        return [tick(progress.topic, progress.partition, datetime.now(UTC))]


def _candidate(record: Record, event: Event, arrival: datetime, identifiers: list[Identifier]) -> Candidate:
    time = event.time or arrival
    digest = int.from_bytes(blake2b(record.value or b"", digest_size=8).digest(), signed=True)
    return Candidate(event, time, arrival, event_key(event.source, event.id), time.date(), digest, identifiers, _trace(record, event))


def _trace(record: Record, event: Event) -> str | None:
    found = event.attributes.pop("traceparent", None)
    if found is None:
        found = next(((value or b"").decode("ascii", "replace") for name, value in record.headers if name == "traceparent"), None)
    return found if isinstance(found, str) else None


def _is_tick(record: Record) -> bool:
    try:
        return decode(record.value, record.headers).type == TICK
    except InvalidEvent:
        return False


def _source(record: Record) -> str | None:
    """Who sent a refused record, as far as it can be read."""
    for name, value in record.headers:
        if name == "ce_source":
            return (value or b"").decode("utf-8", "replace")[:512].replace("\0", "")
    try:
        source = orjson.loads(record.value or b"")["source"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return None
    return source[:512].replace("\0", "") if isinstance(source, str) else None


async def _deduplicate(tx: Transaction, batch: Batch) -> list[Candidate]:
    """The events that nobody has seen; the first of two with one id wins, whichever lane it came by."""
    first: dict[tuple[date, UUID], Candidate] = {}
    repeated: list[Candidate] = []
    for candidate in batch.candidates:
        where = (candidate.day, candidate.key)
        if where in first:
            repeated.append(candidate)
        else:
            first[where] = candidate
    if not first:
        return []
    new = await store.first_seen(tx, sorted((day, key, each.digest) for (day, key), each in first.items()))
    repeated += [each for where, each in first.items() if where not in new]
    if repeated:
        known = await store.digests(tx, sorted({(each.day, each.key) for each in repeated}))
        conflicts = sum(known.get((each.day, each.key)) != each.digest for each in repeated)
        batch.count("conflict", conflicts)
        batch.count("duplicate", len(repeated) - conflicts)
    return [each for where, each in first.items() if where in new]


class FactHandler:
    """Takes the facts of promises or recovery into the timeline; emits nothing."""

    def __init__(self, topic: str) -> None:
        """For `makegood.promises` or `makegood.recovery`."""
        self.topic = topic

    async def recall(self, engine: AsyncEngine, progress: Progress) -> None:
        """Nothing beside the progress row."""

    def absorb(self, memory: None, progress: Progress, record: Record) -> bool:  # noqa: ARG002
        """Pass over markers."""
        return number_of(record.headers) is None

    async def apply(self, tx: Transaction, progress: Progress, memory: None, records: Sequence[Record]) -> list[Outgoing]:  # noqa: ARG002
        """Append what is new."""
        marks = HighWater(progress.state.setdefault("marks", {}))
        rows = []
        for record in records:
            number = number_of(record.headers)
            if number is None or not marks.accepts(number):
                continue
            body = orjson.loads(record.value or b"{}")
            time = datetime.fromisoformat(body["time"])
            customer = read_key((record.key or b"").decode())
            rows.append(store.FactRow(self.topic, record.partition, number.seq, number.incarnation, customer, time, record.value or b""))
        await store.append_facts(tx, rows)
        if records:
            progress.position = records[-1].offset + 1
        return []

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:  # noqa: ARG002
        """Nothing is published."""
        return []

    def markers(self, memory: None, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """Nothing is vouched for."""
        return []

    def ticks(self, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """No lane of ours."""
        return []
