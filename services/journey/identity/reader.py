"""Who is whom, as whoever reads a whole history in order of arrival comes to know it: the rules of the running system, in memory. Pure."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.journey.domain import STATEMENTS, Attribution, Customer, Directory, Identifier, customer_key
from services.journey.identity.persons import Word, persons


class Reader:
    """Knows nobody at first; what it is told has to be told in order of arrival, each event once."""

    def __init__(self) -> None:
        """Begin with an empty directory."""
        self.directory = Directory()
        self._words: list[Word] = []
        self._joined: list[tuple[UUID, UUID]] = []

    def attribute(self, identifiers: Sequence[Identifier]) -> Attribution:
        """Whose event this is, and whom it joins."""
        found = self.directory.attribute(identifiers)
        self._joined += [(found.customer, each) for each in found.joined]
        return found

    def state(self, type_: str, identifiers: Sequence[Identifier], time: datetime, event: UUID) -> UUID:
        """Let a trusted source's word on its subject and the others count; return whose event it is."""
        for each in identifiers:
            self.attribute([each])
        subject = identifiers[0]
        for other in identifiers[1:]:
            said = self._word(STATEMENTS[type_], subject, other)
            if said is not None:
                one, another, same = said
                self._words.append(Word(min(one, another), max(one, another), same, time, event))
        self._settle()
        return self.directory.known[subject.text].key

    def _word(self, same: bool, subject: Identifier, other: Identifier) -> tuple[UUID, UUID, bool] | None:  # noqa: FBT001 - it is what is said
        """What is said of two customers; a thing that leads to a person makes nobody one with them, nor apart."""
        one, another = (self.directory.known[each.text] for each in (subject, other))
        if one.key == another.key:
            return None if same else self._part(other, subject, one.key)
        leads = any(not each.person and not customer.provisional for each, customer in ((subject, one), (other, another)))
        return None if leads else (one.key, another.key, same)

    def _part(self, other: Identifier, subject: Identifier, head: UUID) -> tuple[UUID, UUID, bool] | None:
        """Let one of two identifiers of a customer lead to a customer of its own from now on."""
        for identifier in (other, subject):
            key = customer_key(identifier.text)
            if key != head:
                self.directory.known[identifier.text] = Customer(key, provisional=not identifier.person)
                return head, key, False
        return None

    def _settle(self) -> None:
        """Who is one person by all that was said, and by what turned out."""
        are = persons(self._words)
        for one, other in self._joined:
            are.join(one, other)
        self.directory.are = are
        about = {key for word in self._words for key in word[:2]}
        self.directory.persons |= about & {each.key for each in self.directory.known.values() if not each.provisional}

    def groups(self) -> Iterable[Collection[UUID]]:
        """The customers that are one person with others, in groups."""
        return {frozenset(each): each for each in self.directory.are.members.values()}.values()
