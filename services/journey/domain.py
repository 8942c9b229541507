"""Who a touchpoint belongs to, and what is impossible about it: decides, and knows nothing of Kafka, SQL or HTTP.

Identifiers lead to customers (DESIGN 5). A customer known only by things (an order, a parcel) is provisional and joins
the person it turns out to belong to; two persons are never joined by a thing that they share.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from services.journey.identity.persons import Persons

CUSTOMERS = UUID("6b1f0c52-7f0e-5d0a-9a2b-7d3f6f1c9e10")
"""Namespace of customer keys: a customer's key is the UUIDv5 of the identifier they were first met under."""
CUSTOMER_KIND = "customer:"
"""Reserved kind of identifier: the customer's key itself, as our own services write it."""
TICK = "makegood.tick"
HEARTBEAT = "source.heartbeat"
"""A sign of life that a company system sends when it has nothing to say; it is about nobody, and only its arrival counts."""
FEED = "feed"
"""Extension attribute: the feed that read the event somewhere. Such an event does not show that nothing else is still to come."""
LINKED, MERGED, UNMERGED = "customer.linked", "customer.merged", "customer.unmerged"
STATEMENTS: Final[Mapping[str, bool]] = {LINKED: True, MERGED: True, UNMERGED: False}
"""Whether an event of this type says that its identifiers are one person's, or that they are not."""
MOST_IDENTIFIERS = 16
"""That a statement names beside its subject."""
RESERVED_TYPES = "makegood."
FUTURE_BOUND = timedelta(minutes=5)
WINDOW = timedelta(days=30)
EARLIEST = datetime(1, 1, 3, tzinfo=UTC)
"""Of history. PostgreSQL's driver reads the first instant back as minus infinity, without a zone, and zones reach a day beyond."""
_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost
LONGEST_IDENTIFIER = 512
"""Characters; the index that finds identifiers takes 2,704 bytes."""


class Impossible(NamedTuple):
    """Why a well-formed event cannot be taken: a slug, and what would be right."""

    reason: str
    detail: str


def impossible(type_: str, time: datetime | None, arrival: datetime, window: timedelta | None = WINDOW) -> Impossible | None:
    """What is impossible about an event that arrived then, None where nothing is (DESIGN 3.8, 4); `window` None: nothing is too old."""
    if time is None:
        return Impossible("no-time", "`time` says when it happened; every touchpoint needs it")
    if time - arrival > FUTURE_BOUND:
        return Impossible("future-dated", f"`time` is {time - arrival} after its arrival; at most {FUTURE_BOUND} is possible")
    if window is not None and arrival - time > window:
        return Impossible("too-old", f"`time` is {arrival - time} before its arrival; beyond {window.days} days it is a backfill")
    if window is None and time < EARLIEST:
        return Impossible("too-old", "`time` is before any that a time zone can show; nothing happened to a customer then")
    if type_.startswith(RESERVED_TYPES):
        return Impossible("reserved-type", f"types that begin with `{RESERVED_TYPES}` are the system's own")
    return None


def misstated(event: Mapping[str, Any]) -> Impossible | None:
    """What is wrong with a statement of who is whom, None where nothing is."""
    data = event.get("data")
    named = data.get("identifiers") if isinstance(data, Mapping) else None
    if not isinstance(event.get("subject"), str) or not isinstance(named, Sequence) or not 0 < len(named) <= MOST_IDENTIFIERS:
        return Impossible("bad-statement", f"it names `subject`, and 1 to {MOST_IDENTIFIERS} others in `data.identifiers`, a list of texts")
    if not all(isinstance(each, str) and 0 < len(each) <= LONGEST_IDENTIFIER and "\0" not in each for each in named):
        return Impossible("bad-statement", f"each of `data.identifiers` is a text of 1 to {LONGEST_IDENTIFIER} characters")
    if len({event["subject"], *named}) <= len(named):
        return Impossible("bad-statement", "`subject` and each of `data.identifiers` differ")
    return None


def untrusted() -> Impossible:
    """Why a statement of some source does not count."""
    return Impossible("untrusted-source", "only a source that a `kind: Source` declares `trusted: true` may say who is whom")


class Identifier(NamedTuple):
    """One name that a customer goes by, and whether it names a person or a thing of theirs."""

    text: str
    person: bool


def unattributable(identifiers: Sequence[Identifier]) -> Impossible | None:
    """Why nobody can be found by these identifiers, None where somebody can."""
    if not identifiers:
        return Impossible("names-nobody", "`subject`, or an identifier its EventType declares, says whom it is about")
    for each in identifiers:
        if len(each.text) > LONGEST_IDENTIFIER:
            return Impossible("identifier-too-long", f"an identifier has at most {LONGEST_IDENTIFIER} characters, its kind included")
    return None


@dataclass(frozen=True, slots=True)
class EventType:
    """Where an event type carries identifiers: (name, path, of a person) each; `subject` may be one of the paths."""

    type: str
    identifiers: tuple[tuple[str, tuple[str, ...], bool], ...] = ()
    about_many: bool = False
    """The things that it names are held by many."""
    retired: bool = False
    """Its fields name nobody any more; what it called a thing, or a thing of many, still is no person."""


def customer_key(identifier: str) -> UUID:
    """The key of the customer first met under this identifier; it never changes."""
    return uuid5(CUSTOMERS, identifier)


def named_key(text: str) -> UUID | None:
    """The customer that an identifier names by key, as our own services write it; None for every other identifier."""
    if not text.startswith(CUSTOMER_KIND):
        return None
    try:
        key = UUID(text.removeprefix(CUSTOMER_KIND))
    except ValueError:
        return None
    return key if text == f"{CUSTOMER_KIND}{key}" else None


def mark_of(identifier: str, key: bytes) -> UUID:
    """What stays of an erased identifier, so that it is known again and cannot be read, nor tried out without the key."""
    return UUID(bytes=blake2b(identifier.encode(), key=key, digest_size=16).digest())


class Split(NamedTuple):
    """The identifiers of an event: those that lead to customers, and the keys of things that many hold."""

    identifiers: Sequence[Identifier]
    things: Sequence[UUID]


def split(identifiers: Sequence[Identifier], shared: Iterable[str]) -> Split:
    """Tell what is one customer's from what many hold, by its kind."""
    kinds = tuple(shared)
    if not kinds:
        return Split(identifiers, ())
    things = [each for each in identifiers if not each.person and each.text.startswith(kinds)]
    return Split([each for each in identifiers if each not in things], [customer_key(each.text) for each in things])


class EventTypes:
    """The event types that are known, and what they say of identifiers."""

    def __init__(self, known: Iterable[EventType]) -> None:
        """Every event type that was ever published; a kind declared as a thing anywhere is a thing as a subject, too."""
        ever = list(known)
        self._by_type = {each.type: each for each in ever if not each.retired}
        declared = [entry for each in ever for entry in each.identifiers]
        self._things = frozenset(f"{name}:" for name, _, person in declared if not person)
        many = [entry for each in ever if each.about_many for entry in each.identifiers]
        self.shared = tuple(sorted({f"{name}:" for name, _, person in many if not person}))
        """Kinds of things that many hold, as their identifiers begin."""

    def plain(self, type_: str) -> bool:
        """Whether events of this type are attributed by their subject alone."""
        return type_ not in self._by_type

    def identifiers(self, event: Mapping[str, Any]) -> list[Identifier]:
        """The identifiers an event carries, its subject first."""
        found = []
        subject = event.get("subject")
        if isinstance(subject, str) and subject:
            found.append(_new(Identifier, (subject, not self._is_thing(subject))))
        described = self._by_type.get(event["type"])
        for name, path, person in described.identifiers if described else ():
            text = _typed(name, _at(event, path))
            if path == ("subject",):
                found[:1] = [Identifier(text, person)] if text else []
            elif text:
                found.append(Identifier(text, person))
        return list(dict.fromkeys(found)) if len(found) > 1 else found

    def named(self, identifiers: Iterable[str]) -> list[Identifier]:
        """Identifiers as they stand in an event that says who is whom."""
        return [Identifier(each, not self._is_thing(each)) for each in identifiers]

    def _is_thing(self, identifier: str) -> bool:
        kind, colon, _ = identifier.partition(":")
        return bool(colon) and f"{kind}:" in self._things


def _at(event: Mapping[str, Any], path: Sequence[str]) -> object:
    value: object = event
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _typed(name: str, value: object) -> str | None:
    """`order` and `o1` read as `order:o1`; a value that carries its kind already is left as it is."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    text = str(value)
    return text if text.startswith(f"{name}:") else f"{name}:{text}"


class Customer(NamedTuple):
    """Whom an identifier leads to; `provisional` while only things lead there."""

    key: UUID
    provisional: bool


@dataclass(slots=True)
class Attribution:
    """What attributing one event came to."""

    customer: UUID
    attached: list[Identifier] = field(default_factory=list)
    joined: list[UUID] = field(default_factory=list)
    """Provisional customers that turned out to be this one."""
    conflicts: list[UUID] = field(default_factory=list)
    """Other persons named by the same event: for a person to decide."""
    promoted: bool = False
    """A provisional customer became a person by this event."""
    provisional: bool = False
    """Only things lead to this customer still."""
    reached: list[UUID] | None = None
    """Of an event that cannot be taken: the other keys that it would have reached. Nothing was learnt from it."""

    def ends(self) -> list[UUID]:
        """All the customers between whom it makes something new; nobody where it does not."""
        others = [*self.joined, *self.conflicts]
        return [self.customer, *others] if others else []


class Directory:
    """Which identifier leads to which customer; starts from what is stored and learns from each event."""

    def __init__(self, key_of: Callable[[str], UUID] = customer_key) -> None:
        """An empty directory; `key_of` makes customers' keys as `customer_key` does."""
        self._key_of = key_of
        self.known: dict[str, Customer] = {}
        self._names: dict[UUID, str] = {}
        self.are = Persons()
        """Who is one person, and who is not, as was said by name."""
        self.persons: set[UUID] = set()
        """Of those whom that is about: who is known by more than things."""

    def know_key(self, text: str, customer: Customer) -> None:
        """Learn of an identifier that is a customer's key itself, and names that customer for ever."""
        self.known[text] = customer
        self._names[customer.key] = text

    def attribute_all(self, named: Sequence[Sequence[Identifier]], untaken: Collection[int]) -> list[Attribution]:
        """Whose events these are, one after the other; of those in the places `untaken` it is only found out whom they name."""
        return [self.whom(each) if untaken and place in untaken else self.attribute(each) for place, each in enumerate(named)]

    def attribute(self, identifiers: Sequence[Identifier]) -> Attribution:
        """Whose event this is (`identifiers` is not empty, its subject first), and what is learnt from it."""
        if len(identifiers) == 1 and (known := self.known.get(identifiers[0].text)) is not None and not known.provisional:
            return Attribution(known.key)  # as of nearly all events: a person who is known teaches nothing
        met = [(each, self.known[each.text]) for each in identifiers if each.text in self.known]
        attribution = Attribution(self._owner(identifiers, met))
        owner = attribution.customer
        for _, customer in met:
            if customer.key != owner:
                self._meet(attribution, customer)
        attribution.attached = [each for each in identifiers if each.text not in self.known]
        self._learn(attribution, met)
        return attribution

    def _meet(self, attribution: Attribution, customer: Customer) -> None:
        """A provisional customer joins, another person is a conflict; unless it was said by name whether they are one."""
        owner, key = attribution.customer, customer.key
        if self.are.same(owner, key) or frozenset((owner, key)) in self.are.apart:
            return
        apart = self.are.are_apart(owner, key)
        if customer.provisional and not apart and self.persons.isdisjoint(self.are.of(key)):
            others = attribution.joined
        elif apart and not customer.provisional:
            return
        else:
            others = attribution.conflicts
        if key not in others:
            others.append(key)

    def whom(self, identifiers: Sequence[Identifier]) -> Attribution:
        """Whom an event names that cannot be taken (`identifiers` is not empty); learns nothing."""
        met = [(each, self.known[each.text]) for each in identifiers if each.text in self.known]
        owner = self._owner(identifiers, met)
        provisional = dict.fromkeys(customer.key for _, customer in met if customer.provisional and customer.key != owner)
        return Attribution(owner, reached=list(provisional))

    def _owner(self, identifiers: Sequence[Identifier], met: Sequence[tuple[Identifier, Customer]]) -> UUID:
        """A person before a provisional customer, the subject before other identifiers; else the subject's own key."""
        persons = [customer for _, customer in met if not customer.provisional]
        if persons:
            return persons[0].key
        return met[0][1].key if met else self._key_of(identifiers[0].text)

    def _learn(self, attribution: Attribution, met: Sequence[tuple[Identifier, Customer]]) -> None:
        owner = attribution.customer
        was_person = any(customer.key == owner and not customer.provisional for _, customer in met)
        is_person = was_person or any(each.person for each in attribution.attached)
        is_known = any(customer.key == owner for _, customer in met)
        attribution.promoted = is_known and is_person and not was_person
        attribution.provisional = not is_person
        now = Customer(owner, provisional=not is_person)
        for each in attribution.attached:
            self.known[each.text] = now
        moved = {*attribution.joined, owner} if attribution.promoted else set(attribution.joined)
        for joined in attribution.joined:
            self.are.join(owner, joined)
        if is_person and (attribution.joined or attribution.promoted):
            self.persons.add(owner)
        if moved:
            for text, customer in self.known.items():
                if customer.key in moved:
                    self.known[text] = now
            for key in self._names.keys() & moved:
                self.known[self._names[key]] = Customer(key, provisional=False)
        if owner in self._names:
            self.known[self._names[owner]] = now
