"""The projection that keeps, of each customer, their part in what is asked of all: load, let the fold decide, save.

A chunk only marks whose picture is out of date; each is then made anew from all that is known of that person. So the order in
which lanes were read makes no difference, a late event is like any other, whoever joined a person is counted with them, and a
customer of whom much came at once is folded once.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.journey.documents import language
from services.journey.picture.feedback import FEEDBACK
from services.journey.picture.history import History
from services.journey.picture.rules import Rules
from services.journey.picture.stages import JourneyMap
from services.journey.picture.whole import Declared, Picture, picture
from services.journey.projections.projector import STATEMENTS, Chunk
from services.journey.promised import Known
from services.journey.store import picture as store
from services.journey.store.picture import Published
from services.journey.store.principles import promises_known

log = logging.getLogger(__name__)

CUSTOMERS, EVENTS = 200, 5000
"""In one step: customers at most, and events beyond which no further one is begun."""


class Pictures:
    """Keeps pictures, as soon as a document asks for any."""

    name = store.PROJECTION

    async def wanted(self, tx: Transaction) -> bool:
        """Whether anything was published for pictures."""
        return await store.any_published(tx)

    async def take(self, tx: Transaction, chunk: Chunk) -> None:
        """Mark whom a chunk is about; of a statement on who is whom, both whom it is about."""
        about = dict.fromkeys([UUID(orjson.loads(each.body)["customer"]) for each in chunk.facts])
        about |= dict.fromkeys(UUID(bytes=each.customer.bytes) for each in chunk.journal)
        statements = {each.event for each in chunk.journal if each.body is not None and any(kind in each.body for kind in STATEMENTS)}
        if statements:
            about |= dict.fromkeys(await store.stated(tx, statements))
        await store.mark(tx, about)

    async def settle(self, tx: Transaction, now: datetime | None) -> bool:
        """Make some of the marked pictures anew; once none is, those that time has changed."""
        if now is not None:
            await store.mark_due(tx, now, CUSTOMERS)
        marked = await store.marked(tx, CUSTOMERS)
        if not marked:
            return False
        gone = await store.erased(tx.connection, marked)
        await store.freeze(tx, gone)
        turn = _bounded([each for each in marked if each not in gone], await store.sizes(tx, marked))
        persons = await store.persons(tx.connection, turn)
        declared = declared_by(await store.published(tx.connection), await promises_known(tx.connection))
        histories = await store.histories(tx.connection, set(persons.values()))
        made = {key: _made(declared, key, history, now) for key, history in histories.items()}
        others = {*persons, *turn}
        await store.save(tx, made, others - made.keys())
        return True


async def forget(tx: Transaction, customer: UUID) -> None:
    """Leave in the totals no name of feedback that a customer alone gave, unless a document declares it; the numbers stay."""
    rules = declared_by(await store.published(tx.connection)).rules
    declared = {FEEDBACK, *(each.name for each in rules.feedback)} if rules else {FEEDBACK}
    await store.forget(tx, customer, "feedback:", declared)


def _made(declared: Declared, customer: UUID, history: History, now: datetime | None) -> Picture:
    """One customer's picture; of one on whom our own code fails the picture says only that, and the others have theirs."""
    try:
        return picture(declared, history, now)
    except Exception:
        log.exception("no picture could be made", extra={"customer": str(customer)})
        return Picture(Counter({"failed:customers": 1}))


@lru_cache(maxsize=64)
def _read(document: bytes) -> list[language.Declared]:
    return language.read(document.decode(), "published", language.KINDS)


def declared_by(documents: Iterable[Published], promises: Known = MappingProxyType({})) -> Declared:
    """What published documents say; they were checked when they were published. Of several Relationships the last published counts."""
    found = [each for one in sorted(documents, key=lambda each: each.published_at) for each in _read(one.document)]
    rules = [each for each in found if isinstance(each, Rules)]
    return Declared(tuple(each for each in found if isinstance(each, JourneyMap)), rules[-1] if rules else None, promises)


def _bounded(marked: list[UUID], sizes: dict[UUID, int]) -> list[UUID]:
    """The first of the marked, until they have enough events for one step; at least one."""
    taken, events = [], 0
    for key in marked:
        if events > EVENTS:
            break
        taken.append(key)
        events += sizes.get(key, 0)
    return taken
