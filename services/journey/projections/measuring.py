"""The projection behind indicators: load the last words, let them count, save."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.journey.indicators import encounters
from services.journey.indicators.counting import STATES, Delta, Price, Segment, lone_segments, said_of, segment_of, take_commitments
from services.journey.indicators.encounters import Contact, Contacts, lone_channels, take_contacts
from services.journey.projections.projector import STATEMENTS, Chunk
from services.journey.store import erasure, picture, principles
from services.journey.store import indicators as store
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
        read = _read(chunk.journal)
        named = {each.key for _, each in read.priced}
        stored = await store.said(tx.driver, {each.commitment for each in heard}, {(whose, each.key) for whose, each in read.priced})
        known = await store.prices(tx.driver, named | {each.priced for each in [*heard, *stored.values()]})
        commitments = take_commitments(stored, known, heard, [each for _, each in read.priced])
        begun = await _contacts(tx, read)
        moved = _sum(commitments.delta, begun.delta, read.answers)
        await store.save(tx, commitments.said.values(), commitments.prices.values(), begun.contacts.values(), moved)

    async def settle(self, tx: Transaction, now: datetime | None) -> bool:  # noqa: ARG002
        """Nothing changes by time alone."""
        return False


async def forget(tx: Transaction, customer: UUID) -> None:
    """Leave no trace of a customer in what is counted: segments and channels that were theirs alone; the counts stay.

    What came under all keys of that person counts as theirs: a name that two of them share is nobody else's.
    """
    await store.hold(tx)
    keys = await erasure.keys_of_person(tx, customer)
    said, contacts = await store.said_of_customers(tx.driver, keys), await store.contacts_of_customers(tx.driver, keys)
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


class _Read(NamedTuple):
    """What touchpoints say: prices and under whose key, contacts, and what answers of teams count as."""

    priced: list[tuple[UUID, Price]]
    contacts: list[Contact]
    answers: Delta
    whose: set[UUID]
    """Whose contacts there is news of."""
    moved: set[UUID]
    """To whom it turns out that contacts of another key belong."""
    statements: set[UUID]
    """Events that say who is one person, or is not."""


def _read(journal: Iterable[Journalled]) -> _Read:
    found = _Read([], [], Delta(), set(), set(), set())
    for row in journal:
        body = row.body or b""
        if any(mark in body for mark in encounters.MARKS):
            _hear(found, row, orjson.loads(body))
        elif any(mark in body for mark in STATEMENTS):
            found.statements.add(row.event)
    return found


def _hear(found: _Read, row: Journalled, event: Mapping[str, Any]) -> None:
    type_, data = event.get("type"), event.get("data")
    if type_ not in encounters.TYPES or not isinstance(data, dict):
        return
    if type_ == encounters.PRICED:  # under another key of that person it is the price there, too
        if (price := encounters.price_of(row.customer, row.event, row.time, data)) is not None:
            found.priced.append((row.customer, price))
    elif type_ == encounters.PULSE:
        for key, number in encounters.of_pulse(row.time, data) if not row.copied else ():
            found.answers[key] += number
    elif (contact := encounters.contact_of(row.customer, type_, row.time, data)) is not None:
        (found.moved if row.copied else found.whose).add(row.customer)
        if not row.copied:
            found.contacts.append(contact)


async def _contacts(tx: Transaction, read: _Read) -> Contacts:
    """Take contacts in; whoever is one person by now has one first contact."""
    moved = read.moved | (await picture.stated(tx, read.statements) if read.statements else set())
    if not read.whose and not moved:
        return Contacts({}, Delta())
    found = await picture.persons(tx.connection, read.whose | moved)
    persons = {key: key for key in read.whose | moved} | {key: person.key for key, person in found.items()}
    moved |= {key for each in moved if each in found for key in found[each].keys}
    stored = await store.contacts(tx.driver, {each[:2] for each in read.contacts}, persons, moved)
    return take_contacts(stored, read.contacts, persons)
