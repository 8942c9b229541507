"""How cases begin and are taken back: broken promises, what somebody reported, and corrections."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from services.recovery.domain.case import IN_WORK, SYSTEM, WATCHED, Case, Failure, Happened, Severity, State
from services.recovery.domain.deeds import Decide, Deed, Fold, NoOtherCaseError, RefusedError
from services.recovery.domain.money import money_of
from services.recovery.domain.playbook import Playbook
from services.recovery.domain.things import call_off

ASK_WAS_TOLD: Final = "was the customer told?"
CORRECTED: Final = "corrected"
"""Why a failure is taken back: it was none."""
AVERTED: Final = "averted"
"""Why a failure is taken back: what was at risk was kept in time, or is not owed any more."""
News = tuple[UUID, list[Happened]]
"""What happens to the case of an id."""


def case_id(customer: UUID, commitment: UUID) -> UUID:
    """The id of the case that a failure opens."""
    return uuid5(customer, str(commitment))


def fail(mine: Iterable[Case], customer: UUID, failure: Failure, playbook: Playbook, by: str = SYSTEM) -> list[News]:
    """A promise to the customer broke or is at risk, or somebody says that we failed them: the case in work gets it, or the one it opens.

    `mine` are the customer's cases in work, the watched ones, which note the repeat, and those that know this failure.
    """
    cases = list(mine)
    at, words = failure.broken_at, {name: value for name in ("what", "segment") if (value := getattr(failure, name))}
    content = _content(failure)
    known = [case for case in cases if _holds(case, failure.commitment)]
    if known:
        came_true = [case for case in known if case.failures[failure.commitment].at_risk and not failure.at_risk]
        return [(case.id, [Happened("failure_broken", by, at, content)]) for case in came_true]
    watched = [] if failure.at_risk else [case for case in cases if case.state in WATCHED]
    repeated = [(case.id, [Happened("repeated", by, at, content, words)]) for case in watched]
    working = next((case for case in cases if case.state in IN_WORK), None)
    if working is not None:
        return [*repeated, (working.id, [Happened("joined", by, at, content, words)])]
    new = case_id(customer, failure.commitment)
    begins = content | {"customer": str(customer)} | _version(playbook)
    kind = "reopened" if any(case.id == new for case in cases) else "opened"
    return [*repeated, (new, [Happened(kind, by, at, begins, words)])]


def _content(failure: Failure) -> dict[str, Any]:
    kind = {} if failure.component is None else {"component": failure.component}
    at_risk = {"at_risk": True} if failure.at_risk else {}
    value = {} if failure.at_stake is None else {"value": failure.at_stake.content()}
    return {"commitment": str(failure.commitment), "promise": failure.promise, "severity": failure.severity.value} | kind | at_risk | value


def _version(playbook: Playbook) -> dict[str, Any]:
    fair = {"fair": playbook.fair.content()} if playbook.fair else {}
    return {} if playbook.name is None else {"playbook": playbook.name, "playbook_version": playbook.version} | fair


def _holds(case: Case, commitment: UUID) -> bool:
    known = case.failures.get(commitment)
    return known is not None and not known.withdrawn


def was_taken_back(mine: Iterable[Case], commitment: UUID) -> bool:
    """Whether this was called broken before, and then that it was not."""
    known = [case.failures[commitment] for case in mine if commitment in case.failures]
    return any(each.withdrawn and not each.at_risk for each in known)


def withdraw_failure(case: Case, commitment: UUID, at: datetime) -> list[Happened]:
    """A correction says that nothing was broken: the last one withdraws the case, or a person is asked."""
    return _take_back(case, commitment, at, CORRECTED, IN_WORK | WATCHED) if _holds(case, commitment) else []


def avert(case: Case, commitment: UUID, at: datetime) -> list[Happened]:
    """What was at risk did not break: as if it never was, except that whoever confirmed what was done for them is still watched."""
    return _take_back(case, commitment, at, AVERTED, IN_WORK) if is_at_risk(case, commitment) else []


def is_at_risk(case: Case, commitment: UUID) -> bool:
    """Whether the case has this failure although it is not broken yet."""
    return _holds(case, commitment) and case.failures[commitment].at_risk


def _take_back(case: Case, commitment: UUID, at: datetime, why: str, ends: Collection[State]) -> list[Happened]:
    reason = {"why": why} if why == AVERTED else {}
    news = [Happened("failure_withdrawn", SYSTEM, at, {"commitment": str(commitment)} | reason)]
    others = any(each.commitment != commitment for each in case.standing)
    if others or case.state not in ends:
        return news
    if case.was_told:
        return [*news, Happened("asked", SYSTEM, at, {"ask": ASK_WAS_TOLD, "why": why})]
    return [*news, Happened("withdrawn", SYSTEM, at, {"why": why})]


def answer_case(case: Case, deed: Deed) -> list[Happened]:
    """Whether the customer was told of what was no failure: where not, the case is withdrawn; where so, it goes on."""
    if case.ask is None:
        message = "The case asks nothing."
        raise RefusedError(message)
    told = bool(deed.needs["was_told"])
    answered = deed.happened("answered", {"was_told": told}, why=deed.needs["why"])
    why = AVERTED if all(each.at_risk for each in case.failures.values()) else CORRECTED
    return [answered] if told else [answered, deed.happened("withdrawn", {"why": why})]


def merge_case(case: Case, deed: Deed) -> list[Happened]:
    """Go on with this in another living case of the same person, whose keys may differ; that they are one, whoever merges answers for."""
    into = deed.needs["into"]
    if not any(each.id == into and each.id != case.id and each.state in IN_WORK | WATCHED for each in deed.others):
        raise NoOtherCaseError
    return [deed.happened("merged", {"into": str(into)}, why=deed.needs["why"])]


def unmerge_case(case: Case, deed: Deed) -> list[Happened]:
    """Go on with a merged case by itself; a customer has one case in work at most."""
    if any(each.state in IN_WORK and each.customer == case.customer for each in deed.others if each.id != case.id):
        message = "The customer has a case in work; end that one first, or leave this one in it."
        raise RefusedError(message)
    return [deed.happened("unmerged", why=deed.needs["why"])]


def begin(identity: UUID, happened: Happened) -> Case:
    """The case that its first act opens, before anything is folded into it."""
    content = happened.content
    named = {name: content[name] for name in ("playbook", "playbook_version") if name in content}
    fair = money_of(content.get("fair"))
    return Case(
        identity, UUID(content["customer"]), State.OPEN, Severity(content["severity"]), happened.at, happened.at, fair=fair, **named
    )


def _add(case: Case, happened: Happened) -> Case:
    content = happened.content
    severity = Severity(content["severity"])
    what = happened.payload.get("what")
    kind = {name: content[name] for name in ("at_risk", "component") if name in content}
    segment = happened.payload.get("segment")  # it may be a word of the customer's own: who is forgotten is in none
    known = {**kind, "what": what, "segment": segment, "at_stake": money_of(content.get("value"))}
    failure = Failure(UUID(content["commitment"]), content["promise"], severity, happened.at, **known)
    worst = max(case.severity, severity, key=lambda each: each.rank)
    return replace(case, severity=worst, failures={**case.failures, failure.commitment: failure})


def _join(case: Case, happened: Happened) -> Case:
    """A remedy made good what was known before; with one more failure the owner has work again."""
    again = State.OWNED if case.state is State.REMEDIED else case.state
    return replace(_add(case, happened), state=again, ask=None)


def _break(case: Case, happened: Happened) -> Case:
    """What was to be averted came true: what was done against it was no remedy."""
    broken = replace(case.failures[UUID(happened.content["commitment"])], at_risk=False, broken_at=happened.at)
    again = State.OWNED if case.state is State.REMEDIED else case.state
    return replace(case, state=again, ask=None, failures={**case.failures, broken.commitment: broken})


def _reopen(case: Case, happened: Happened) -> Case:
    """A new chapter of the same case: what was judged and climbed was the last one's."""
    state = State.OPEN if case.owner is None else State.OWNED
    return replace(_add(case, happened), state=state, ask=None, verdicts={}, climbed=frozenset(), chapter=case.chapter + 1)


def _withdraw(case: Case, happened: Happened) -> Case:
    commitment = UUID(happened.content["commitment"])
    withdrawn = replace(case.failures[commitment], withdrawn=True)
    return replace(case, failures={**case.failures, commitment: withdrawn})


def _merge(case: Case, happened: Happened) -> Case:
    return replace(case, state=State.MERGED, merged_into=UUID(happened.content["into"]))


def _unmerge(case: Case, _happened: Happened) -> Case:
    return replace(case, state=State.OPEN if case.owner is None else State.OWNED, merged_into=None)


DECISIONS: Final[Mapping[str, Decide]] = {"answer_case": answer_case, "merge_case": merge_case, "unmerge_case": unmerge_case}
FOLDS: Final[Mapping[str, Fold]] = {
    "opened": _add,
    "joined": _join,
    "reopened": _reopen,
    "repeated": lambda case, _happened: case,
    "failure_broken": _break,
    "failure_withdrawn": _withdraw,
    "withdrawn": lambda case, _happened: call_off(replace(case, state=State.WITHDRAWN, ask=None)),
    "asked": lambda case, happened: replace(case, ask=happened.content["ask"]),
    "answered": lambda case, _happened: replace(case, ask=None),
    "merged": _merge,
    "unmerged": _unmerge,
}
