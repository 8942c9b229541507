"""What is said to a customer and heard of them: messages, contacts, preferences, and how it was afterwards."""

from datetime import time
from typing import Annotated, Final, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from contracts.acts.table import ALIVE, ANY, CONFIRMED, REMEDIED, WATCHING, Act, By, Name, Needs, Words
from contracts.roles import CASE_WORK, Role

Channel = Literal["email", "phone", "sms", "letter", "in_person", "other"]
Score = Annotated[int, Field(ge=1, le=5)]
LANGUAGE: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
Language = Annotated[str, Field(pattern=LANGUAGE, max_length=35)]
"""As BCP 47 writes it: `de`, `de-AT`."""
Address = Annotated[str, Field(pattern=r"^[!-?A-~]+@[A-Za-z0-9.-]+$", max_length=254)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line: a subject is a header of the e-mail."""


def _known(zone: str) -> str:
    if zone not in available_timezones():
        message = f"{zone!r} is no zone of the IANA database, as Europe/Madrid is"
        raise ValueError(message)
    return zone


def _on_the_clock(clock: time) -> time:
    if clock.tzinfo is not None:
        message = "it is the clock of `zone`; write it without an offset, as in 09:00"
        raise ValueError(message)
    return clock


Clock = Annotated[time, AfterValidator(_on_the_clock)]
"""A time of day, of a zone that is named beside it."""
Zone = Annotated[str, AfterValidator(_known)]
"""Of the IANA database."""


class Draft(Needs):
    """Something to be written to the customer: by a template of the playbook, in own words, or both."""

    name: Name | None = Field(default=None, description="the playbook's template")
    language: Language | None = Field(default=None, description="the customer's where it is left out")
    subject: Line | None = Field(default=None, description="instead of the template's")
    text: Words | None = Field(default=None, description="instead of the template's")


class SpokenWith(Needs):
    """A word with the customer, or an attempt that reached nobody."""

    channel: Channel = Field(description="how")
    reached: bool = Field(description="whether they were reached")
    from_customer: bool = Field(default=False, description="whether they came to us")
    said: Words | None = Field(default=None, description="what they said")
    felt: Words | None = Field(default=None, description="how they felt, as a person heard it")


class DayHours(Needs):
    """The hours of a day in which the customer wants to be spoken to; they may cross midnight."""

    begins: Clock = Field(description="from when on, as in 09:00")
    ends: Clock = Field(description="until when")
    zone: Zone = Field(description="of the IANA database, as in Europe/Madrid")


class Wanted(Needs):
    """How the customer wants to be spoken to; what is left out, they do not mind."""

    channel: Channel | None = Field(default=None, description="how")
    language: Language | None = Field(default=None, description="in which language")
    hours: DayHours | None = Field(default=None, description="when")
    address: Address | None = Field(default=None, description="where e-mails reach them")


class HowItWas(Needs):
    """How it was, from 1 (not at all) to 5 (entirely)."""

    outcome: Score | None = Field(default=None, description="what came of it was just")
    process: Score | None = Field(default=None, description="how it came about was just")
    treatment: Score | None = Field(default=None, description="they were treated justly")
    friend: Score | None = Field(default=None, description="it felt like being helped by a friend; of one who helped: like helping one")
    said: Words | None = Field(default=None, description="in their words")


AFTERWARDS: Final = ANY - (ALIVE - {REMEDIED, CONFIRMED, WATCHING})

ROWS: Final[tuple[Act, ...]] = (
    Act(
        "draft_message", "messages", "Write to the customer; nothing is sent yet.",
        "One owner, one voice.", ALIVE, Draft, creates=True,
    ),
    Act(
        "send_message", "messages/{message_id}/send", "Let a draft go out, once the customer's hours and restraint allow it.",
        "One owner, one voice.", ALIVE,
    ),
    Act(
        "discard_message", "messages/{message_id}/discard", "Do not send a message after all.",
        "Whoever speaks may think better of it.", ALIVE,
    ),
    Act(
        "record_contact", "contacts", "Record a word with the customer, or an attempt that reached nobody.",
        "Whoever spoke with the customer knows what was said.", ANY, SpokenWith, By.ANYONE,
    ),
    Act(
        "set_preferences", "preferences", "Record how the customer wants to be spoken to, in all their cases.",
        "Whoever speaks with the customer hears it.", ALIVE, Wanted, By.ANYONE,
    ),
    Act(
        "give_feedback", "feedback", "Say afterwards how it was: outcome, process, treatment, and whether it was as among friends.",
        "The customer says what was just; both sides say how it felt.", AFTERWARDS, HowItWas, By.ANYONE,
        CASE_WORK | {Role.CUSTOMER, Role.SYSTEM},
    ),
)  # fmt: skip
