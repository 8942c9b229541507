"""What a lane has in mind between its records, so that what concerns no case costs no transaction."""

from collections.abc import Callable, Iterable
from uuid import UUID

from services.chassis.numbering import HighWater
from services.recovery.domain.case import Case
from services.recovery.facts import Fact


class Memory:
    """Which facts were taken in, and which commitments have a case although they are only at risk."""

    __slots__ = ("asked", "known", "water")

    def __init__(self, water: HighWater, known: set[UUID], asked: Callable[[str], bool]) -> None:
        """As the database has them; `asked` says whether a playbook of that name may open cases for what is at risk."""
        self.water, self.known, self.asked = water, known, asked

    def settle(self, news: Iterable[Fact], cases: Iterable[Case]) -> None:
        """Have in mind of these commitments those alone that the cases still hold as being at risk."""
        if self.known:
            held = {each.commitment for case in cases for each in case.standing if each.at_risk}
            self.known -= {each.commitment for each in news} - held
