"""How we make good, as a playbook says it. A case keeps the version that it began with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from services.recovery.domain.case import Severity
from services.recovery.domain.money import Money
from services.recovery.domain.voice import USUAL, Hours, Restraint

PLACEHOLDERS: Final = frozenset({"case", "owner", "promise", "failure", "pledge", "pledge_due", "opened"})
"""What a message may ask of its case, in braces."""
COMES_LATER: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"opened": frozenset({"owner", "pledge", "pledge_due"})})
"""What no case has yet after an act of a kind: a case is opened by one failure, before anybody has it."""
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A task that every case of a playbook has: due so long after the case began, or after the last of the tasks before it was done."""

    name: str
    what: str
    within: timedelta
    after: tuple[str, ...] = ()
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the escalation ladder: an internal promise about the case; when it breaks, somebody is told, once."""

    promise: str
    tell: tuple[str, ...] = ()
    raises: bool = True
    """The case becomes one step more severe."""


@dataclass(frozen=True, slots=True)
class Template:
    """A message to the customer in one language; sent by itself after an act of the kind `send`, and never where that is None."""

    name: str
    language: str
    subject: str
    text: str
    send: str | None = None

    @property
    def asks(self) -> frozenset[str]:
        """What it asks of the case."""
        return frozenset(_PLACEHOLDER.findall(self.subject + self.text))

    def filled(self, text: str, values: Mapping[str, str]) -> str:
        """The text with these values in place of what it asks; a value is never read as a placeholder."""
        return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


@dataclass(frozen=True, slots=True)
class Tell:
    """Who of the company is told, after an act of the kind `on`: somebody by e-mail, or a channel by its name."""

    on: str
    to: str


@dataclass(frozen=True, slots=True)
class Authority:
    """What a role may give in one case without asking, and approve for others."""

    role: str
    money: Money | None = None
    """In money or in goods of that value."""
    time_off: Decimal = Decimal(0)
    """Days."""
    exceptions: bool = False
    severity: Severity = Severity.LOW
    """It counts in cases at least so severe."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all cases of the playbook may be given together in a period, by UTC."""

    money: Money
    per: str
    """day, week, month or year"""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a broken promise owes the customer by itself, and the grounds on which a person may say that it does not."""

    promise: str
    money: Money
    within: timedelta
    unless: tuple[str, ...] = ()


DECLINED_BY, DISPUTED_BY, DISPUTED_LATE_BY = "still-wanted", "right-to-the-customer", "right-after-all"
"""The promises that, broken, are the customer's own word that they want nothing more, or that it is not good yet."""
CONFIRMED_LATE_BY = "late-word"
"""The promise that, kept, is their own word, given when nobody counted on it any more, that it is good."""


@dataclass(frozen=True, slots=True)
class SeverityRule:
    """A case is at least so severe `when` this is recorded or comes about: of `money` or of `score` at least so much."""

    when: str
    severity: Severity
    money: Money | None = None
    score: int | None = None

    def __str__(self) -> str:
        least = self.money or self.score
        return self.when if least is None else f"{self.when} of at least {least}"


@dataclass(frozen=True, slots=True)
class Playbook:
    """One version of a playbook. `confirmed_by` and `restored_by` name the promises that judge a case itself."""

    name: str | None
    version: int
    confirmed_by: str
    restored_by: frozenset[str]
    severity: Severity = Severity.MEDIUM
    """Of failures whose promise says none."""
    tasks: tuple[Plan, ...] = ()
    ladder: tuple[Rung, ...] = ()
    messages: tuple[Template, ...] = ()
    tell: tuple[Tell, ...] = ()
    quiet: Hours | None = None
    """When nobody of the company is told anything that is not critical."""
    restraint: Restraint = USUAL
    authority: tuple[Authority, ...] = ()
    budget: Budget | None = None
    fair: Money | None = None
    compensation: tuple[Rule, ...] = ()
    at_risk: bool = False
    """A case opens as soon as a promise is at risk, before it is broken."""
    severity_rules: tuple[SeverityRule, ...] = ()

    def rule(self, promise: str) -> Rule | None:
        """What is owed by itself where this promise is broken."""
        return next((each for each in self.compensation if each.promise == promise), None)

    def rung(self, promise: str) -> Rung | None:
        """What follows where this internal promise about the case is broken; None: a ladder that does not name it."""
        if not self.ladder:
            return Rung(promise)
        return next((each for each in self.ladder if each.promise == promise), None)


def plain(confirmed_by: str, restored_by: frozenset[str], restraint: Restraint = USUAL) -> Playbook:
    """How we make good where no playbook is named: nobody is told, nothing is set; what is broken makes the case more severe."""
    return Playbook(None, 0, confirmed_by, restored_by, restraint=restraint)
