"""What was described of customers: loads it for a batch, saves what the batch has learnt."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.journey import store
from services.journey.attributes import Attributes, Value, Word
from services.journey.domain import Attribution
from services.journey.identity.attribution import Identity, Kin


async def load(
    tx: Transaction, memory: Identity, found: Sequence[Attribution], kin: Kin, beside: Iterable[UUID] = (), *, described: bool = False
) -> Attributes | None:
    """What was described of the customers of a batch; None, and nothing is asked, where nothing ever was, nor is `described` in it."""
    if not memory.describes and not described:
        return None
    known = Attributes()
    keys = {key for each in found for key in (each.customer, *each.joined)} | set(beside)
    keys |= {other for key in keys for other in kin.others(key)}
    for customer, name, value, time, event in await store.read_attributes(tx, keys):
        known.know(customer, name, Word(time, event, None if value is None else orjson.loads(value)))
    return known


async def save(tx: Transaction, memory: Identity, known: Attributes | None) -> None:
    """Save the words that were learnt."""
    if known is None or not known.learnt:
        return
    words = [(customer, name, known.word(customer, name)) for customer, name in known.learnt]
    await store.save_attributes(tx, [(customer, name, _json(word.value), word.time, word.event) for customer, name, word in words])
    if not memory.describes:
        await store.move_epoch(tx)  # the first of all: every lane must know that there is something to be known


def _json(value: Value) -> bytes | None:
    return None if value is None else orjson.dumps(value)
