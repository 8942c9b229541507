"""Attributes of customers: what company systems describe of them, stamped on their later events. Decides; knows no SQL, no Kafka.

For each attribute the word of the latest event counts, by event time, whichever came first; of two at one time that of
the greater key, so that no order of reading makes a difference.
"""

import json
import re
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.journey.domain import Impossible

DESCRIBED = "customer.described"
STAMP = "customerattributes"
"""CloudEvents' extension attributes are simple, so what is known of a customer travels as JSON text."""
MOST_ATTRIBUTES, LONGEST_VALUE = 32, 256
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

Value = str | int | float | bool | None


class Word(NamedTuple):
    """The last word on one attribute; `value` None: it was removed."""

    time: datetime
    event: UUID
    value: Value


def undescribed(data: object) -> Impossible | None:
    """What is wrong with the data of a `customer.described`, None where nothing is."""
    named = data.get("attributes") if isinstance(data, Mapping) else None
    if not isinstance(named, Mapping) or not 0 < len(named) <= MOST_ATTRIBUTES:
        return Impossible("bad-attributes", f"`data.attributes` must be a mapping of 1 to {MOST_ATTRIBUTES} attributes")
    for name, value in named.items():
        if not _NAME.fullmatch(name):
            return Impossible("bad-attributes", "an attribute's name has up to 64 letters, digits, dashes and underscores")
        if not isinstance(value, Value) or (isinstance(value, str) and len(value) > LONGEST_VALUE):
            return Impossible("bad-attributes", f"a value is a number, a boolean, null, or a text of up to {LONGEST_VALUE} characters")
    return None


class Attributes:
    """What is known of some customers; learns from one event after the other."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._words: dict[Hashable, dict[str, Word]] = {}
        self._texts: dict[Hashable, str | None] = {}
        self.learnt: set[tuple[Any, str]] = set()
        """(customer, attribute) of every word that was learnt from an event."""

    def know(self, customer: Hashable, name: str, word: Word) -> None:
        """Take in a stored word."""
        self._words.setdefault(customer, {})[name] = word

    def word(self, customer: Hashable, name: str) -> Word:
        """The last word on an attribute of which there is one."""
        return self._words[customer][name]

    def describe(self, customer: Hashable, data: Mapping[str, Any], time: datetime, event: UUID) -> None:
        """Learn from the data of a `customer.described` in which nothing is wrong."""
        for name, value in data["attributes"].items():
            self._hear(customer, name, Word(time, event, value))

    def join(self, person: Hashable, provisional: Hashable) -> None:
        """Know of a person what was known of a provisional customer who turned out to be them."""
        for name, word in list(self._words.get(provisional, {}).items()):
            self._hear(person, name, word)

    def _hear(self, customer: Hashable, name: str, word: Word) -> None:
        words = self._words.setdefault(customer, {})
        if name not in words or words[name][:2] < word[:2]:
            words[name] = word
            self.learnt.add((customer, name))
            self._texts.pop(customer, None)

    def text(self, customer: Hashable, others: Iterable[Hashable] = ()) -> str | None:
        """What an event of this customer is stamped with, who is one person with others: JSON as text; None where nothing is known."""
        same = [each for each in others if each in self._words]
        if same:
            return self._text([customer, *same])
        if customer not in self._texts:
            self._texts[customer] = self._text([customer])
        return self._texts[customer]

    def _text(self, customers: Iterable[Hashable]) -> str | None:
        words: dict[str, Word] = {}
        for customer in customers:
            for name, word in self._words.get(customer, {}).items():
                words[name] = max(words.get(name, word), word, key=lambda each: each[:2])
        known = {name: word.value for name, word in sorted(words.items()) if word.value is not None}
        return json.dumps(known, ensure_ascii=False, separators=(",", ":")) if known else None
