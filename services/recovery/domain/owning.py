"""Who owns a case: taken or given where nobody has it, handed over only by acceptance."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.recovery.domain.case import Case, Happened, State
from services.recovery.domain.deeds import Decide, Deed, Fold, RefusedError
from services.recovery.domain.people import HARD


class HasAnOwnerError(RefusedError):
    """Somebody has the case already; they can offer it, and it goes over once it is accepted."""


class CarriesTooMuchError(RefusedError):
    """One more case would be too much for them: let somebody else take it, or offer one of theirs first."""


class RestsError(RefusedError):
    """They rest from a hard case, and are given no other one that soon; they may take it of their own will."""


class NotOfferedToYouError(RefusedError):
    """The case was not offered to you; only whoever was asked can say yes or no."""


def own_case(case: Case, deed: Deed) -> list[Happened]:
    """Take a case that nobody has, or that of an absent owner one stands in for; one's own already changes nothing."""
    if case.owner == deed.actor.subject:
        return []
    if case.owner is not None and not deed.actor.stands_for(case.owner):
        raise HasAnOwnerError
    return [_goes_to(case, deed, deed.actor.subject)]


def assign_case(case: Case, deed: Deed) -> list[Happened]:
    """Give a case that nobody has to somebody."""
    if case.owner is not None:
        raise HasAnOwnerError
    if deed.room is not None and case.severity in HARD and deed.room.rests(deed.at):
        raise RestsError
    return [_goes_to(case, deed, deed.needs["to"])]


def offer_case(case: Case, deed: Deed) -> list[Happened]:
    """Ask somebody to take it over; until they accept, it stays where it is. A later offer stands in place of the one before."""
    if deed.needs["to"] in {case.owner, case.offered_to}:
        message = "The case is with them, or offered to them, already."
        raise RefusedError(message)
    return [deed.happened("offered", {"to": deed.needs["to"]}, why=deed.needs["why"])]


def accept_case(case: Case, deed: Deed) -> list[Happened]:
    """Take over what was offered."""
    _require_offered(case, deed)
    return [_goes_to(case, deed, deed.actor.subject)]


def refuse_case(case: Case, deed: Deed) -> list[Happened]:
    """Leave what was offered with its owner."""
    _require_offered(case, deed)
    return [deed.happened("offer_refused", why=deed.needs["why"])]


def _require_offered(case: Case, deed: Deed) -> None:
    if case.offered_to is None or not deed.actor.stands_for(case.offered_to):
        raise NotOfferedToYouError


def _goes_to(case: Case, deed: Deed, subject: str) -> Happened:
    """Who would carry too much does not get it; who will soon, or rests from a hard one, is warned, and the trail says so."""
    room, warned = deed.room, []
    if room is not None:
        if room.is_beyond(case.severity):
            raise CarriesTooMuchError
        warned = ["near-limit"] * room.is_near(case.severity) + ["rests"] * (case.severity in HARD and room.rests(deed.at))
    return deed.happened("owned", {"owner": subject} | ({"warned": warned} if warned else {}))


def _own(case: Case, happened: Happened) -> Case:
    state = State.OWNED if case.state is State.OPEN else case.state
    return replace(case, state=state, owner=happened.content["owner"], offered_to=None)


DECISIONS: Final[Mapping[str, Decide]] = {
    "own_case": own_case, "assign_case": assign_case, "offer_case": offer_case, "accept_case": accept_case, "refuse_case": refuse_case,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {
    "owned": _own,
    "offered": lambda case, happened: replace(case, offered_to=happened.content["to"]),
    "offer_refused": lambda case, _happened: replace(case, offered_to=None),
}
