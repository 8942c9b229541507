"""What operators do about a refused record: release it, as it is or corrected, or dismiss it. One act settles it for good.

An act is one transaction on the record's lane, opened by the compare-and-set of its progress row; the lane's owner
notices and publishes. A released event keeps its id and its arrival, and goes the way of every event from there on.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import cloudevents
from services.chassis.cloudevents import Event, InvalidEvent
from services.chassis.database import Transaction
from services.chassis.instants import text_of
from services.chassis.progress import Progress
from services.chassis.settings import Clock
from services.chassis.turns import take_turn
from services.journey import intake, store
from services.journey.domain import Impossible
from services.journey.handlers import window_of
from services.journey.identity import attribution
from services.journey.identity.attribution import Identity
from services.journey.inspection import inspect
from services.journey.intake import Batch, Candidate, Intake
from services.journey.records import unheld
from services.journey.refusals import readable, text_of_attribute
from services.journey.settings import JourneySettings
from services.journey.store import quarantine
from services.journey.store.identity import others_of
from services.journey.store.quarantine import Act, Kept

Answer = dict[str, Any]


class NoSuchRecordError(Exception):
    """No record was refused there."""


class SettledOtherwiseError(Exception):
    """The record was settled before, by the other act; that stands."""


class AnotherEventError(Exception):
    """The corrected event has another id or source than the record; send it as an event of its own."""


class StillRefusedError(Exception):
    """The event would be refused again."""

    def __init__(self, wrong: Impossible) -> None:
        """Say why."""
        super().__init__(f"{wrong.reason}: {wrong.detail}")
        self.wrong = wrong


class _NothingChangesError(Exception):
    """The answer is known, and what was done to know it is to be undone."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Wish(NamedTuple):
    """What an operator wants done: `release` or `dismiss`; `rehearse`: say what would come of it, and change nothing."""

    act: str
    lane: str
    position: int
    by: str
    reason: str | None = None
    event: Mapping[str, Any] | None = None
    rehearse: bool = False


async def settle(engine: AsyncEngine, settings: JourneySettings, wish: Wish) -> Answer:
    """Release or dismiss a record; what was done before is not done again and gives the answer that it gave."""
    kept = await quarantine.look(engine, wish.lane, wish.position)
    if kept is None:
        raise NoSuchRecordError(NoSuchRecordError.__doc__)
    topic, _, partition = wish.lane.rpartition("/")
    attempts = count()

    async def work(tx: Transaction, progress: Progress) -> Answer:
        memory = Identity(exclusive=next(attempts) > 0)  # what made the first attempt fail may be an identifier that changes its customer
        answer = await _act(tx, progress, settings, wish, kept, memory)
        if wish.rehearse:
            raise _NothingChangesError(answer)
        return answer

    try:
        return await take_turn(engine, f"makegood.{topic}", int(partition), settings.act_attempts, work)
    except _NothingChangesError as known:
        return known.answer


async def _act(tx: Transaction, progress: Progress, settings: JourneySettings, wish: Wish, kept: Kept, memory: Identity) -> Answer:
    if (before := await quarantine.settled(tx, wish.lane, wish.position)) is not None:
        if before.act != wish.act:
            raise SettledOtherwiseError(SettledOtherwiseError.__doc__)
        raise _NothingChangesError(orjson.loads(before.answer))
    await attribution.refresh(tx, memory)
    now = progress.arrival or kept.listed.arrival
    at = datetime.now(UTC) if settings.clock is Clock.LIVE else now
    batch, way_in = Batch(progress), Intake(await quarantine.journey_partitions(tx))
    answer: Answer = {"lane": wish.lane, "position": wish.position, "act": wish.act, "by": wish.by, "at": text_of(at)}
    if wish.act == "release":
        try:
            answer |= await _release(tx, memory, batch, way_in, wish, kept, now)
        except StillRefusedError as refused:
            if not wish.rehearse:
                raise
            return answer | {"outcome": "refused", "reason": refused.wrong.reason, "detail": refused.wrong.detail}
    else:
        answer |= {"outcome": "dismissed", "reason": wish.reason}
    told = await _unhold(tx, batch, way_in, wish, kept, now)
    answer |= {"unheld": [str(each) for each in told]}
    await store.append(tx, batch.rows, [])
    corrected = None if wish.event is None else orjson.dumps(wish.event)
    act = Act(wish.lane, wish.position, wish.act, wish.by, at, wish.reason, corrected, orjson.dumps(answer))
    await quarantine.settle(tx, act)
    return answer


async def _release(
    tx: Transaction, memory: Identity, batch: Batch, way_in: Intake, wish: Wish, kept: Kept, now: datetime
) -> dict[str, Any]:
    """Take the event in as if it came now, with the arrival that it had."""
    taken = _candidate(wish, kept, memory)._replace(released=now)
    batch.add(taken)
    await way_in.accept(tx, memory, batch)
    event = taken.event
    if batch.counts.get("erased"):
        raise StillRefusedError(Impossible("erased", "whom it names was erased, and nothing of them is taken in any more"))
    return {
        "outcome": next(outcome for outcome in ("applied", "duplicate", "conflict") if batch.counts.get(outcome)),
        "event": {"id": event.id, "source": event.source, "type": event.type, "time": text_of(taken.time)},
        "customers": [str(row.customer) for row in batch.rows if row.event == taken.key],
    }


def _candidate(wish: Wish, kept: Kept, memory: Identity) -> Candidate:
    try:
        if wish.event is None:
            event = cloudevents.decode(kept.value, kept.headers)
        else:
            event = cloudevents.event(wish.event)
            _require_same(event, kept)
    except InvalidEvent as invalid:
        raise StillRefusedError(Impossible(invalid.reason, f"{invalid.where}: {invalid.detail}")) from None
    arrival = kept.listed.arrival
    identifiers, wrong, _ = inspect(event, arrival, window_of(f"makegood.{wish.lane.partition('/')[0]}"), memory.types, memory.trusted)
    if wrong is not None:
        raise StillRefusedError(wrong)
    value = (kept.value or b"") if wish.event is None else cloudevents.encode(event)
    return intake.candidate(wish.position, value, event, arrival, identifiers, event.attributes.pop("traceparent", None))


def _require_same(event: Event, kept: Kept) -> None:
    """A correction is of this record: its id and source stay what they were, as far as they could be read."""
    found = readable(kept.value, kept.headers)
    for name, now in (("id", event.id), ("source", event.source)):
        if text_of_attribute(found, name) not in {None, now}:
            raise AnotherEventError(AnotherEventError.__doc__)


async def _unhold(tx: Transaction, batch: Batch, way_in: Intake, wish: Wish, kept: Kept, now: datetime) -> list[UUID]:
    """Tell those who were held, and whoever is the same person by now."""
    held = kept.listed.held
    joined = await others_of(tx, held) if held else {}
    told = list(dict.fromkeys([*held, *(other for key in held for other in joined.get(key, ()))]))
    how = "released" if wish.act == "release" else "dismissed"
    for customer in told:
        way_in.tell(batch, customer, unheld(f"{wish.lane}/{wish.position}", how, kept.listed.arrival, now, customer), now)
    return told
