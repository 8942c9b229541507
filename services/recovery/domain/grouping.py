"""One cause, many customers: a mass failure groups cases under one plan, and each customer is still recovered alone.

A mass failure is the fold of its own acts; that a case is part of it is an act of the case. Which cases belong is a rule, so that those
that fail later belong too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.recovery.domain.case import Case, Happened
from services.recovery.domain.deeds import Actor, Decide, Deed, Fold, RefusedError

OPEN, CLOSED = "open", "closed"


class NotPartOfItError(RefusedError):
    """The case is not part of this mass failure, or was taken out of it."""


class NotTheLeadError(RefusedError):
    """Only whoever leads the mass failure, or a manager, does this."""


class StillInWorkError(RefusedError):
    """Some of its cases are still in work; end them, or take them out, then close it."""


class IsClosedError(RefusedError):
    """There is no such mass failure, or it is closed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which failures belong: of one of these promises, components and segments (none named: any), in this time."""

    since: datetime
    until: datetime | None = None
    promises: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MassFailure:
    """What its acts so far add up to."""

    id: UUID
    what: str
    lead: str
    rule: Rule
    declared_by: str
    declared_at: datetime
    state: str = OPEN
    closed_at: datetime | None = None
    ended: Mapping[str, int] | None = None
    """How its cases stood when it was closed, by state."""
    version: int = 1


def declare(identity: UUID, by: str, at: datetime, values: Mapping[str, Any], what: str) -> Happened:
    """Somebody says that many failures are one."""
    return Happened("declared", by, at, {"mass_failure": str(identity)} | dict(values), {"what": what})


def change(mass: MassFailure, actor: Actor, at: datetime, lead: str, until: datetime | None, what: str) -> Happened:
    """Say anew what it is, who leads it, and until when failures belong."""
    _require_open(mass, actor)
    return Happened("changed", actor.subject, at, {"lead": lead, "until": until and until.isoformat()}, {"what": what})


def order(mass: MassFailure, actor: Actor, at: datetime, act: str, run: UUID) -> Happened:
    """Have an act done in all its cases."""
    _require_open(mass, actor)
    return Happened("ordered", actor.subject, at, {"act": act, "run": str(run)})


def close(mass: MassFailure, actor: Actor, at: datetime, states: Mapping[str, int], why: str, in_work: Iterable[str]) -> Happened:
    """End it: every customer has been recovered, or not, by then; `states` says how many of each."""
    _require_open(mass, actor)
    if any(states.get(each, 0) for each in in_work):
        raise StillInWorkError
    return Happened("closed", actor.subject, at, {"ended": dict(states)}, {"why": why})


def _require_open(mass: MassFailure, actor: Actor) -> None:
    if mass.state != OPEN:
        raise IsClosedError
    if actor.subject != mass.lead and "manager" not in actor.roles:
        raise NotTheLeadError


def fold(mass: MassFailure | None, happened: Happened) -> MassFailure:
    """The mass failure after one more act."""
    content = happened.content
    if mass is None:
        until = content["until"]
        rule = Rule(
            datetime.fromisoformat(content["since"]), until and datetime.fromisoformat(until),
            *(tuple(content[each]) for each in ("promises", "components", "segments")),
        )  # fmt: skip
        return MassFailure(UUID(content["mass_failure"]), happened.payload["what"], content["lead"], rule, happened.by, happened.at)
    mass = replace(mass, version=mass.version + 1)
    if happened.kind == "changed":
        until = content["until"]
        rule = replace(mass.rule, until=until and datetime.fromisoformat(until))
        return replace(mass, what=happened.payload["what"], lead=content["lead"], rule=rule)
    if happened.kind == "closed":
        return replace(mass, state=CLOSED, closed_at=happened.at, ended=content["ended"])
    return mass


def group_case(case: Case, deed: Deed) -> list[Happened]:
    """Make the case part of it; what is part already stays so."""
    mass_failure = deed.needs["mass_failure"]
    return [] if case.groups.get(mass_failure) else [deed.happened("grouped", {"mass_failure": str(mass_failure)})]


def ungroup_case(case: Case, deed: Deed) -> list[Happened]:
    """Take the case out; no rule puts it in again."""
    require_part(case, deed.needs["mass_failure"])
    return [deed.happened("ungrouped", {"mass_failure": str(deed.needs["mass_failure"])}, why=deed.needs["why"])]


def require_part(case: Case, mass_failure: UUID) -> None:
    """Raise `NotPartOfItError` where the case is not part of it."""
    if not case.groups.get(mass_failure):
        raise NotPartOfItError


def _stands(*, inside: bool) -> Fold:
    return lambda case, happened: replace(case, groups={**case.groups, UUID(happened.content["mass_failure"]): inside})


DECISIONS: Final[Mapping[str, Decide]] = {"group_case": group_case, "ungroup_case": ungroup_case}
FOLDS: Final[Mapping[str, Fold]] = {"grouped": _stands(inside=True), "ungrouped": _stands(inside=False)}
