"""Forgetting a customer: what is asked for, what is emptied bit by bit, and what of them is not taken in any more (docs/decisions/0010).

Asking is one transaction on a lane, under the identity lock held alone: from then on their identifiers are hashes, nothing that
names them is taken in, and the other services are told in the customer's own partition. The rest is work without a lane, in
bounded steps, each of which may be the last of its process.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.chores import Chore
from services.chassis.database import Transaction
from services.chassis.keys import event_key
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.redaction import impersonal, without
from services.chassis.settings import Clock
from services.chassis.turns import take_turn
from services.journey import store
from services.journey.domain import customer_key
from services.journey.intake import Batch, Intake
from services.journey.privacy.erased import SHORTEST, Work, bare, begin
from services.journey.projections import measuring, pictures
from services.journey.records import SOURCE, TOUCHPOINTS, customer_erased, erased_id
from services.journey.settings import JourneySettings
from services.journey.store import erasure as kept
from services.journey.store import identity, quarantine
from services.journey.store.erasure import Clash, Erasure


class NoSuchCustomerError(Exception):
    """There is no such customer: find them by an identifier first (`GET /v1/customers?identifier=...`)."""


class Asked(NamedTuple):
    """Who is to be forgotten, why, and who says so."""

    customer: UUID
    reason: str
    by: str


async def ask(engine: AsyncEngine, settings: JourneySettings, asked: Asked) -> list[Erasure]:
    """Begin to forget a customer under all their keys; who was erased before stays so, and nothing happens again."""
    if before := await kept.of_person(engine, asked.customer):
        return before

    async def work(tx: Transaction, progress: Progress) -> None:
        await store.lock_identity(tx, exclusive=True)
        if await kept.whose(tx, [asked.customer]):
            return
        if not await kept.is_known(tx, asked.customer):
            raise NoSuchCustomerError(NoSuchCustomerError.__doc__)
        at = progress.arrival or datetime.now(UTC)
        now = datetime.now(UTC) if settings.clock is Clock.LIVE else at
        others = (await identity.others_of(tx, [asked.customer])).get(asked.customer, {})
        batch, way_in = Batch(progress), Intake(await quarantine.journey_partitions(tx))
        before = await kept.whose(tx, others)
        keys = [each for each in (asked.customer, *others) if each not in before]
        rows = [Erasure(each, asked.customer, asked.reason, asked.by, at, now, None) for each in keys]
        for each in await begin(tx, rows):
            way_in.tell(batch, each.customer, customer_erased(each.customer, each.reason, each.at), each.at)
        await store.move_epoch(tx)
        await store.append(tx, batch.rows, [])

    await take_turn(engine, TOUCHPOINTS, 0, settings.act_attempts, work)
    return await kept.of_person(engine, asked.customer)


class Eraser(Chore):
    """Does what is left to do of erasures."""

    name = "an erasure"

    def __init__(self, engine: AsyncEngine) -> None:
        """For journey's database."""
        self._engine = engine

    async def step(self) -> bool:
        """Do one bounded piece; False where there is none."""
        async with kept.step(self._engine) as tx:
            erasure = kept.claimed_erasure(tx)
            if erasure is None:
                return False
            work = Work.of(erasure.work or b"")
            following, number = await _PARTS[work.part](tx, erasure, work)
            if following is None:
                await kept.finish(tx, erasure.customer)
            else:
                await kept.advance(tx, erasure.customer, following.json(), number)
        return True


Done = tuple[Work | None, int]


async def _clashes(tx: Transaction, erasure: Erasure, work: Work) -> Done:
    """Events of others lose the identifiers that are not theirs; what was lent to whom they are one with no longer goes with them."""
    texts = bare(work.texts)
    found = await kept.clashes(tx, erasure.customer)
    await kept.replace(tx, [Clash(each.lane, each.ordinal, orjson.dumps(without(orjson.loads(each.body), texts))) for each in found])
    await identity.empty_lent(tx, erasure.customer)
    return work._replace(part="journal"), 0


async def _journal(tx: Transaction, erasure: Erasure, work: Work) -> Done:
    number = await kept.empty_journal(tx, erasure.customer, event_key(SOURCE, erased_id(erasure.customer)))
    return work if number == kept.EVENTS_AT_ONCE else work._replace(part="packs"), number


async def _packs(tx: Transaction, erasure: Erasure, work: Work) -> Done:
    places = await kept.places(tx, erasure.customer, work.after)
    if not places:
        return work._replace(part="groups"), 0
    return work._replace(after=places[-1]), await kept.rewrite_packs(tx, erasure.customer, places, impersonal)


async def _groups(tx: Transaction, erasure: Erasure, work: Work) -> Done:
    """What nobody else is counted in (segments, channels, what feedback was about), once whoever read of them before has counted."""
    await measuring.forget(tx, erasure.customer)
    await pictures.forget(tx, erasure.customer)
    return work._replace(part="quarantine"), 0


async def _quarantine(tx: Transaction, erasure: Erasure, work: Work) -> Done:
    """What was refused: what holds them, and what holds a name of theirs however broken it is."""
    keys = [erasure.customer, *(customer_key(each) for each in work.texts)]
    quoted = [orjson.dumps(each) for each in bare(work.persons) if len(each) >= SHORTEST]
    await kept.empty_quarantine(tx, keys, quoted + [each.encode() for each in work.persons])
    return work._replace(part="rest"), 0


async def _rest(tx: Transaction, erasure: Erasure, _work: Work) -> Done:
    """What the classes say, with the identity lock held alone: whoever read of the customer before has written it by now."""
    await store.lock_identity(tx, exclusive=True)
    await kept.empty_tables(tx, [erasure.customer])
    return None, 0


_PARTS: Final = {"clashes": _clashes, "journal": _journal, "packs": _packs, "groups": _groups, "quarantine": _quarantine, "rest": _rest}


async def heard(tx: Transaction, topic: str, records: Sequence[Record]) -> list[bytes]:
    """The values of facts as they may be kept, those about somebody who was erased without what is personal.

    Holds the identity lock, so that no fact comes in behind the erasure that would have emptied it.
    """
    await store.lock_identity(tx, exclusive=False)
    keys = {each.key for each in records if each.key}
    gone = await kept.whose(tx, [UUID(key.decode()) for key in keys])
    if not gone:
        return [each.value or b"" for each in records]
    service = topic.removeprefix("makegood.")
    said = [event for each in records if f'"makegood.{service}.erased"'.encode() in (each.value or b"")[:400]
            for event in [orjson.loads(each.value or b"")]]  # fmt: skip
    await kept.note_told(tx, service, {UUID(each["customer"]): datetime.fromisoformat(each["time"]) for each in said})
    return [impersonal(each.value or b"") if _key(each) in gone else each.value or b"" for each in records]


def _key(record: Record) -> UUID | None:
    return UUID(record.key.decode()) if record.key else None
