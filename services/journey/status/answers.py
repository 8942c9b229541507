"""The customer's own answer on the status page: what may be answered to a case, and the touchpoint that it becomes. Pure.

A question is about a case as it stands, and its id is the event's: one answer to it counts, however often it is given.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from services.chassis.cloudevents import Event, event
from services.journey.domain import CUSTOMER_KIND
from services.journey.records import own_event


class Answer(StrEnum):
    """What a customer may say of how we make good."""

    GOOD = "good"
    NOT_GOOD = "not_good"
    NOTHING_MORE = "nothing_more"


TYPES: Final[Mapping[Answer, str]] = {
    Answer.GOOD: "customer.confirmed", Answer.NOT_GOOD: "customer.disputed", Answer.NOTHING_MORE: "customer.declined",
}  # fmt: skip
_ANSWERS: Final = {each: answer for answer, each in TYPES.items()}


class Question(NamedTuple):
    """What a customer is asked about a case as it stands."""

    id: UUID
    case: UUID
    customer: UUID
    """The key that the case is kept under."""
    answers: tuple[Answer, ...]
    """Those that may be given."""


def asked(case: UUID, customer: UUID, standing: str, answers: tuple[Answer, ...]) -> Question:
    """The question about a case; `standing` is the id of the fact since which it stands as it does."""
    return Question(uuid5(case, standing), case, customer, answers)


def touchpoint(question: Question, answer: Answer, at: datetime) -> Event:
    """The customer's word, as the event that promises judge."""
    data = {"case_id": str(question.case), "channel": "status-page"}
    return event(own_event(TYPES[answer], str(question.id), f"{CUSTOMER_KIND}{question.customer}", at, data))


def answer_of(type_: str) -> Answer | None:
    """What was answered, by the event's type."""
    return _ANSWERS.get(type_)
