"""Decides what happens to a case; knows nothing of Kafka, SQL, HTTP or clocks.

What people do is a row of the table of acts (`contracts.acts`) and the decision of that name here; what judged promises do
stands beside, in `failing`, `owed` and `restoring`. A decision changes nothing: it returns what happened, and the case folds it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol
from uuid import UUID

from services.recovery.domain import compensating, messages
from services.recovery.domain.case import Case, Happened
from services.recovery.domain.deeds import Decide, Deed, NotTheOwnerError, RefusedError
from services.recovery.domain.folding import MODULES, begin, evolve
from services.recovery.domain.owed import plan
from services.recovery.domain.playbook import Playbook
from services.recovery.domain.restoring import settle
from services.recovery.domain.severity import raised

DECISIONS: Final[Mapping[str, Decide]] = {name: decide for module in MODULES for name, decide in module.DECISIONS.items()}
"""By the name of the act."""
_BEGINS: Final = frozenset({"opened", "reopened"})
_CHANGES_FAILURES: Final = _BEGINS | {"joined", "failure_broken", "failure_withdrawn"}


class Allowed(Protocol):
    """What a row of the table of acts says of when an act may be done: in which states, and whether by the owner alone."""

    @property
    def on(self) -> Collection[str]: ...  # noqa: D102
    @property
    def for_owner(self) -> bool: ...  # noqa: D102


def act(case: Case, deed: Deed, allowed: Allowed, others: Collection[Case]) -> list[Happened]:
    """What happens when somebody does an act; raises `RefusedError` where the table does not allow it.

    `others` are all cases of the case's customer, and those that the act names.
    """
    if case.state not in allowed.on:
        message = f"A case that is {case.state} cannot be given the act {deed.name}."
        raise RefusedError(message)
    if allowed.for_owner and not (deed.actor.leads or deed.actor.stands_for(case.owner)):
        raise NotTheOwnerError
    return DECISIONS[deed.name](case, replace(deed, at=max(deed.at, case.changed_at), others=tuple(others)))


def carry(
    case: Case | None, identity: UUID, news: Iterable[Happened], playbook: Playbook, others: Collection[Case] = ()
) -> list[tuple[Case, Happened]]:
    """Every act that happened with the case it leaves, and what follows: the playbook's tasks and messages, and what verdicts make of it.

    `others` are all cases of the customer that are known, whose contacts count for restraint.
    """
    steps: list[tuple[Case, Happened]] = []
    for each in news:
        case = begin(identity, each) if case is None else evolve(case, each)
        steps.append((case, each))
        for following in _follows(case, each, playbook, others):
            case = evolve(case, following)
            steps.append((case, following))
    if case is not None and steps:
        for each in settle(case, playbook, case.changed_at):
            case = evolve(case, each)
            steps.append((case, each))
    return steps


def _follows(case: Case, happened: Happened, playbook: Playbook, others: Collection[Case]) -> list[Happened]:
    planned = plan(case, playbook, happened.at) if happened.kind in _BEGINS else []
    owed_by_rule = compensating.compensate(case, playbook, happened.at) if happened.kind in _CHANGES_FAILURES else []
    graver = raised(case, happened, playbook, others) if playbook.severity_rules else []
    return [*graver, *planned, *owed_by_rule, *messages.hushed(case, happened), *messages.said_by_itself(case, happened, playbook, others)]
