"""Everything that people do with a case: one row an act. Routes, access, forms and the audit trail's words are derived from these rows.

What an act decides stands in recovery, under its name; here stands who may do it, in which states of a case, and what it needs.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.acts import attending, grouping, helping, learning, money, owning, severity, voice
from contracts.acts.table import ALIVE, ANY, GOES_ON, IN_WORK, MERGED, OWNED, REMEDIED, UNKNOWN, Act, By, Name, Needs, Words
from contracts.roles import Role

__all__ = ["ACTS", "BY_NAME", "Act", "By", "Name", "Needs", "Words", "names"]


class Pledge(Needs):
    """A promise to the customer inside a case."""

    what: Words = Field(description="what will be done, as the customer was told")
    due: AwareDatetime = Field(description="by when")


class Postponed(Needs):
    """A new date for what was pledged, as the customer was told before the old one passed."""

    due: AwareDatetime = Field(description="by when now; later than before")
    channel: voice.Channel = Field(description="how they were told")
    why: Words = Field(description="why it takes longer, as they were told")


class NewTask(Needs):
    """Something to be done in a case."""

    what: Words = Field(description="what is to be done")
    due: AwareDatetime = Field(description="by when")
    assignee: Name | None = Field(default=None, description="who does it; nobody in particular where it is left out")


class Remedy(Needs):
    """What was done to make it good."""

    what: Words = Field(description="what was done")


class Reason(Needs):
    """Why something is done."""

    why: Words = Field(description="in words that those who read the case later understand")


class Answer(Needs):
    """What a person decides where the case asks."""

    was_told: bool = Field(description="whether the customer was told of what turned out to be no failure")
    why: Words = Field(description="what follows from it for the customer")


class Note(Needs):
    """Something that others who work on the case should know."""

    text: Words = Field(description="the note")


class Into(Needs):
    """Another case of the same person."""

    into: UUID = Field(description="the case that goes on")
    why: Words = Field(description="what makes them one")


_CUSTOMERS_OWN: Final = frozenset({Role.CUSTOMER, Role.SYSTEM})
_LEADS: Final = frozenset({Role.LEAD, Role.MANAGER})

ACTS: Final[tuple[Act, ...]] = (
    *owning.ROWS,
    Act(
        "pledge", "pledges", "Promise the customer something by a time; whether it is kept is judged like every promise.",
        "The owner promises: one owner, one voice.", IN_WORK, Pledge, creates=True,
    ),
    Act(
        "fulfil_pledge", "pledges/{pledge_id}/fulfil", "Say that a pledge was done, also when the case has ended meanwhile.",
        "The owner keeps what was pledged.", ANY | {MERGED},
    ),
    Act(
        "postpone_pledge", "pledges/{pledge_id}/postpone", "Say that the customer was told, before its time, that a pledge takes longer.",
        "An honest new date beats a broken old one; the owner tells it: one voice.", IN_WORK, Postponed, creates=True,
    ),
    Act("add_task", "tasks", "Set something to be done by a time.", "The owner says what is to be done.", IN_WORK, NewTask, creates=True),
    Act(
        "finish_task", "tasks/{task_id}/done", "Say that a task was done.",
        "Whoever does a task says so; the trail says who it was.", GOES_ON, by=By.ANYONE,
    ),
    Act("remedy_case", "remedy", "Say what was done to make it good.", "The owner puts it right.", frozenset({OWNED}), Remedy),
    Act(
        "confirm_case", "confirm", "Pass on the customer's own answer that it is good again.",
        "Only the customer confirms, in person or through their channel.", frozenset({REMEDIED, UNKNOWN}),
        by=By.ANYONE, roles=_CUSTOMERS_OWN,
    ),
    Act(
        "decline_case", "decline", "Pass on that the customer wants nothing more of us in this.",
        "Only the customer says that nothing more is wanted.", ALIVE, Reason, By.ANYONE, _CUSTOMERS_OWN,
    ),
    Act(
        "answer_case", "answer", "Decide what the case asks: whether the customer was told of what was no failure after all.",
        "Who spoke with the customer knows what they were told.", ALIVE, Answer,
    ),
    *severity.ROWS,
    Act("note_case", "notes", "Leave a note for those who work on the case.", "Whoever knows something tells it.", ANY, Note, By.ANYONE),
    *helping.ROWS,
    *learning.ROWS,
    Act(
        "merge_case", "merge", "Go on with this in another case of the same person.",
        "One customer, one voice: whoever answers for the team joins what is one.", ALIVE, Into, By.ANYONE, _LEADS,
    ),
    Act(
        "unmerge_case", "unmerge", "Go on with a merged case by itself again.",
        "What was joined wrongly is parted by whoever may join.", frozenset({MERGED}), Reason, By.ANYONE, _LEADS,
    ),
    *voice.ROWS,
    *money.ROWS,
    *grouping.ROWS,
    *attending.ROWS,
)  # fmt: skip
BY_NAME: Final = {each.name: each for each in ACTS}


def names(acts: Iterable[Act] = ACTS) -> list[str]:
    """The names of all acts, in the order of the table."""
    return [each.name for each in acts]
