"""Whoever was erased stays so: their identifiers are known again by marks, and what names them is not taken in (DESIGN 5).

What is first met beside one of their identifiers is theirs, as attribution would have it, and is forgotten like them. An event that
belongs to somebody else and names them beside goes on without.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import orjson

from services.chassis.cloudevents import Event
from services.chassis.database import Transaction
from services.chassis.faults import LostOwnershipError
from services.chassis.redaction import without
from services.journey import store
from services.journey.domain import CUSTOMER_KIND, Customer, Identifier, mark_of
from services.journey.store import erasure as kept
from services.journey.store import identity
from services.journey.store.erasure import NOWHERE, Erasure, Place


class Work(NamedTuple):
    """What is left to do of one key, as its row keeps it: which part, and behind which pack of facts."""

    texts: list[str]
    """The identifiers that led there."""
    persons: list[str]
    """Those of them that name the person themselves."""
    part: str = "clashes"
    after: Place = NOWHERE

    def json(self) -> bytes:
        """As the row keeps it."""
        return orjson.dumps([self.texts, self.persons, self.part, list(self.after)])

    @classmethod
    def of(cls, written: bytes) -> "Work":
        """As it was written."""
        texts, persons, part, after = orjson.loads(written)
        return cls(texts, persons, part, Place(*after))


async def begin(tx: Transaction, rows: Sequence[Erasure]) -> Sequence[Erasure]:
    """Leave marks of what leads to these customers, and note what is to be done; the identity lock is held alone."""
    secret, keys = await identity.erasure_key(tx), [each.customer for each in rows]
    found = await kept.identifiers_of(tx, keys)
    own = {customer: Identifier(f"{CUSTOMER_KIND}{customer}", person=True) for customer in found}
    names = {customer: [*identifiers, own[customer]] for customer, identifiers in found.items()}
    await identity.erase(tx, {mark_of(one.text, secret): customer for customer, each in names.items() for one in each}, keys)
    work = {customer: Work([one.text for one in each], [one.text for one in each if one.person]) for customer, each in names.items()}
    await kept.begin(tx, [each._replace(work=work[each.customer].json()) for each in rows])
    await kept.empty_tables(tx, keys)  # at once: what many hold reaches them no more, and a link of theirs shows nothing
    return rows


class Sifted(NamedTuple):
    """Of each event: the identifiers that lead to somebody, or None where it is theirs who were erased."""

    left: list[list[Identifier] | None]
    begun: Sequence[Erasure] = ()
    """Provisional customers that turned out to be theirs, and are to be forgotten with them."""


async def sift(tx: Transaction, named: Sequence[Sequence[Identifier]], now: datetime | None, *, exclusive: bool) -> Sifted:
    """Tell what may be taken in from what may not, by the identifiers of each event."""
    texts = {each.text for identifiers in named for each in identifiers}
    secret = await identity.erasure_key(tx)
    marks = {text: mark_of(text, secret) for text in texts}
    gone = await identity.erased(tx, marks.values())
    names = {text: gone[mark] for text, mark in marks.items() if mark in gone}
    if not names:
        return Sifted([list(each) for each in named])
    living = await store.lookup(tx, sorted(texts - names.keys()))
    theirs = _closure(named, names, living)
    begun: Sequence[Erasure] = ()
    if learnt := {text: customer for text, customer in theirs.items() if text not in names}:
        if not exclusive:
            message = "an identifier turns out to be of somebody who was erased: again, with the identity lock held alone"
            raise LostOwnershipError(message)
        await identity.erase(tx, {marks[text]: customer for text, customer in learnt.items()}, [])
        begun = await _forget_too(tx, {living[text].key: customer for text, customer in learnt.items() if text in living}, now)
    return Sifted([_left(each, theirs, living) for each in named], begun)


def _owner(identifiers: Iterable[Identifier], theirs: Mapping[str, UUID], living: Mapping[str, Customer]) -> str | None:
    """The first identifier that leads to a person, the erased among them; None where none does."""
    return next((text for text, _ in identifiers if text in theirs or (text in living and not living[text].provisional)), None)


def _left(identifiers: Sequence[Identifier], theirs: Mapping[str, UUID], living: Mapping[str, Customer]) -> list[Identifier] | None:
    if _owner(identifiers, theirs, living) in theirs:
        return None
    return [each for each in identifiers if each.text not in theirs]


def _closure(named: Sequence[Sequence[Identifier]], names: Mapping[str, UUID], living: Mapping[str, Customer]) -> dict[str, UUID]:
    """The erased identifiers and all that is first met beside them, in whatever order."""
    theirs, grown = dict(names), True
    while grown:
        grown = False
        for identifiers in named:
            owner = _owner(identifiers, theirs, living)
            if owner is None or owner not in theirs:
                continue
            for text, _ in identifiers:
                if text not in theirs and (text not in living or living[text].provisional):
                    theirs[text], grown = theirs[owner], True
    return theirs


async def _forget_too(tx: Transaction, joining: Mapping[UUID, UUID], now: datetime | None) -> Sequence[Erasure]:
    """Begin to forget provisional customers that turned out to be somebody who was erased."""
    before = {each.customer: each for each in await kept.rows_of(tx, set(joining.values()))}
    rows = [
        Erasure(key, before[customer].person, before[customer].reason, before[customer].by, now or before[customer].at,
                before[customer].asked_at, None)
        for key, customer in joining.items() if customer in before
    ]  # fmt: skip
    if rows:
        await begin(tx, rows)
        await store.move_epoch(tx)
    return rows


SHORTEST: Final = 5
"""Characters; a bare value that is shorter stands in too many places that are somebody else's."""


def bare(texts: Iterable[str]) -> set[str]:
    """Identifiers with and without their kind, as they may stand in data."""
    return {each for text in texts for each in (text, text.partition(":")[2]) if each}


class Named(Protocol):
    """An event and whom it names."""

    @property
    def event(self) -> Event:
        """The event."""

    @property
    def identifiers(self) -> list[Identifier]:
        """Whom it names."""


def stripped(taken: Named, left: Sequence[Identifier]) -> dict[str, Any]:
    """Somebody else's event without the identifiers of the erased."""
    event: dict[str, Any] = without(taken.event.attributes, bare(each.text for each in taken.identifiers if each not in left))
    return event
