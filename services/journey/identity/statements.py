"""What trusted sources say of who is whom: loads who belongs together, lets the words decide, saves what changes by them.

A statement is a batch of its own, under the identity lock held alone: what it changes was so for every event before it,
and is not so for any after it. Keys never change; who is one person with whom does, and with it who gets whose events.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.chassis.database import Transaction
from services.chassis.faults import LostOwnershipError
from services.journey import store
from services.journey.domain import STATEMENTS, Identifier, customer_key, named_key
from services.journey.identity import attribution
from services.journey.identity.attribution import Copied, Identity, Kin
from services.journey.identity.persons import Pair, Persons, Word, persons
from services.journey.store import holdings
from services.journey.store import identity as store_identity
from services.journey.store.identity import Known, StatementRow


class Statement(NamedTuple):
    """An event that says who is whom: the identifiers it names, its subject first, and what it says of the others."""

    event: UUID
    attributes: Mapping[str, Any]
    time: datetime
    arrival: datetime
    identifiers: Sequence[Identifier]


class Applied(NamedTuple):
    """What came of a statement: whose event it is, what is evidence of whom from now on, and what no longer is."""

    customer: UUID
    kin: Kin
    copies: list[Copied]
    withdrawn: list[Copied]


async def apply(tx: Transaction, memory: Identity, statement: Statement) -> Applied:
    """Let a statement count; the caller journals what came of it."""
    if not memory.exclusive:
        message = "a statement says who is whom: again, with the identity lock held alone"
        raise LostOwnershipError(message)
    named, at = statement.identifiers, statement.arrival
    found = (await attribution.attribute(tx, memory, [[each] for each in named], [at] * len(named))).found
    keys = [each.customer for each in found]
    await store_identity.add_customers(tx, keys, at)
    before, _ = await store_identity.neighbourhood(tx, keys)
    memory.statements += 1
    rows = await _rows(tx, statement, keys, before, memory.statements)
    await store_identity.state(tx, rows)
    await store.move_epoch(tx)
    ends = {key for row in rows for key in (row.one, row.other)}
    after, words = await store_identity.neighbourhood(tx, before.keys() | ends)
    are = persons(words)
    clashes = [(each.event, each.one, each.other, at) for each in are.contradicted]
    await store.save_conflicts(tx, clashes)
    await _decide(tx, after, are, {_said(each) for each in words if each.same})
    subject = named[0].text
    own = named_key(subject) or (await store.lookup(tx, [subject]))[subject].key  # it may lead elsewhere by now
    return await _move(tx, own, before, after, are)


def _said(word: Word) -> tuple[UUID, Pair]:
    return word.event, frozenset(word[:2])


async def _rows(
    tx: Transaction, statement: Statement, keys: Sequence[UUID], before: Mapping[UUID, Known], number: int
) -> list[StatementRow]:
    """What the statement says of its subject and each other customer it names."""
    kind, source = statement.attributes["type"], statement.attributes["source"]
    said = orjson.dumps({name: statement.attributes.get(name) for name in ("id", "subject", "data")})
    found = {}
    for place in range(1, len(keys)):
        one, other, same = await _word(tx, statement, keys, before, place)
        pair = min(one, other), max(one, other)
        found[pair] = StatementRow(number, *pair, same, kind, statement.event, statement.time, statement.arrival, source, said)
    return list(found.values())


async def _word(
    tx: Transaction, statement: Statement, keys: Sequence[UUID], before: Mapping[UUID, Known], place: int
) -> tuple[UUID, UUID, bool | None]:
    """A thing that leads to a person makes nobody one with them, nor apart: that is for a person to decide."""
    same = STATEMENTS[statement.attributes["type"]]
    subject, other = ((statement.identifiers[each], before[keys[each]]) for each in (0, place))
    if subject[1].head == other[1].head:
        return (subject[1].head, other[1].head, None) if same else await _part(tx, statement, other[0], subject[0], subject[1].head)
    if any(not identifier.person and not known.provisional for identifier, known in (subject, other)):
        if same:
            await store.save_conflicts(tx, [(statement.event, subject[1].head, other[1].head, statement.arrival)])
        return subject[1].head, other[1].head, None
    return subject[1].head, other[1].head, same


async def _part(
    tx: Transaction, statement: Statement, other: Identifier, subject: Identifier, head: UUID
) -> tuple[UUID, UUID, bool | None]:
    """Let one of two identifiers of a customer lead to a customer of its own from now on, best the one that is not the subject."""
    for identifier in (other, subject):
        key = named_key(identifier.text) or customer_key(identifier.text)
        if key != head:
            texts = [each for each in await store_identity.identifiers_of(tx, head) if customer_key(each) == key]
            await store_identity.detach(tx, texts, key, statement.arrival)
            return head, key, False
    return head, head, None


async def _decide(tx: Transaction, known: Mapping[UUID, Known], are: Persons, links: set[tuple[UUID, Pair]]) -> None:
    """Note how conflicts between these customers stand by now."""
    waiting = {_said(each) for each in are.contradicted}
    changed = []
    for event, customer, other, decided in await store_identity.conflicts_of(tx, known):
        one, another = (known[each].head if each in known else each for each in (customer, other))
        said = event, frozenset((one, another))
        apart = said not in waiting if said in links else are.are_apart(one, another)
        now = "same" if are.same(one, another) else "other" if apart else None
        if now != decided:
            changed.append((event, customer, other, now))
    await store_identity.decide_conflicts(tx, changed)


async def _move(tx: Transaction, own: UUID, before: Mapping[UUID, Known], after: Mapping[UUID, Known], are: Persons) -> Applied:
    """Save who is one person now; whoever is so newly gets the other's events as evidence, whoever is no longer gives them back."""
    was = _groups({key: row.person for key, row in {**after, **before}.items()})
    heads = {key: min(are.of(row.head)) for key, row in after.items()}
    now = _groups(heads)
    await store_identity.save_persons(tx, {key: min(now[key]) if len(now[key]) > 1 else None for key in sorted(after)})
    gained = {key: sorted(now[key] - was[key]) for key in sorted(after) if now[key] - was[key]}
    lost = {key: sorted(was[key] - now[key]) for key in sorted(after) if was[key] - now[key]}
    kin = Kin(await store_identity.others_of(tx, after), await attribution.own_events(tx, gained.keys() | lost.keys()))
    things = {key for key, row in after.items() if row.head != key}
    held = await holdings.reached(tx, gained.keys() | lost.keys())
    copies = [copied for key, others in gained.items() for copied in kin.given(key, others, thing=key in things)]
    withdrawn = [copied for key, others in lost.items() for copied in kin.given(key, others, thing=False)]
    return Applied(own, kin, _but(held, copies), _but(held, withdrawn))


def _but(held: Mapping[UUID, set[UUID]], copies: Sequence[Copied]) -> list[Copied]:
    """Without what reaches a customer in any case, since it happened to a thing that they hold."""
    return [each for each in copies if each.own.event not in held.get(each.customer, ())]


def _groups(person: Mapping[UUID, UUID | None]) -> dict[UUID, frozenset[UUID]]:
    """For each customer all that are the same person."""
    members: dict[UUID, set[UUID]] = {}
    for key, named in person.items():
        members.setdefault(key if named is None else named, set()).add(key)
    sets = {named: frozenset(keys) for named, keys in members.items()}
    return {key: sets[key if named is None else named] for key, named in person.items()}
