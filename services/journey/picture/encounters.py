"""The kinds of encounter: what do you want (right the first time), how do you want it (a yes found), where are you going."""

from collections import defaultdict
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from services.journey.picture.consent import ASPIRATIONS, Consents, purpose_of
from services.journey.picture.history import STANDING, History, Touchpoint
from services.journey.picture.matching import any_of
from services.journey.picture.refusals import GRANTED, REFUSED
from services.journey.picture.rules import Rules

Kind = Literal["first", "second", "third"]
KINDS: Final[tuple[Kind, ...]] = ("first", "second", "third")
Outcome = Literal["right", "wrong", "open", "yes", "no", "recorded", "served"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("right", "wrong", "open", "yes", "no", "recorded", "served")
RECORDED, SERVED = "customer.aspiration.recorded", "customer.aspiration.served"
_SAID: Final[dict[str, tuple[Kind, Outcome]]] = {
    GRANTED: ("second", "yes"), REFUSED: ("second", "no"), RECORDED: ("third", "recorded"), SERVED: ("third", "served"),
}  # fmt: skip


class Encounter(NamedTuple):
    """One encounter and what came of it: where nothing says so itself, whether the promises that it triggered were kept."""

    kind: Kind
    outcome: Outcome
    event: Touchpoint


def encounters(rules: Rules, history: History, now: datetime | None) -> list[Encounter]:
    """A customer's encounters, the first first. An aspiration without consent is no encounter that anybody reports."""
    judged: dict[UUID, list[str]] = defaultdict(list)
    for each in history.outward:
        judged[each.trigger].append(each.judgement)
    consents = Consents(history, now)
    found = []
    for event in history.touchpoints:
        said = _SAID.get(event.type)
        if said is not None:
            if event.type != RECORDED or consents.of(purpose_of(event, ASPIRATIONS)).given:
                found.append(Encounter(*said, event))
        elif (kind := _kind(rules, event)) is not None:
            found.append(Encounter(kind, _outcome(judged[event.key]), event))
    return found


def _kind(rules: Rules, event: Touchpoint) -> Kind | None:
    ways = rules.encounters
    matches = zip(KINDS, (ways.first, ways.second, ways.third), strict=True)
    return next((kind for kind, meant in matches if any_of(meant, event)), None)


def _outcome(judgements: list[str]) -> Outcome:
    if "broken" in judgements:
        return "wrong"
    return "right" if judgements and all(each in {"kept", STANDING, "excused", "withdrawn"} for each in judgements) else "open"
