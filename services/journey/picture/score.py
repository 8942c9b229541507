"""The score of a relationship, piece by piece: each piece says what it adds, what of that is left, and which evidence it rests on.

It begins at 50 and stays between 0 and 100. A piece fades by half in the time that its kind says. There is no other input.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.journey.picture.feedback import Feedback
from services.journey.picture.history import CaseFact, Commitment, History
from services.journey.picture.matching import any_of, value_at
from services.journey.picture.rules import BASE, LEAST, MOST, Rules

RECOVERY = "makegood/recovery"


class Piece(NamedTuple):
    """One thing that moved the score; `employee` is whom of the company it was with, if anybody by name."""

    time: datetime
    evidence: str
    """A touchpoint's or a commitment's key, or the id of a fact of a case."""
    what: str
    points: float
    employee: str | None
    about: str


class Point(NamedTuple):
    """The score right after a piece."""

    time: datetime
    score: float
    piece: Piece


def pieces(rules: Rules, history: History, said: list[Feedback]) -> list[Piece]:
    """All that moves the score, in order of time; `said` is the customer's feedback."""
    found = [*_commitments(rules, history), *_cases(rules, history), *_purchases(rules, history), *_said(rules, said)]
    return sorted((each for each in found if each.points), key=lambda each: each[:3])


def score(rules: Rules, found: list[Piece], now: datetime) -> float:
    """The score at a time, from the pieces until then."""
    return _bounded(sum(left(rules, each, now) for each in found if each.time <= now))


def left(rules: Rules, piece: Piece, now: datetime) -> float:
    """What is left of a piece at a time."""
    fades = rules.weights[piece.what].fades
    return piece.points if fades is None else piece.points * 0.5 ** ((now - piece.time) / fades)


def course(rules: Rules, found: list[Piece]) -> Iterator[Point]:
    """How the score went: its value right after each piece. Fading in between is not told."""
    sums: dict[str, tuple[float, datetime]] = {}
    for piece in found:
        at = {what: _faded(rules, what, total, piece.time - since) for what, (total, since) in sums.items()}
        at[piece.what] = at.get(piece.what, 0.0) + piece.points
        sums = {what: (total, piece.time) for what, total in at.items()}
        yield Point(piece.time, _bounded(sum(at.values())), piece)


class Loyalty(NamedTuple):
    """To whom a customer is loyal: the share of the good that they met with each employee, and without any by name."""

    organisation: float
    employees: dict[str, float]
    evidence: dict[str, list[Piece]]

    def one_person(self, least: float) -> str | None:
        """With whom the customer would leave: the employee who has at least this share, and the most."""
        best = max(self.employees.items(), key=lambda each: (each[1], each[0]), default=None)
        return best[0] if best is not None and best[1] >= least else None


def loyalty(found: list[Piece]) -> Loyalty:
    """What was good counts as it was when it happened, without fading: habit does not, either."""
    good, evidence = defaultdict[str | None, float](float), defaultdict[str, list[Piece]](list)
    for each in found:
        if each.points > 0:
            good[each.employee] += each.points
            if each.employee is not None:
                evidence[each.employee].append(each)
    total = sum(good.values())
    shares = {name: good[name] / total for name in sorted(name for name in good if name is not None)}
    return Loyalty(good.get(None, 0.0) / total if total else 0.0, shares, dict(evidence))


def _bounded(total: float) -> float:
    return round(min(max(BASE + total, LEAST), MOST), 2)


def _faded(rules: Rules, what: str, total: float, time: object) -> float:
    fades = rules.weights[what].fades
    return total if fades is None else total * 0.5 ** (time / fades)  # type: ignore[operator]  # both are time spans


def _points(rules: Rules, what: str) -> float:
    return rules.weights[what].points if what in rules.weights else 0.0


def _commitments(rules: Rules, history: History) -> Iterator[Piece]:
    for each in history.outward:
        if each.judgement in {"kept", "broken"}:
            who = _with_whom(rules, history, each) if each.judgement == "kept" else None  # a break is the organisation's
            yield Piece(each.since, str(each.id), each.judgement, _points(rules, each.judgement), who, each.promise)


def _with_whom(rules: Rules, history: History, commitment: Commitment) -> str | None:
    """Whom the event was with that decided a commitment, else the one that opened it; what happened in a case was with its owner."""
    for key in (commitment.event, commitment.trigger):
        if (event := history.by_key.get(UUID(bytes=key.bytes))) is None:
            continue
        found = value_at(event, rules.employee)
        if isinstance(found, str):
            return found
        if event.source == RECOVERY and (owner := _owner_of(history, event.text("case_id"))) is not None:
            return owner
    return None


def _owner_of(history: History, case: str | None) -> str | None:
    return next((owner for key, owner in history.owners.items() if str(key) == case), None)


def _cases(rules: Rules, history: History) -> Iterator[Piece]:
    for each in history.cases:
        if each.kind in {"restored", "not_restored"}:
            yield Piece(each.time, each.id, each.kind, _points(rules, each.kind), _owner(history, each), "recovery")


def _owner(history: History, fact: CaseFact) -> str | None:
    return fact.owner or history.owners.get(fact.case)


def _purchases(rules: Rules, history: History) -> Iterator[Piece]:
    for event in history.touchpoints:
        if any_of(rules.purchases, event):
            who = value_at(event, rules.employee)
            yield Piece(
                event.time, str(event.key), "purchase", _points(rules, "purchase"), who if isinstance(who, str) else None, event.type
            )


def _said(rules: Rules, said: list[Feedback]) -> Iterator[Piece]:
    for each in said:
        points = round(_points(rules, "feedback") * each.tone * each.weight, 4)
        yield Piece(each.time, str(each.event.key), "feedback", points, each.employee, each.name)
