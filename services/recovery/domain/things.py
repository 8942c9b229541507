"""What a case keeps by id: found for who names it, put in, and changed by what happened to it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from services.recovery.domain.case import PARTS, Case, Happened, OwedState
from services.recovery.domain.deeds import Deed, NothingOwedError

THINGS: Final[Mapping[str, str]] = {**PARTS, "message": "messages", "attachment": "attachments", "gesture": "gestures", "entry": "ledger"}
"""Each kind of thing that has an id, and where the case keeps it."""


def thing_id(case: UUID, key: str) -> UUID:
    """The id of a thing, from the key that its creation was sent with."""
    return uuid5(case, key)


def named(case: Case, deed: Deed, kind: str) -> Any:
    """The thing of a kind that an act names; raises `NothingOwedError` where the case has none of that id."""
    found = getattr(case, THINGS[kind]).get(deed.needs[kind])
    if found is None:
        raise NothingOwedError
    return found


def put(case: Case, kind: str, thing: Any) -> Case:
    """The case with one more thing, or with this one in place of what it was."""
    changed: dict[str, Any] = {THINGS[kind]: {**getattr(case, THINGS[kind]), thing.id: thing}}
    return replace(case, **changed)


def of(case: Case, kind: str, happened: Happened) -> Any:
    """The thing of a kind that an act is about."""
    return getattr(case, THINGS[kind])[UUID(happened.content[kind])]


def change(case: Case, kind: str, happened: Happened, **values: Any) -> Case:
    """The case with other values of the thing that an act is about."""
    return put(case, kind, replace(of(case, kind, happened), **values))


def finish(case: Case, kind: str, happened: Happened, **values: Any) -> Case:
    """The case with that thing done. Done late it stays broken: the verdict is the engine's."""
    state = of(case, kind, happened).state
    done = OwedState.DONE if state is OwedState.OPEN else state
    return change(case, kind, happened, state=done, done=happened.at, **values)


def call_off(case: Case) -> Case:
    """The case in which nothing is owed any more that is not done; what a rule owes is settled by itself."""
    for kind, each in case.owed():
        if each.state is OwedState.OPEN and kind != "compensation":
            case = put(case, kind, replace(each, state=OwedState.CALLED_OFF))
    return case


def due_of(content: Mapping[str, Any]) -> datetime:
    """When what an act creates falls due."""
    return datetime.fromisoformat(content["due"])
