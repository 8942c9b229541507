"""What journey does with a batch of touchpoints: load, decide, save; and what a raw lane vouches for."""

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.cloudevents import InvalidEvent, decode
from services.chassis.database import Driver, Transaction
from services.chassis.faults import FaultBudget
from services.chassis.instants import MILLISECOND, from_milliseconds, text_of
from services.chassis.lane import Handler
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.relay import Outgoing
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey import backfills, intake, store
from services.journey.documents import sources
from services.journey.domain import FEED, HEARTBEAT, STATEMENTS, TICK, WINDOW, EventTypes, Impossible, customer_key
from services.journey.identity import attribution
from services.journey.identity.attribution import Identity
from services.journey.inspection import inspect
from services.journey.intake import Batch, Intake
from services.journey.records import (
    ACTS,
    TOUCHPOINTS,
    dead_letter,
    journey_record,
    marker,
    source_event,
    source_identifier,
    source_retired,
    tick,
    unheard,
)
from services.journey.refusals import refusal
from services.journey.settings import JourneySettings
from services.journey.store import documents

log = logging.getLogger(__name__)

RAW = (TOUCHPOINTS, ACTS)
HERALD = (TOUCHPOINTS, 0)
"""The lane that says when a source fell silent; any would do, and each thing is to be said once."""
_STATEMENT = re.compile(rb"customer\.(?:linked|merged|unmerged)")
"""What a statement of who is whom holds, among others that do."""
SIGNS_OF_LIFE = frozenset({TICK, HEARTBEAT})


class LaneAheadError(OSError):
    """A live lane's records run ahead of our own clock: the broker's clock, or ours, must be set right first."""


def window_of(topic: str) -> timedelta | None:
    """How late an event may be; what recovery did is never a backfill, years late where history is replayed in minutes."""
    return None if topic == ACTS else WINDOW


class TouchpointHandler(Handler):
    """Turns the records of one raw topic into journey events."""

    pace = 0.3

    def __init__(self, topic: str, lanes: int, partitions: int, settings: JourneySettings, telemetry: Telemetry) -> None:
        """For a raw topic, in a system of so many raw lanes and journey partitions."""
        self.topic = topic
        self._lanes, self._partitions = lanes, partitions
        self._settings, self._telemetry = settings, telemetry
        self._intake = Intake(partitions, telemetry)
        self._window = window_of(topic)
        self._budget = FaultBudget()
        self._joining: set[int] = set()

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Identity:
        """What is declared; the memory of identifiers fills itself from their table."""
        declared = await documents.published_sources(engine)
        return Identity(exclusive=progress.partition in self._joining, sources=documents.heartbeats(declared))

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
        if not records and (self.topic, progress.partition) != HERALD:
            return []
        records = _of_one_batch(records)
        memory.exclusive = memory.exclusive or (bool(records) and _states(records[0]))
        batch = Batch(progress)
        self._joining.add(progress.partition)
        await attribution.refresh(tx, memory)
        for record in records:
            self._read(batch, memory, record)
        await self._intake.accept(tx, memory, batch)
        self._joining.discard(progress.partition)
        memory.exclusive = False
        for backfill in batch.complete:
            await self._intake.complete(tx, batch, backfill)
        intake.quarantine(batch)
        if memory.sources or {"sources", "declared"} & progress.state.keys():
            await self._listen(tx, memory, batch)
        await store.append(tx, batch.rows, batch.quarantined)
        self._account(batch)
        if records:
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
            self._sort(batch, memory, record, arrival)
        except InvalidEvent as invalid:
            wrong = Impossible(invalid.reason, invalid.detail)
            batch.refused.append(refusal(record, arrival, wrong, invalid.where, memory.types))
        except Exception as error:  # our own fault: the budget decides whether the line stops
            self._budget.failed(error)
            log.exception("our own code failed", extra={"lane": batch.progress.lane, "offset": record.offset})
            wrong = Impossible("unexpected", f"our own code failed on it: {type(error).__name__}")
            batch.refused.append(refusal(record, arrival, wrong, "", EventTypes(())))
        else:
            self._budget.passed(1)

    def _sort(self, batch: Batch, memory: Identity, record: Record, arrival: datetime) -> None:
        """Tell what may become a journey event from what is refused, and from what only shows that its source is alive."""
        event = decode(record.value, record.headers)
        if event.type in SIGNS_OF_LIFE:
            batch.count("ignored")
        elif backfills.is_bracket(event):
            batch.count("ignored")
            if (ended := backfills.bracket(batch.progress, event)) is not None:
                batch.complete.append(ended)
        elif event.type in STATEMENTS and not _states(record):
            raise InvalidEvent("escaped-type", f"`{event.type}` is to be written without escapes", "attribute type")
        else:
            window = self._window
            if backfills.BACKFILL in event.attributes:
                window, misplaced = None, backfills.misplaced(event, backfills.under_way_in(batch.progress))
                if misplaced is not None:
                    batch.refused.append(refusal(record, arrival, misplaced, "attribute backfill", memory.types))
                    return
                batch.backfills = True
            identifiers, wrong, place = inspect(event, arrival, window, memory.types, memory.trusted)
            if wrong is not None:
                batch.refused.append(refusal(record, arrival, wrong, place, memory.types))
                return
            batch.add(intake.candidate(record.offset, record.value or b"", event, arrival, identifiers, _trace(record, event.attributes)))
        if event.source in memory.sources and (event.type == HEARTBEAT or (self.topic != ACTS and FEED not in event.attributes)):
            self._hear(batch, memory, event.source, arrival)

    def _hear(self, batch: Batch, memory: Identity, source: str, arrival: datetime) -> None:
        """Note that a source is alive, and for how long this lane had not heard it.

        Of recovery, and of what a feed forwards, only heartbeats count: an event says nothing of what is still to come. On the
        replay clock time jumps, and recovery, which acts on what follows from a jump, had no occasion to speak within it.
        """
        last = batch.heard.get(source)
        if last is None and (text := batch.progress.state.get("sources", {}).get(source)):
            last = datetime.fromisoformat(text)
        jumps = self.topic == ACTS and self._settings.clock is Clock.REPLAY
        if last is None or (not jumps and sources.may_be_silence(memory.sources[source], last, arrival)):
            batch.unheard.append((source, last, arrival))
        batch.heard[source] = arrival

    async def _listen(self, tx: Transaction, memory: Identity, batch: Batch) -> None:
        """Keep when each declared source was heard last in this lane; where this lane is the herald, say who fell silent."""
        progress = batch.progress
        heard = progress.state.get("sources", {}) | {source: text_of(at) for source, at in batch.heard.items()}
        progress.state["sources"] = {source: at for source, at in heard.items() if source in memory.sources}
        for source, since, until in batch.unheard:
            self._intake.tell_everywhere(batch, until, partial(unheard, progress.lane, source, since, until))
        if (self.topic, progress.partition) != HERALD or progress.arrival is None:
            return
        self._let_go(batch, memory, progress.arrival)
        barrier, last = await store.standing_of_lanes(tx, RAW, self._lanes, progress)
        last = sources.since_declared(last, progress.state.get("retired", {}))
        told = progress.state.setdefault("told", {})
        before = {source: sources.standing_of(said) for source, said in told.items()}
        for source, standing in sources.news(memory.sources, last, before, barrier):
            told[source] = [standing.silent, text_of(standing.since), text_of(standing.last)]
            self._intake.tell(batch, customer_key(source_identifier(source)), source_event(source, standing), progress.arrival)

    def _let_go(self, batch: Batch, memory: Identity, arrival: datetime) -> None:
        """Say in every partition which sources are declared no longer; what lanes heard of them until then counts no more."""
        state = batch.progress.state
        before, state["declared"] = state.get("declared", ()), sorted(memory.sources)
        for source in sorted(set(before) - memory.sources.keys()):
            state.get("told", {}).pop(source, None)
            state.setdefault("retired", {})[source] = text_of(arrival)
            self._intake.tell_everywhere(batch, arrival, partial(source_retired, source, arrival))

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:
        """The lane's journal and quarantine after the pointer."""
        rows, refused = await store.unpublished(driver, progress.lane, progress.published, limit)
        found = [(row.ordinal, journey_record(row)) for row in rows]
        found += [(row.ordinal, dead_letter(row)) for row in refused]
        return sorted(found, key=lambda each: each[0])[:limit]

    def markers(self, memory: Identity, progress: Progress) -> list[Outgoing]:
        """To every journey partition: the last number of this lane there, the arrival applied, when sources were heard last."""
        if progress.arrival is None:
            return []
        vouched = progress.arrival - MILLISECOND
        seqs = progress.state.get("seqs", [0] * self._partitions)
        heard = progress.state.get("sources") if memory.sources else None
        return [marker(progress, self._lanes, where, seq, vouched, heard) for where, seq in enumerate(seqs)]

    def ticks(self, progress: Progress) -> list[Outgoing]:
        """One tick into this lane, so that the broker's clock moves it; none where the sender's clock does."""
        if self._settings.clock is not Clock.LIVE:
            return []
        return [tick(progress.topic, progress.partition, datetime.now(UTC))]


def _of_one_batch(records: Sequence[Record]) -> Sequence[Record]:
    """A statement of who is whom is a batch of its own."""
    place = next((place for place, record in enumerate(records) if _states(record)), len(records))
    return records[: place or 1]


def _states(record: Record) -> bool:
    if record.value is None or not (_STATEMENT.search(record.value) or any(_STATEMENT.search(each or b"") for _, each in record.headers)):
        return False
    try:
        return decode(record.value, record.headers).type in STATEMENTS
    except InvalidEvent:
        return False


def _trace(record: Record, attributes: dict[str, Any]) -> str | None:
    found = attributes.pop("traceparent", None)
    if found is None:
        found = next(((value or b"").decode("ascii", "replace") for name, value in record.headers if name == "traceparent"), None)
    return found if isinstance(found, str) else None


def _is_tick(record: Record) -> bool:
    try:
        return decode(record.value, record.headers).type == TICK
    except InvalidEvent:
        return False
