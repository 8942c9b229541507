"""Evidence of another key of the same person: lent to this one, and taken back where they turn out not to be one (docs/decisions/0012).

A record says how many statements of who is whom there had been; of two records about one event the greater number counts, in
whatever order lanes bring them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID


class Lent(NamedTuple):
    """What a record says of an event of another key: since which statement, and whether it is evidence no longer."""

    number: int
    retracted: bool


class LentRow(NamedTuple):
    """The same of one strand, in the order of COPY."""

    strand: UUID
    event: UUID
    number: int
    retracted: bool


def lent_of(event: Mapping[str, Any]) -> Lent | None:
    """What a journey event says of itself; None: it is the customer's own."""
    return Lent(event.get("kinship", 0), event.get("retracted", False)) if event.get("evidenceonly") else None


class Lending:
    """How what is lent stands, in the strands of a batch."""

    def __init__(self, rows: Iterable[LentRow] = ()) -> None:
        """As it stood before."""
        self._latest = {row[:2]: Lent(row.number, row.retracted) for row in rows}
        self.rows: list[LentRow] = []
        """What is new."""

    def hear(self, strand: UUID, event: UUID, lent: Lent, *, known: bool) -> bool | None:
        """Whether an event becomes evidence (True) or is evidence no longer (False); None: nothing changes."""
        latest = self._latest.get((strand, event))
        if latest is not None and lent.number <= latest.number:
            return None
        if lent.number:
            self._latest[strand, event] = lent
            self.rows.append(LentRow(strand, event, *lent))
        there = known and not (latest is not None and latest.retracted)
        if lent.retracted:
            return False if there else None
        return None if there else True


Row = TypeVar("Row")


class HeldBack(Generic[Row]):
    """What was lent, for whoever reads a journal from its beginning: handed out once all is read, but for what was taken back."""

    def __init__(self) -> None:
        """Nothing was read."""
        self._latest: dict[tuple[str, str, str], tuple[Lent, Row]] = {}

    def holds(self, event: Mapping[str, Any], row: Row) -> bool:
        """Whether an event is held back; only what a statement of who is whom has lent is."""
        lent = lent_of(event)
        if lent is None or not lent.number:
            return False
        where = event["customer"], event["source"], event["id"]
        if where not in self._latest or self._latest[where][0].number < lent.number:
            self._latest[where] = lent, row
        return True

    def rest(self) -> list[Row]:
        """What is lent still."""
        return [row for lent, row in self._latest.values() if not lent.retracted]
