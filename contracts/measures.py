"""Touchpoints that indicators are made of: how a contact began, what keeping a promise cost, how teams serve each other."""

from typing import Any, Final

from pydantic import Field

from contracts import topics
from contracts.envelope import EventType, Model, Touchpoint, example


class Contact(Model):
    """One time that a customer came to us: a call, a visit, a chat."""

    contact: str = Field(min_length=1, max_length=200, description="what ties its beginning, greeting and the rest together")


class ContactBegun(Contact):
    """The customer is there: the phone rings, the door opens."""

    channel: str | None = Field(default=None, min_length=1, max_length=64, description="such as `phone`, `branch`, `chat`")


class KeepingPriced(Model):
    """What keeping a promise to this customer costs, whether it is kept or not."""

    promise: str = Field(min_length=1, max_length=200, description="the promise's name")
    correlation: Any = Field(default=None, description="what ties the commitment together, as the promise correlates; null: the customer")
    cost: float = Field(ge=0, description="beyond the ordinary course, in the company's money; 0 where it costs nothing more")


class TeamPulse(Model):
    """One short answer of somebody in a team: how are we served by those who serve us? It names no person."""

    team: str = Field(min_length=1, max_length=200, description="the team that answers, as promises name owners")
    round: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="the month in which it is answered (UTC), such as `2026-02`")
    heard: int = Field(ge=1, le=5, description="`They listen to what we need`: 1 not at all, 5 entirely")
    helped: int = Field(ge=1, le=5, description="`They help when it is hard for them, too`: 1 not at all, 5 entirely")
    word_kept: int = Field(ge=1, le=5, description="`They do what they said`: 1 not at all, 5 entirely")


_WHEN: Final = "2026-02-02T09:00:00.000Z"
_CALL: Final = "call-2026-02-02-17"


def _type(name: str, data: type[Model], meaning: str, subject: str, said: dict[str, Any]) -> EventType:
    number = f"{name}-2026-02-02-17"
    found = example(name, "bank/contacts", number, subject=subject, time=_WHEN, datacontenttype="application/json", data=said)
    return EventType(name=name, topic=topics.TOUCHPOINTS, envelope=Touchpoint, data=data, meaning=meaning, example=found)


EVENTS: Final = (
    _type("contact.begun", ContactBegun, "A customer came to us, by whatever channel.", "crm:4711", {"contact": _CALL, "channel": "phone"}),
    _type("contact.greeted", Contact, "Somebody, or something, greeted them.", "crm:4711", {"contact": _CALL}),
    _type("contact.attended", Contact, "A human is there for them.", "crm:4711", {"contact": _CALL}),
    _type("contact.ended", Contact, "The contact is over; without `contact.attended` before, they left unattended.", "crm:4711",
          {"contact": _CALL}),
    _type("keeping.priced", KeepingPriced, "A company system says what keeping a promise costs beyond the ordinary course.", "crm:4711",
          {"promise": "card-replaced", "correlation": "card-1", "cost": 42.5}),
    _type("team.pulse", TeamPulse, "A team's answer to the short question how it is served by others.", "team:cards",
          {"team": "cards", "round": "2026-02", "heard": 4, "helped": 3, "word_kept": 5}),
)  # fmt: skip
