"""The projection behind indicators: load the last words, let them count, save."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.journey.indicators import encounters
from services.journey.indicators.counting import STATES, Delta, Price, Segment, lone_segments, said_of, segment_of, take_commitments
from services.journey.indicators.encounters import Contact, lone_channels, take_contacts
from services.journey.projections.projector import Chunk
from services.journey.store import indicators as store
from services.journey.store import principles
from services.journey.store.projections import Journalled


class Indicators:
    """Counts as soon as the organisation has said, in a principle, what it wants to be measured by."""

    name = store.PROJECTION

    async def wanted(self, tx: Transaction) -> bool:
        """Whether any principle was published."""
        return await principles.any_published(tx)

    async def take(self, tx: Transaction, chunk: Chunk) -> None:
        """Count what is new."""
        heard = [said for each in chunk.facts if (said := said_of(each.body)) is not None]
        priced, contacts, answers = _read(chunk.journal)
        named = {each.key for _, each in priced}
        stored = await store.said(tx.driver, {each.commitment for each in heard}, {(whose, each.key) for whose, each in priced})
        known = await store.prices(tx.driver, named | {each.priced for each in [*heard, *stored.values()]})
        commitments = take_commitments(stored, known, heard, [each for _, each in priced])
        begun = take_contacts(await store.contacts(tx.driver, {each[:2] for each in contacts}), contacts)
        moved = _sum(commitments.delta, begun.delta, answers)
        await store.save(tx, commitments.said.values(), commitments.prices.values(), begun.contacts.values(), moved)

    async def settle(self, tx: Transaction, now: datetime | None) -> bool:  # noqa: ARG002
        """Nothing changes by time alone."""
        return False


async def forget(tx: Transaction, customer: UUID) -> None:
    """Leave no trace of a customer in what is counted: segments and channels that were theirs alone; the counts stay."""
    await store.hold(tx)
    said, contacts = await store.said_of_customer(tx.driver, customer), await store.contacts_of_customer(tx.driver, customer)
    if not said and not contacts:
        return
    ever = [*await store.ever(tx.connection, "commitment"), *await store.ever(tx.connection, "contact")]
    segments, channels = Counter[Segment](), Counter[str | None]()
    for each in ever:
        if each.what in STATES:
            segments[segment_of(each.group)] += each.number
        elif each.what == "contacts":
            channels[each.group["channel"]] += each.number
    prices = await store.prices(tx.driver, {each.priced for each in said.values()})
    commitments, begun = lone_segments(said, prices, segments), lone_channels(contacts, channels)
    await store.save(tx, commitments.said.values(), (), begun.contacts.values(), _sum(commitments.delta, begun.delta))
    await store.sweep(tx)


def _sum(*deltas: Delta) -> Delta:
    """All of them together; unlike `+`, with what is taken back."""
    found = Delta()
    for each in deltas:
        for key, number in each.items():
            found[key] += number
    return found


def _read(journal: Iterable[Journalled]) -> tuple[list[tuple[UUID, Price]], list[Contact], Delta]:
    """What touchpoints say: prices and under whose key, contacts, and what answers of teams count as."""
    priced: list[tuple[UUID, Price]] = []
    contacts: list[Contact] = []
    delta = Delta()
    for row in journal:
        body = row.body or b""
        if not any(mark in body for mark in encounters.MARKS):
            continue
        event = orjson.loads(body)
        type_, data = event.get("type"), event.get("data")
        if type_ not in encounters.TYPES or not isinstance(data, dict):
            continue
        if type_ == encounters.PRICED:  # under another key of that person it is the price there, too
            priced += [(row.customer, found)] if (found := encounters.price_of(row.customer, row.event, row.time, data)) is not None else []
        elif row.copied:
            continue
        elif type_ == encounters.PULSE:
            for key, number in encounters.of_pulse(row.time, data):
                delta[key] += number
        elif (contact := encounters.contact_of(row.customer, type_, row.time, data)) is not None:
            contacts.append(contact)
    return priced, contacts, delta
