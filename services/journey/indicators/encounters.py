"""How contacts begin, and how teams say that they are served. Pure.

The first contact of a customer is a moment of truth of its own: were they greeted, was a human there, and how soon.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from services.journey.indicators.counting import ERASED, NAMESPACE, Delta, Key, Price, group_of, price_key, quarter_of

BEGUN, GREETED, ATTENDED, ENDED = "contact.begun", "contact.greeted", "contact.attended", "contact.ended"
CONTACTS: Final = (BEGUN, GREETED, ATTENDED, ENDED)
PRICED, PULSE = "keeping.priced", "team.pulse"
TYPES: Final = (*CONTACTS, PRICED, PULSE)
MARKS: Final = tuple(f'"{each}"'.encode() for each in TYPES)
"""What the text of an event that bears on indicators holds; few do, and the others are not read."""
ASKED: Final = ("heard", "helped", "word_kept")
_LONGEST, _BEST, _MOST = 200, 5, 1e15

Place = tuple[UUID, UUID]
"""A customer, and one of their contacts."""


class Contact(NamedTuple):
    """When each thing happened first in one contact, as far as it came under one key; None: not yet, or never."""

    customer: UUID
    contact: UUID
    channel: str | None = None
    begun: datetime | None = None
    greeted: datetime | None = None
    attended: datetime | None = None
    ended: datetime | None = None
    first: bool = False
    """It is counted as the first one of the person whose key `customer` is."""
    under: UUID | None = None
    """The least of the keys with which it counts as one contact, that of a person with several; None: it is not counted yet."""


class Contacts(NamedTuple):
    """What becomes of the stored contacts, and of the counts."""

    contacts: dict[Place, Contact]
    delta: Delta


def text(data: Mapping[str, Any], name: str, longest: int = _LONGEST) -> str | None:
    """A text of the data as the contract has it, None where it is not one."""
    found = data.get(name)
    return found if isinstance(found, str) and 0 < len(found) <= longest else None


def contact_of(customer: UUID, type_: str, time: datetime, data: Mapping[str, Any]) -> Contact | None:
    """What one event says of a contact, None where it names none."""
    named = text(data, "contact")
    if named is None:
        return None
    channel = text(data, "channel", 64) if type_ == BEGUN else None
    moment: dict[str, Any] = {type_.removeprefix("contact."): time}
    return Contact(customer, uuid5(NAMESPACE, named), channel, **moment)


def price_of(customer: UUID, event: UUID, time: datetime, data: Mapping[str, Any]) -> Price | None:
    """What keeping a promise costs, None where that cannot be read."""
    promise, cost = text(data, "promise"), data.get("cost")
    if promise is None or isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= _MOST:
        return None
    return Price(price_key(customer, promise, data.get("correlation")), time, event, float(cost))


def of_pulse(time: datetime, data: Mapping[str, Any]) -> Iterator[tuple[Key, int]]:
    """What an answer of a team counts as; nothing where it is not as the contract has it, or not given in its round's month (UTC)."""
    team, round_, scores = text(data, "team"), data.get("round"), [data.get(each) for each in ASKED]
    if team is None or round_ != f"{time.astimezone(UTC):%Y-%m}" or not all(type(each) is int and 1 <= each <= _BEST for each in scores):
        return
    group = group_of(team=team, round=round_)
    yield Key("pulse", group, 0, "answers"), 1
    for name, score in zip(ASKED, scores, strict=True):
        yield Key("pulse", group, 0, name), score or 0


def of_contact(contact: Contact) -> Iterator[tuple[Key, int]]:
    """What a contact counts as, where it began; nothing as long as nobody said when that was."""
    if contact.begun is None:
        return
    group, quarter = group_of(channel=contact.channel, first=contact.first), quarter_of(contact.begun)
    there = contact.attended is not None and (contact.ended is None or contact.attended <= contact.ended)
    counted = {"contacts": 1, "greeted": int(contact.greeted is not None), "attended": int(there)}
    counted["left"] = int(contact.ended is not None and not there)
    if there and contact.attended is not None:
        counted["seconds"] = max(int((contact.attended - contact.begun).total_seconds()), 0)
    for what, number in counted.items():
        yield Key("contact", group, quarter, what), number


def take_contacts(stored: Mapping[Place, Contact], heard: Iterable[Contact], persons: Mapping[UUID, UUID]) -> Contacts:
    """Take in events of contacts, and who is one person now.

    `persons` says whose keys these are, of everybody concerned; `stored` are the contacts that events are about, and of each key of
    those persons the one that began first and those that count as first; each with all that it counts with, and that it will count with.
    """
    after = dict(stored)
    for each in heard:
        known = after.get(each[:2])
        after[each[:2]] = each if known is None else _together(known, each)
    under: dict[Place, UUID] = {}
    for each in after.values():
        place = _of_person(each, persons)
        under[place] = min(under.get(place, each.customer), each.customer)
    firsts = _firsts(after.values(), persons)
    for key, each in after.items():
        place = _of_person(each, persons)
        after[key] = each._replace(under=under[place], first=place in firsts)
    return Contacts({place: each for place, each in after.items() if each != stored.get(place)}, _moved(stored, after))


def lone_channels(stored: Mapping[Place, Contact], totals: Mapping[str | None, int]) -> Contacts:
    """Take the channels of all contacts of one customer, under all their keys, from them, but for those by which others came, too."""
    theirs = Counter(each.channel for each in _whole(stored.values()) if each.begun is not None)
    changed = {
        place: each._replace(channel=ERASED)
        for place, each in stored.items()
        if each.channel is not None and totals.get(each.channel, 0) <= theirs[each.channel]
    }
    return Contacts(changed, _moved(stored, {**stored, **changed}))


def _moved(before: Mapping[Place, Contact], after: Mapping[Place, Contact]) -> Delta:
    """What contacts that become others take back and count."""
    delta = Delta()
    for contacts, sign in ((before, -1), (after, 1)):
        for each in _whole(contacts.values()):
            for key, number in of_contact(each):
                delta[key] += sign * number
    return delta


def _whole(contacts: Iterable[Contact]) -> Iterable[Contact]:
    """Contacts as they count: what came under several keys of one person is one."""
    found = dict[Place, Contact]()
    for each in contacts:
        place = each.under or each.customer, each.contact
        known = found.get(place)
        found[place] = each if known is None else _together(known, each)._replace(first=each.first)
    return found.values()


def _of_person(contact: Contact, persons: Mapping[UUID, UUID]) -> Place:
    return persons.get(contact.customer, contact.customer), contact.contact


def _together(one: Contact, other: Contact) -> Contact:
    """What two words say together: of each thing the earliest, and the channel by which it began earliest."""
    begun, greeted, attended, ended = (_earliest(mine, its) for mine, its in zip(one[3:7], other[3:7], strict=True))
    channels = sorted((each.begun, each.channel) for each in (one, other) if each.begun is not None and each.channel is not None)
    return Contact(one.customer, one.contact, channels[0][1] if channels else None, begun, greeted, attended, ended)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _firsts(contacts: Iterable[Contact], persons: Mapping[UUID, UUID]) -> set[Place]:
    """Of each person the contact that began first."""
    found: dict[UUID, tuple[datetime, UUID]] = {}
    for each in contacts:
        if each.begun is not None:
            person, contact = _of_person(each, persons)
            here = each.begun, contact
            found[person] = min(found.get(person, here), here)
    return {(person, contact) for person, (_, contact) in found.items()}
