"""What falls due in a case: pledges to the customer, and tasks. Each is judged by the one engine; nobody clicks it kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.recovery.domain.case import IN_WORK, PARTS, SYSTEM, WATCHED, Case, Happened, OwedState, Pledge, Task
from services.recovery.domain.deeds import Decide, Deed, DueHasPassedError, Fold, RefusedError
from services.recovery.domain.playbook import Plan, Playbook
from services.recovery.domain.things import change, due_of, finish, named, put, thing_id

_TO_THE_CUSTOMER: Final = frozenset({"pledge", "compensation"})
"""What fails the customer a second time where it is not kept."""
AT_RISK: Final = "at_risk"
"""What is said of something owed that will be late unless something is done soon."""
DOUBLE_DEVIATION: Final = "double-deviation"
"""Why a case is escalated in which the customer was failed twice."""


def pledge(case: Case, deed: Deed) -> list[Happened]:
    """Promise the customer something by a time."""
    return [deed.happened("pledged", made(case, deed, "pledge"), what=deed.needs["what"])]


def postpone_pledge(case: Case, deed: Deed) -> list[Happened]:
    """Tell the customer, before the date passes, that it cannot be kept, and promise a new one: the old pledge is not owed any more."""
    known = named(case, deed, "pledge")
    if known.state is not OwedState.OPEN or known.due <= deed.at:
        message = "Only an open pledge whose time has not passed can be moved; one that was broken is apologised for, and promised anew."
        raise RefusedError(message)
    if deed.needs["due"] <= known.due:
        message = f"The new date lies behind {known.due.isoformat()}; what is done sooner needs no new one."
        raise RefusedError(message)
    told = deed.happened("contact_recorded", {"channel": deed.needs["channel"], "reached": True, "from_customer": False})
    old = deed.happened("pledge_postponed", {"pledge": str(known.id)}, why=deed.needs["why"])
    first = (known.first_due or known.due).isoformat()
    anew = made(case, deed, "pledge") | {"instead_of": str(known.id), "first_due": first}
    return [told, old, deed.happened("pledged", anew, what=known.what)]


def add_task(case: Case, deed: Deed) -> list[Happened]:
    """Set something to be done."""
    content = made(case, deed, "task") | {"assignee": deed.needs["assignee"]}
    return [deed.happened("task_set", content, what=deed.needs["what"])]


def made(case: Case, deed: Deed, kind: str) -> dict[str, Any]:
    """What an act says of the thing it creates: its id, and when it falls due."""
    if deed.needs["due"] <= deed.at:
        raise DueHasPassedError
    return {kind: str(thing_id(case.id, deed.key)), "due": deed.needs["due"].isoformat()}


def fulfil_pledge(case: Case, deed: Deed) -> list[Happened]:
    """Say that a pledge was done; whether it was kept is judged."""
    return [_done(case, deed, "pledge", "pledge_fulfilled")]


def finish_task(case: Case, deed: Deed) -> list[Happened]:
    """Say that a task was done; the tasks that waited for it are set."""
    done = _done(case, deed, "task", "task_done")
    finished = case.tasks[UUID(done.content["task"])].name
    return [done, *plan(case, deed.playbook, deed.at, finished)] if finished is not None else [done]


def _done(case: Case, deed: Deed, kind: str, becomes: str) -> Happened:
    known = named(case, deed, kind)
    if known.done is not None:
        message = f"The {kind} is done already."
        raise RefusedError(message)
    return deed.happened(becomes, {kind: str(known.id)})


def plan(case: Case, playbook: Playbook, at: datetime, finished: str | None = None) -> list[Happened]:
    """The playbook's tasks that begin with a chapter of the case, or once one was `finished` on which they waited."""
    done = {each.name for each in playbook.tasks if _is_done(case, each)} | {finished}
    waiting = [each for each in playbook.tasks if _task_id(case, each) not in case.tasks]
    return [_set(case, each, at) for each in waiting if set(each.after) <= done]


def _task_id(case: Case, planned: Plan) -> UUID:
    return thing_id(case.id, f"{case.chapter} {planned.name}")


def _is_done(case: Case, planned: Plan) -> bool:
    known = case.tasks.get(_task_id(case, planned))
    return known is not None and known.done is not None


def _set(case: Case, planned: Plan, at: datetime) -> Happened:
    content = {
        "task": str(_task_id(case, planned)),
        "due": (at + planned.within).isoformat(),
        "name": planned.name,
        "assignee": planned.assignee,
    }
    return Happened("task_set", SYSTEM, at, content, {"what": planned.what})


def judge_owed(case: Case, identity: UUID, verdict: str, at: datetime, playbook: Playbook) -> list[Happened]:
    """Something owed was judged, or will soon be late. A broken pledge is worse, and escalated; what else is late, climbs."""
    found = case.owes(identity)
    if found is None or verdict == found[1].state or found[1].state is OwedState.CALLED_OFF:  # it was judged while the case ended
        return []
    kind, thing = found
    if verdict == AT_RISK and thing.state is OwedState.OPEN:
        return [Happened(f"{kind}_at_risk", SYSTEM, at, {kind: str(identity)})]
    if verdict not in {OwedState.KEPT, OwedState.BROKEN}:
        return []
    news = [Happened(f"{kind}_{verdict}", SYSTEM, at, {kind: str(identity)})]
    if verdict == OwedState.KEPT:
        return news
    if kind in _TO_THE_CUSTOMER:
        return [*news, escalated(case, at, DOUBLE_DEVIATION)]
    return [*news, *climb(case, playbook, f"{kind}-late", at)]


def climb(case: Case, playbook: Playbook, promise: str, at: datetime) -> list[Happened]:
    """An internal promise about the case was broken: its rung of the ladder is reached, each once in a chapter."""
    rung = playbook.rung(promise)
    if rung is None or promise in case.climbed or case.state not in IN_WORK | WATCHED:
        return []
    return [escalated(case, at, promise, rung.tell, raises=rung.raises)]


def escalated(case: Case, at: datetime, why: str, tell: tuple[str, ...] = (), *, raises: bool = True) -> Happened:
    """The case becomes more severe, and those are told who are to know."""
    severity = case.severity.next if raises else case.severity
    told = {"tell": list(tell)} if tell else {}
    return Happened("escalated", SYSTEM, at, {"severity": severity.value, "why": why} | told)


def _make_pledge(case: Case, happened: Happened) -> Case:
    content = happened.content
    moved: dict[str, Any] = {}
    if "instead_of" in content:
        moved = {"instead_of": UUID(content["instead_of"]), "first_due": datetime.fromisoformat(content["first_due"])}
    return put(case, "pledge", Pledge(UUID(content["pledge"]), happened.payload.get("what", ""), due_of(content), **moved))


def _set_task(case: Case, happened: Happened) -> Case:
    content = happened.content
    what = happened.payload.get("what", "")
    return put(case, "task", Task(UUID(content["task"]), what, due_of(content), content.get("name"), content.get("assignee")))


def _is_judged(kind: str, state: OwedState) -> Fold:
    return lambda case, happened: change(case, kind, happened, state=state)


DECISIONS: Final[Mapping[str, Decide]] = {
    "pledge": pledge, "postpone_pledge": postpone_pledge, "fulfil_pledge": fulfil_pledge, "add_task": add_task, "finish_task": finish_task,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {
    "pledged": _make_pledge,
    "pledge_fulfilled": lambda case, happened: finish(case, "pledge", happened),
    "pledge_postponed": lambda case, happened: change(case, "pledge", happened, state=OwedState.CALLED_OFF),
    "task_set": _set_task,
    "task_done": lambda case, happened: finish(case, "task", happened),
    **{f"{kind}_{AT_RISK}": lambda case, _happened: case for kind in PARTS},
    **{f"{kind}_{state}": _is_judged(kind, state) for kind in PARTS for state in (OwedState.KEPT, OwedState.BROKEN)},
}
