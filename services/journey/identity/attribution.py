"""Whose events a batch holds: loads what identifiers mean, lets the domain decide, saves what was learnt.

Every batch holds the identity lock shared; a batch in which a provisional customer turns out to be a known person
holds it alone, so that no event falls between the two (DESIGN 5).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.chassis.faults import LostOwnershipError
from services.chassis.keys import fast, named
from services.journey import store
from services.journey.domain import CUSTOMERS, Attribution, Customer, Directory, EventTypes, Identifier, named_key
from services.journey.identity.persons import persons
from services.journey.records import SOURCE
from services.journey.store import NOT_YET, documents
from services.journey.store import identity as identities
from services.journey.store.identity import Others

CACHED_SUBJECTS = 200_000
_new_key = partial(named, CUSTOMERS)
"""A customer's key as the database's driver makes it."""


class Own(NamedTuple):
    """An event as it is journalled under the key that it belongs to."""

    event: UUID
    time: datetime
    body: dict[str, Any]


class Copied(NamedTuple):
    """A stored event that becomes evidence of another key of the same person."""

    customer: UUID
    own: Own


class Kin:
    """Which keys are one person's, and what each has of its own; follows a batch event by event."""

    def __init__(self, joined: Others, stored: dict[UUID, list[Own]]) -> None:
        """What is so before the batch; `stored` holds the keys whose events become evidence in it, and of whom."""
        self._joined, self._stored = joined, stored

    def others(self, customer: UUID) -> Collection[UUID]:
        """The other keys of a person: they get the person's events as evidence only."""
        return self._joined.get(customer, ())

    def note(self, customer: UUID, own: Own) -> None:
        """Take note of an event of this batch, for a key that joins later in it."""
        if customer in self._stored:
            self._stored[customer].append(own)

    def join(self, person: UUID, provisional: UUID) -> list[Copied]:
        """Let a provisional customer join: what each side has of its own becomes evidence of the other."""
        theirs = {provisional: True, **self._joined.get(provisional, {})}
        ours = {person: False, **self._joined.get(person, {})}
        together = ours | theirs
        for key in together:
            self._joined[key] = {each: thing for each, thing in together.items() if each != key}
        copies = [copy for key, thing in ours.items() for copy in self.given(key, theirs, thing=thing)]
        return copies + [copy for key, thing in theirs.items() for copy in self.given(key, ours, thing=thing)]

    def given(self, key: UUID, others: Iterable[UUID], *, thing: bool) -> list[Copied]:
        """What others have becomes a key's; a thing gets what is not older than its own: it has no commitment that is."""
        begin = min((own.time for own in self._stored[key]), default=None) if thing else NOT_YET
        return [Copied(key, own) for each in others for own in self._stored[each] if begin is not None and own.time >= begin]


@dataclass(slots=True)
class Identity:
    """What one lane remembers of identifiers and of what is declared; void whenever the epoch moves."""

    exclusive: bool = False
    epoch: int = -1
    types: EventTypes = field(default_factory=lambda: EventTypes(()))
    subjects: dict[str, UUID] = field(default_factory=dict)
    sources: Mapping[str, timedelta | None] = field(default_factory=dict)
    """The declared sources and their heartbeats."""
    trusted: frozenset[str] = frozenset()
    """The sources that may say who is whom."""
    joins: bool = False
    """Some customers are one person."""
    describes: bool = False
    """Something was described of some customer."""
    erases: bool = False
    """Some customer has been erased."""
    statements: int = 0
    """How many statements there were of who is whom."""


class Attributed(NamedTuple):
    """Whose each event is, in the order of the events asked for, and who belongs together."""

    found: list[Attribution]
    kin: Kin


async def refresh(tx: Transaction, identity: Identity) -> None:
    """Hold the identity lock for this transaction, and forget what is no longer true."""
    epoch = await store.lock_identity(tx, exclusive=identity.exclusive)
    if epoch != identity.epoch:
        identity.subjects.clear()
        identity.types = EventTypes(await documents.read_event_types(tx))
        declared = await documents.read_sources(tx)
        identity.sources, identity.trusted = documents.heartbeats(declared), documents.trusted(declared) | {SOURCE}
        identity.joins, identity.describes, identity.erases, identity.statements = await store.what_there_is(tx)
        identity.epoch = epoch


async def attribute(
    tx: Transaction,
    identity: Identity,
    named: Sequence[Sequence[Identifier]],
    arrivals: Sequence[datetime],
    untaken: AbstractSet[int] = frozenset(),
    beside: AbstractSet[UUID] = frozenset(),
) -> Attributed:
    """Find out whose events these are; two lanes that learn of one identifier at once agree before either commits.

    Of those in the places `untaken` it is only found out whom they name; of customers `beside` them, who is the same person.
    """
    saved = False
    while not saved:
        directory = await _load(tx, identity, named)
        found = directory.attribute_all(named, untaken)
        if identity.statements and (ends := {key for each in found for key in each.ends()}):
            directory = await _load(tx, identity, named)
            await _relate(tx, directory, ends)
            found = directory.attribute_all(named, untaken)
        saved = await _save(tx, found, arrivals)
    if any(each.joined for each in found) and not identity.exclusive:
        message = "an identifier changes its customer: again, with the identity lock held alone"
        raise LostOwnershipError(message)
    _remember(identity, directory, named)
    return Attributed(found, await _join(tx, identity, found, beside))


async def _load(tx: Transaction, identity: Identity, named: Sequence[Sequence[Identifier]]) -> Directory:
    directory = Directory(_new_key)
    wanted = set()
    own: dict[str, UUID] = {}
    for identifiers in named:
        for text, _ in identifiers:
            if (cached := identity.subjects.get(text)) is not None:
                directory.known[text] = Customer(cached, provisional=False)
            elif (key := named_key(text)) is not None:
                own[text] = key
            else:
                wanted.add(text)
    if own:
        provisional = await store.provisional(tx, own.values())
        for text, key in own.items():
            directory.know_key(text, Customer(key, key in provisional))
    if wanted:
        directory.known |= await store.lookup(tx, sorted(wanted))
    return directory


async def _relate(tx: Transaction, directory: Directory, keys: Collection[UUID]) -> None:
    """Know who is one person by name, and who is not: that is no conflict, and nobody joins across it."""
    known, words = await identities.neighbourhood(tx, keys)
    are = persons(words)
    for key, row in known.items():
        if row.head != key:
            are.join(key, row.head)
    directory.are = are
    directory.persons = {key for key, row in known.items() if row.head == key and not row.provisional}


async def _save(tx: Transaction, found: Sequence[Attribution], arrivals: Sequence[datetime]) -> bool:
    """Save what was learnt; False, and nothing saved, when another lane attached one of the identifiers meanwhile."""
    learnt = [(each, arrival) for each, arrival in zip(found, arrivals, strict=True) if each.attached or each.promoted or each.joined]
    if not learnt:
        return True
    new = {identifier.text: (identifier, each.customer) for each, _ in learnt for identifier in each.attached}
    persons: dict[UUID, bool] = {}
    since: dict[UUID, datetime] = {}
    for each, arrival in learnt:
        since.setdefault(each.customer, arrival)
        persons[each.customer] = persons.get(each.customer, False) or not each.provisional
    attempt = tx.driver.transaction()
    await attempt.start()
    if await store.attach(tx, list(new.values())) < len(new):
        await attempt.rollback()
        return False
    await store.save_customers(tx, [(key, not person, since[key]) for key, person in persons.items()])
    await attempt.commit()
    return True


def _remember(identity: Identity, directory: Directory, named: Sequence[Sequence[Identifier]]) -> None:
    """Remember what leads to persons, which it does as long as the epoch stands; a provisional customer may join somebody."""
    known, persons = directory.known, identity.subjects
    if len(persons) > CACHED_SUBJECTS:
        persons.clear()
    for identifiers in named:
        for text, _ in identifiers:
            if text not in persons and text in known and not known[text].provisional and named_key(text) is None:
                persons[text] = fast(known[text].key)


async def _join(tx: Transaction, identity: Identity, found: Sequence[Attribution], beside: AbstractSet[UUID]) -> Kin:
    """Let provisional customers join persons from now on; returns who belonged together before."""
    joining = [(provisional, each.customer) for each in found for provisional in each.joined]
    if not identity.joins and not joining:
        return Kin({}, {})
    ends = {key for pair in joining for key in pair}
    joined = await identities.others_of(tx, {each.customer for each in found} | ends | beside)
    for provisional, person in joining:
        await identities.join(tx, provisional, person)
    if joining:
        await store.move_epoch(tx)
    return Kin(joined, await own_events(tx, ends | {other for key in ends for other in joined.get(key, ())}))


async def own_events(tx: Transaction, keys: Collection[UUID]) -> dict[UUID, list[Own]]:
    """What each of these keys has of its own, oldest arrival first."""
    stored: dict[UUID, list[Own]] = {key: [] for key in keys}
    for customer, event, time, body in await store.stored_events(tx, keys) if keys else ():
        stored[customer].append(Own(event, time, orjson.loads(body)))
    return stored
