"""What a customer is told of how a failure is made good: where it stands, what it is about, and the next date. Pure.

Who works on it, how severe it is and what is done inside is the company's own and stays there.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.chassis import rfc3339
from services.journey.status.answers import Answer, Question, asked
from services.journey.status.stands import Words, is_theirs
from services.journey.timeline.ahead import Standing

MOST_CLOSED: Final = 5
"""Cases that came to an end shown; all that are open are."""
CASE, PLEDGED = "makegood.case.", "makegood.case.pledged"


class Step(StrEnum):
    """How far a failure is made good, as a customer reads it."""

    SEEN = "seen"
    IN_HAND = "in_hand"
    PUT_RIGHT = "put_right"
    CONFIRMED = "confirmed"
    MADE_GOOD = "made_good"
    NOT_MADE_GOOD = "not_made_good"
    UNANSWERED = "unanswered"
    CLOSED = "closed"


_STEPS: Final = {
    "open": Step.SEEN, "owned": Step.IN_HAND, "remedied": Step.PUT_RIGHT, "confirmed": Step.CONFIRMED, "watching": Step.CONFIRMED,
    "restored": Step.MADE_GOOD, "not_restored": Step.NOT_MADE_GOOD, "unknown": Step.UNANSWERED, "declined": Step.CLOSED,
}  # fmt: skip
"""A case that was withdrawn or merged into another is nothing to the customer, and not here."""
_ANSWERS: Final = {
    Step.SEEN: (Answer.NOTHING_MORE,), Step.IN_HAND: (Answer.NOTHING_MORE,),
    **dict.fromkeys((Step.PUT_RIGHT, Step.UNANSWERED), (Answer.GOOD, Answer.NOT_GOOD, Answer.NOTHING_MORE)),
}  # fmt: skip
"""What the customer may answer, by where it stands; late is not too late."""
_OVER: Final = frozenset({Step.MADE_GOOD, Step.NOT_MADE_GOOD, Step.UNANSWERED, Step.CLOSED})


class MakingGood(NamedTuple):
    """One failure, or several at once, that are made good; times are in the customer's zone."""

    about: list[str]
    """The promises that were not kept, in the words they were published in."""
    step: Step
    since: datetime
    """When it came to stand so."""
    next: datetime | None
    """The earliest date that the customer was given within it, for something that is not done yet."""
    pledged: str | None
    """What was pledged to be done by then."""
    question: Question
    """What the customer may answer to it as it stands."""
    given: Answer | None = None
    """What they answered already."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done."""
        return self.step in _OVER


def making_good(cases: Iterable[Mapping[str, Any]], standings: Iterable[Standing], words: Words, zone: ZoneInfo) -> list[MakingGood]:
    """What is in hand, the latest first, then what came to an end lately. `cases` are recovery's facts, in the order they were said."""
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for fact in cases:
        if fact["type"].startswith(CASE):
            by_case.setdefault(fact["data"]["case"], []).append(fact)
    known = {each.commitment: each for each in standings if is_theirs(each)}
    found = [_told(its, known, words, zone) for its in by_case.values() if its[-1]["data"]["state"] in _STEPS]
    found.sort(key=lambda each: each.since, reverse=True)
    return [*(each for each in found if not each.is_over), *[each for each in found if each.is_over][:MOST_CLOSED]]


def _told(facts: list[Mapping[str, Any]], known: Mapping[UUID, Standing], words: Words, zone: ZoneInfo) -> MakingGood:
    steps = [_STEPS.get(each["data"]["state"]) for each in facts]
    entered = next(place for place in range(len(steps)) if set(steps[place:]) == {steps[-1]})
    failed = [known.get(UUID(failure["commitment"])) for each in facts if (failure := each["data"].get("failure"))]
    step = _STEPS[facts[-1]["data"]["state"]]
    since, last = facts[entered], facts[-1]
    due, pledge = min(_pledged(facts), default=(None, "")) if step not in _OVER else (None, "")
    return MakingGood(
        about=list(dict.fromkeys(each.statement or "" for each in failed if each is not None and each.judgement == "broken")),
        step=step,
        since=rfc3339.parse(since["time"]).astimezone(zone),
        next=None if due is None else due.astimezone(zone),
        pledged=words.get(pledge),
        question=asked(UUID(last["data"]["case"]), UUID(last["customer"]), since["id"], _ANSWERS.get(step, ())),
    )


def _pledged(facts: list[Mapping[str, Any]]) -> list[tuple[datetime, str]]:
    """By when what was pledged that is not done yet."""
    last = {pledge["id"]: (each["type"], pledge["due"]) for each in facts if (pledge := each["data"].get("pledge"))}
    return [(rfc3339.parse(due), id_) for id_, (type_, due) in last.items() if type_ == PLEDGED]
