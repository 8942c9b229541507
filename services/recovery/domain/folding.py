"""The fold: what each kind of act makes of a case. `evolve` alone changes one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from services.recovery.domain import (
    approvals,
    attending,
    compensating,
    failing,
    grouping,
    helping,
    learning,
    ledger,
    listening,
    messages,
    owed,
    owning,
    restoring,
    severity,
)
from services.recovery.domain.case import Case, Happened
from services.recovery.domain.deeds import Fold

MODULES: Final = (
    failing, owed, restoring, owning, helping, learning, messages, listening, approvals, ledger, compensating, severity, attending,
    grouping,
)  # fmt: skip
"""Each has the decisions of some acts in `DECISIONS`, by the act's name, and what they make of a case in `FOLDS`, by the kind of act."""
_FOLDS: Final[Mapping[str, Fold]] = {kind: fold for module in MODULES for kind, fold in module.FOLDS.items()}
KINDS: Final = frozenset(_FOLDS)
"""Every kind of act that a trail may hold."""


def evolve(case: Case, happened: Happened) -> Case:
    """The case after one more act."""
    changed = _FOLDS[happened.kind](case, happened)
    return replace(changed, version=case.version + 1, changed_at=max(case.changed_at, happened.at))


def begin(identity: UUID, happened: Happened) -> Case:
    """The case that its first act opens."""
    return evolve(failing.begin(identity, happened), happened)


def fold(identity: UUID, acts: Iterable[Happened]) -> Case:
    """The case that these acts add up to."""
    first, *rest = acts
    case = begin(identity, first)
    for each in rest:
        case = evolve(case, each)
    return case
