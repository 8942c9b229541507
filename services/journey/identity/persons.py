"""Which customers are one person, by what trusted sources say: decides, and knows nothing of Kafka, SQL or HTTP.

Of two words on the same two customers the later one counts, by event time, whichever came first: who belongs together is
a function of what was said, and not of the order in which it was read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import NamedTuple
from uuid import UUID


class Word(NamedTuple):
    """What was said of two customers: that they are the same person, or are not."""

    one: UUID
    other: UUID
    same: bool
    time: datetime
    event: UUID


Pair = frozenset[UUID]


def last_words(words: Iterable[Word]) -> dict[Pair, Word]:
    """The word that counts on each two customers, in their order: by event time, of two at one time by the event's key."""
    found: dict[Pair, Word] = {}
    for word in sorted(words, key=lambda each: (each.time, each.event, *sorted(each[:2]))):
        if word.one != word.other:
            pair = frozenset(word[:2])
            found.pop(pair, None)  # so that what counts stands in the order of time
            found[pair] = word
    return found


@dataclass(slots=True)
class Persons:
    """Customers in groups, each of which is one person."""

    members: dict[UUID, set[UUID]] = field(default_factory=dict)
    apart: set[Pair] = field(default_factory=set)
    """Customers that are not one person, as was said of these two."""
    contradicted: list[Word] = field(default_factory=list)
    """That some are one person, where others among them are not: for a person to decide, and of no effect until then."""

    def of(self, customer: UUID) -> set[UUID]:
        """The person that a customer is, as all their customers."""
        return self.members.get(customer, {customer})

    def same(self, one: UUID, other: UUID) -> bool:
        """Whether two customers are one person."""
        return other in self.of(one)

    def are_apart(self, one: UUID, other: UUID) -> bool:
        """Whether it was said of some customers of two persons that they are not one."""
        return any(frozenset(each) in self.apart for each in product(self.of(one), self.of(other)))

    def join(self, one: UUID, other: UUID) -> None:
        """Make one person of two."""
        together = self.of(one) | self.of(other)
        for each in together:
            self.members[each] = together


def persons(words: Iterable[Word]) -> Persons:
    """Who is one person by these words: links count in the order of their time, but for those that contradict."""
    counting = last_words(words)
    found = Persons(apart={pair for pair, word in counting.items() if not word.same})
    for word in counting.values():  # in the order of time
        if not word.same:
            continue
        if found.are_apart(word.one, word.other):
            found.contradicted.append(word)
        else:
            found.join(word.one, word.other)
    return found
