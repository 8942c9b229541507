"""What a lane has in mind between its records, so that what concerns no case costs no transaction of its own."""

from collections.abc import Callable, Iterable
from datetime import date
from uuid import UUID

from services.chassis.numbering import HighWater
from services.recovery.domain.case import Case
from services.recovery.facts import Fact
from services.recovery.tallies import tally


class Memory:
    """Which facts were taken in, and which commitments have a case although they are only at risk."""

    __slots__ = ("asked", "counts", "known", "water")

    def __init__(self, water: HighWater, known: set[UUID], asked: Callable[[str], bool]) -> None:
        """As the database has them; `asked` says whether a playbook of that name may open cases for what is at risk."""
        self.water, self.known, self.asked = water, known, asked
        self.counts: dict[tuple[str, date], list[int]] = {}
        """Verdicts that were counted and are not saved yet: decided, broken."""

    def takes(self, number: bytes, value: bytes) -> bool:
        """Whether a record of this number is its lane's next; a verdict is counted then."""
        if not self.water.takes(number):
            return False
        counted = tally(value)
        if counted is not None:
            counts = self.counts.setdefault(counted[:2], [0, 0])
            counts[0] += counted.decided
            counts[1] += counted.broken
        return True

    def counted(self) -> dict[tuple[str, date], list[int]]:
        """What is to be saved, which is done with then."""
        counts, self.counts = self.counts, {}
        return counts

    def settle(self, news: Iterable[Fact], cases: Iterable[Case]) -> None:
        """Have in mind of these commitments those alone that the cases still hold as being at risk."""
        if self.known:
            held = {each.commitment for case in cases for each in case.standing if each.at_risk}
            self.known -= {each.commitment for each in news} - held
