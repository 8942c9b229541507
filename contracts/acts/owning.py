"""How a case gets its owner and changes hands: taken where nobody has it, handed over only to somebody who accepts it."""

from typing import Final

from pydantic import Field

from contracts.acts.table import ALIVE, IN_WORK, Act, By, Name, Needs, Words
from contracts.roles import Role


class Assignment(Needs):
    """Who gets a case that nobody has."""

    to: Name = Field(description="the new owner")


class Offer(Needs):
    """To whom the owner would hand a case over."""

    to: Name = Field(description="who is asked to take it")
    why: Words = Field(description="why they, and what they should know")


class Refusal(Needs):
    """Why a case that was offered is not taken."""

    why: Words = Field(description="in words that the owner understands")


ROWS: Final = (
    Act(
        "own_case", "owner", "Take ownership of a case that nobody has.", "Those who serve customers take cases on.",
        IN_WORK, by=By.ANYONE,
    ),
    Act(
        "assign_case", "assign", "Give a case that nobody has to somebody.", "Whoever answers for the team sees who has room.",
        IN_WORK, Assignment, By.ANYONE, frozenset({Role.LEAD, Role.MANAGER}),
    ),
    Act("offer_case", "offer", "Ask somebody to take the case over.", "A lead is handed over by whoever has it.", ALIVE, Offer),
    Act(
        "accept_case", "offer/accept", "Take over a case that was offered.", "Only whoever was asked can say yes.",
        ALIVE, by=By.ANYONE,
    ),
    Act(
        "refuse_case", "offer/refuse", "Leave a case that was offered with its owner.", "Only whoever was asked can say no.",
        ALIVE, Refusal, By.ANYONE,
    ),
)  # fmt: skip
