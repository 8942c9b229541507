"""The projection behind indicators: load the last words, let them count, save."""

from collections.abc import Iterable
from datetime import datetime

import orjson

from services.chassis.database import Transaction
from services.journey.indicators import encounters
from services.journey.indicators.counting import Delta, Price, said_of, take_commitments
from services.journey.indicators.encounters import Contact, take_contacts
from services.journey.projector import Chunk
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
        priced, contacts, delta = _read(chunk.journal)
        named = {each.key for each in priced}
        stored = await store.said(tx.driver, {each.commitment for each in heard}, named)
        known = await store.prices(tx.driver, named | {each.priced for each in [*heard, *stored.values()]})
        commitments = take_commitments(stored, known, heard, priced)
        begun = take_contacts(await store.contacts(tx.driver, {each[:2] for each in contacts}), contacts)
        for one in (commitments.delta, begun.delta):
            for key, number in one.items():
                delta[key] += number
        await store.save(tx, commitments.said.values(), commitments.prices.values(), begun.contacts.values(), delta)

    async def settle(self, tx: Transaction, now: datetime | None) -> bool:  # noqa: ARG002
        """Nothing changes by time alone."""
        return False


def _read(journal: Iterable[Journalled]) -> tuple[list[Price], list[Contact], Delta]:
    """What touchpoints say: prices, contacts, and what answers of teams count as."""
    priced: list[Price] = []
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
            priced += [found] if (found := encounters.price_of(row.customer, row.event, row.time, data)) is not None else []
        elif row.copied:
            continue
        elif type_ == encounters.PULSE:
            for key, number in encounters.of_pulse(data):
                delta[key] += number
        elif (contact := encounters.contact_of(row.customer, type_, row.time, data)) is not None:
            contacts.append(contact)
    return priced, contacts, delta
