"""What people do to help each other in a case: ask, accept, pass on, answer, thank. A chain of helpers may have any length."""

from typing import Final

from pydantic import AwareDatetime, Field

from contracts.acts.table import ANY, GOES_ON, IN_WORK, MERGED, Act, By, Name, Needs, Words


class Ask(Needs):
    """Help that is asked of a colleague, or of whoever can."""

    what: Words = Field(description="what is needed")
    due: AwareDatetime = Field(description="by when")
    assignee: Name | None = Field(default=None, description="who is asked; whoever can where it is left out")


class PassOn(Needs):
    """To whom a request goes on."""

    assignee: Name | None = Field(default=None, description="who is asked now; whoever can where it is left out")
    why: Words = Field(description="why they can; one outside the house is named here")


class Told(Needs):
    """What is said to a colleague."""

    text: Words = Field(description="in one's own words")


ROWS: Final = (
    Act(
        "ask_help", "help-requests", "Ask a colleague for help, or whoever can; that it comes in time is judged like every promise.",
        "Whoever works on a case may ask the whole house.", IN_WORK, Ask, By.ANYONE, creates=True,
    ),
    Act(
        "accept_help", "help-requests/{help_id}/accept", "Say that one will help.",
        "Nobody is put to work by somebody else's click.", GOES_ON, by=By.ANYONE,
    ),
    Act(
        "pass_help", "help-requests/{help_id}/pass", "Pass a request on to somebody who can.",
        "Who cannot help may know who can.", GOES_ON, PassOn, By.ANYONE,
    ),
    Act(
        "answer_help", "help-requests/{help_id}/answer", "Say what came of a request for help.",
        "Whoever is in the chain tells it, since a helper outside the house has no desk here.", GOES_ON, Told, By.ANYONE,
    ),
    Act(
        "thank_help", "help-requests/{help_id}/thank", "Thank those who helped.",
        "Whoever asked knows what it was worth.", ANY | {MERGED}, Told, By.ANYONE,
    ),
)  # fmt: skip
