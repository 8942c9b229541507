"""What kinds of entry a timeline has, and which type of event is of which kind. Pure."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an entry of a timeline is about."""

    TOUCHPOINT = "touchpoint"
    """What a company system told."""
    PROMISE = "promise"
    CASE = "case"
    PLEDGE = "pledge"
    GESTURE = "gesture"
    FEEDBACK = "feedback"
    HOLD = "hold"
    """A record that names the customer could not be read, or was settled."""


_BEGINNINGS: Final = (
    ("makegood.commitment.", Kind.PROMISE),
    ("promises.excuse.", Kind.PROMISE),
    ("makegood.case.pledge", Kind.PLEDGE),
    ("recovery.pledge.", Kind.PLEDGE),
    ("makegood.case.gesture", Kind.GESTURE),
    ("makegood.gesture.", Kind.GESTURE),
    ("recovery.gesture.", Kind.GESTURE),
    ("makegood.case.", Kind.CASE),
    ("recovery.case.", Kind.CASE),
    ("recovery.failure.", Kind.CASE),
    ("makegood.", Kind.HOLD),
    ("feedback.", Kind.FEEDBACK),
    ("survey.", Kind.FEEDBACK),
    ("review.", Kind.FEEDBACK),
    ("complaint.", Kind.FEEDBACK),
    ("compliment.", Kind.FEEDBACK),
)
"""How the types of a kind begin; the first that fits decides."""


def kind_of(type_: str) -> Kind:
    """The kind of an event type."""
    return next((kind for beginning, kind in _BEGINNINGS if type_.startswith(beginning)), Kind.TOUCHPOINT)


class Types:
    """Which types of event are wanted: by their names, in which `*` is any run of characters, and by their kinds."""

    def __init__(self, names: Iterable[str] = (), kinds: Iterable[Kind] = ()) -> None:
        """Nothing named: any type is; no kinds: of any kind."""
        self._names, self._kinds = tuple(names), frozenset(kinds)
        self._pattern = re.compile("|".join(".*".join(map(re.escape, each.split("*"))) for each in self._names), re.DOTALL)

    def __contains__(self, type_: str) -> bool:
        """Whether a type is wanted."""
        of_kind = not self._kinds or kind_of(type_) in self._kinds
        return of_kind and (not self._names or self._pattern.fullmatch(type_) is not None)

    @property
    def are_chosen(self) -> bool:
        """Whether any type at all is unwanted."""
        return bool(self._names or self._kinds)

    def patterns(self) -> tuple[str, ...] | None:
        """Patterns that every wanted type has one of, and some others may have too; None: any type may be wanted."""
        if self._names:
            return self._names
        if not self._kinds or Kind.TOUCHPOINT in self._kinds:
            return None
        return tuple(f"{beginning}*" for beginning, kind in _BEGINNINGS if kind in self._kinds)

    def may_begin(self, beginning: str) -> bool:
        """Whether a type that begins so may be wanted; True where that cannot be told."""
        kinds = {kind for known, kind in _BEGINNINGS if known.startswith(beginning) or beginning.startswith(known)}
        heads = [each.partition("*")[0] for each in self._names]
        of_kind = not self._kinds or not kinds or not self._kinds.isdisjoint(kinds)
        return of_kind and (not heads or any(each.startswith(beginning) or beginning.startswith(each) for each in heads))
