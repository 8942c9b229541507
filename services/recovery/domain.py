"""Decides what happens to a case; knows nothing of Kafka, SQL, HTTP or clocks.

What people may do is the table `ACTS`; what the judged promises do stands below it. A decision changes nothing:
it returns what happened, and the case folds it.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from services.recovery.case import IN_WORK, JUDGED, WATCHED, Case, Failure, Happened, PledgeState, State, begin, evolve

SYSTEM: Final = "system"
ASK_WAS_TOLD: Final = "was the customer told?"


class RefusedError(Exception):
    """The case does not allow this act now."""

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class NotTheOwnerError(RefusedError):
    """Only the owner of the case may do this; take ownership first."""


class DueHasPassedError(RefusedError):
    """A pledge must be due in the future of the case's clock."""


class UnknownPledgeError(RefusedError):
    """The case has no such pledge."""


class NotYourCaseError(RefusedError):
    """A customer may answer for their own case only."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does an act."""

    subject: str
    roles: frozenset[str] = frozenset()


def case_id(customer: UUID, commitment: UUID) -> UUID:
    """The id of the case that a failure opens."""
    return uuid5(customer, str(commitment))


def pledge_id(case: UUID, key: str) -> UUID:
    """The id of a pledge, from the key that its creation was sent with."""
    return uuid5(case, key)


# What people do. Each decision gets the case, the act and what it needs, and returns what happens.


def take_ownership(case: Case, actor: Actor, at: datetime, _needs: Mapping[str, Any]) -> list[Happened]:
    """Take the case; one who has it already changes nothing."""
    if case.owner == actor.subject:
        return []
    return [Happened("owned", actor.subject, at, {"owner": actor.subject})]


def pledge(case: Case, actor: Actor, at: datetime, needs: Mapping[str, Any]) -> list[Happened]:
    """Promise the customer something by a time."""
    if needs["due"] <= at:
        raise DueHasPassedError
    content = {"pledge": str(pledge_id(case.id, needs["key"])), "due": needs["due"].isoformat()}
    return [Happened("pledged", actor.subject, at, content, {"what": needs["what"]})]


def fulfil_pledge(case: Case, actor: Actor, at: datetime, needs: Mapping[str, Any]) -> list[Happened]:
    """Say that a pledge was done; whether it was kept is judged."""
    pledged = case.pledges.get(needs["pledge"])
    if pledged is None:
        raise UnknownPledgeError
    if pledged.state is not PledgeState.OPEN:
        message = f"The pledge is {pledged.state} already."
        raise RefusedError(message)
    return [Happened("pledge_fulfilled", actor.subject, at, {"pledge": str(pledged.id)})]


def remedy(_case: Case, actor: Actor, at: datetime, needs: Mapping[str, Any]) -> list[Happened]:
    """Say what was done to make it good."""
    return [Happened("remedied", actor.subject, at, payload={"what": needs["what"]})]


def confirm(case: Case, actor: Actor, at: datetime, _needs: Mapping[str, Any]) -> list[Happened]:
    """Take the customer's own answer. A customer answers for their own case only."""
    if "customer" in actor.roles and actor.subject != f"customer:{case.customer}":
        raise NotYourCaseError
    return _confirmed(actor.subject, at)


class By(enum.Enum):
    """Who may do an act, beyond the roles of the access table."""

    ANYONE = enum.auto()
    OWNER = enum.auto()


Decide = Callable[[Case, Actor, datetime, Mapping[str, Any]], list[Happened]]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that people do with a case: by whom, in which states, and what it decides."""

    name: str
    by: By
    on: frozenset[State]
    decide: Decide


ACTS: Final = {
    act.name: act
    for act in (
        Act("own", By.ANYONE, IN_WORK, take_ownership),
        Act("pledge", By.OWNER, IN_WORK, pledge),
        Act("fulfil_pledge", By.OWNER, IN_WORK | WATCHED, fulfil_pledge),
        Act("remedy", By.OWNER, frozenset({State.OWNED}), remedy),
        Act("confirm", By.ANYONE, frozenset({State.REMEDIED, State.UNKNOWN}), confirm),
    )
}


def act(case: Case, name: str, actor: Actor, at: datetime, needs: Mapping[str, Any]) -> list[Happened]:
    """What happens when somebody does an act; raises `RefusedError` where the table does not allow it."""
    row = ACTS[name]
    if case.state not in row.on:
        message = f"A case that is {case.state} cannot be given the act {name}."
        raise RefusedError(message)
    if row.by is By.OWNER and case.owner != actor.subject:
        raise NotTheOwnerError
    return row.decide(case, actor, max(at, case.changed_at), needs)


# What the judged promises do. `at` is the barrier at which the verdict was said.


def fail(mine: Iterable[Case], customer: UUID, failure: Failure) -> list[tuple[UUID, list[Happened]]]:
    """A promise to the customer broke: the case in work gets it, or the one it opens; watched cases note the repeat.

    `mine` are the customer's cases in work, the watched ones, and those that know this failure.
    """
    cases = list(mine)
    if any(_holds(case, failure.commitment) for case in cases):
        return []
    at = failure.broken_at
    content = {"commitment": str(failure.commitment), "promise": failure.promise, "severity": failure.severity.value}
    repeated = [(case.id, [Happened("repeated", SYSTEM, at, content)]) for case in cases if case.state in WATCHED]
    working = next((case for case in cases if case.state in IN_WORK), None)
    if working is not None:
        return [*repeated, (working.id, [Happened("joined", SYSTEM, at, content)])]
    new = case_id(customer, failure.commitment)
    kind = "reopened" if any(case.id == new for case in cases) else "opened"
    return [*repeated, (new, [Happened(kind, SYSTEM, at, content | {"customer": str(customer)})])]


def _holds(case: Case, commitment: UUID) -> bool:
    known = case.failures.get(commitment)
    return known is not None and not known.withdrawn


def withdraw_failure(case: Case, commitment: UUID, at: datetime) -> list[Happened]:
    """A correction says that nothing was broken: the last one withdraws the case, or a person is asked."""
    if not _holds(case, commitment):
        return []
    news = [Happened("failure_withdrawn", SYSTEM, at, {"commitment": str(commitment)})]
    others = any(not each.withdrawn for each in case.failures.values() if each.commitment != commitment)
    if others or case.state not in IN_WORK | WATCHED:
        return news
    if case.was_told:
        return [*news, Happened("asked", SYSTEM, at, {"ask": ASK_WAS_TOLD, "why": "corrected"})]
    return [*news, Happened("withdrawn", SYSTEM, at, {"why": "corrected"})]


def judge_pledge(case: Case, pledge: UUID, verdict: str, at: datetime) -> list[Happened]:
    """A pledge was judged. A broken one fails the customer a second time: worse, and escalated."""
    known = case.pledges[pledge]
    if verdict == known.state or verdict not in {PledgeState.KEPT, PledgeState.BROKEN}:
        return []
    content = {"pledge": str(pledge)}
    if verdict == PledgeState.KEPT:
        return [Happened("pledge_kept", SYSTEM, at, content)]
    return [Happened("pledge_broken", SYSTEM, at, content), _escalated(case, at, "double-deviation")]


@dataclass(frozen=True, slots=True)
class Rules:
    """The names of the promises that judge a case itself."""

    confirmed_by: str
    restored_by: frozenset[str]


def judge_case(case: Case, rules: Rules, promise: str, verdict: str, at: datetime) -> list[Happened]:
    """A promise about the case was judged: it confirms, shows restored or not, or, broken, escalates."""
    if promise == rules.confirmed_by:
        return _answered(case, verdict, at)
    if promise in rules.restored_by:
        if case.verdicts.get(promise) == verdict:
            return []
        return [Happened("judged", SYSTEM, at, {"promise": promise, "verdict": verdict})]
    if verdict == "broken" and case.state in IN_WORK | WATCHED:
        return [_escalated(case, at, promise)]
    return []


def _answered(case: Case, verdict: str, at: datetime) -> list[Happened]:
    if verdict == "kept" and case.state in {State.REMEDIED, State.UNKNOWN}:
        return _confirmed(SYSTEM, at)
    if verdict == "broken" and case.state is State.REMEDIED:
        return [Happened("unknown", SYSTEM, at)]
    return []


def _confirmed(by: str, at: datetime) -> list[Happened]:
    return [Happened("confirmed", by, at), Happened("watching", SYSTEM, at)]


def _escalated(case: Case, at: datetime, why: str) -> Happened:
    return Happened("escalated", SYSTEM, at, {"severity": case.severity.next.value, "why": why})


def settle(case: Case, rules: Rules, at: datetime) -> list[Happened]:
    """What the verdicts so far make of a watched case: one broken is enough against it, all kept restore it."""
    if case.state not in JUDGED or not rules.restored_by:
        return []
    verdicts = {case.verdicts.get(promise) for promise in rules.restored_by}
    open_or_kept = State.RESTORED if verdicts == {"kept"} else State.WATCHING
    end = State.NOT_RESTORED if "broken" in verdicts else open_or_kept
    return [] if end is case.state else [Happened(end.value, SYSTEM, at)]


def carry(case: Case | None, identity: UUID, news: Iterable[Happened], rules: Rules) -> list[tuple[Case, Happened]]:
    """Every act that happened with the case it leaves, and behind them what follows from the verdicts."""
    steps: list[tuple[Case, Happened]] = []
    for each in news:
        case = begin(identity, each) if case is None else evolve(case, each)
        steps.append((case, each))
    if case is not None and steps:
        steps += [(evolve(case, each), each) for each in settle(case, rules, case.changed_at)]
    return steps
