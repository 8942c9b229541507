"""What people make of a failure afterwards: its cause, and what was learned. Neither names who is guilty."""

from typing import Final, Literal

from pydantic import Field

from contracts.acts.table import ANY, ENDED, Act, By, Needs, Words

Component = Literal["product", "procedures", "facilities", "systems", "information", "people"]
"""The six components of a service, of which one failed."""
Because = Literal["did_not_know", "could_not", "did_not_want"]
"""Of people who failed: what they lacked. The first asks for learning, the second for means, the third for a talk."""


class Cause(Needs):
    """Which component of the service failed."""

    component: Component
    because: Because | None = Field(default=None, description="of people, and of people only: what they lacked")
    what: Words = Field(description="what went wrong, without a name")


class Review(Needs):
    """A look back on a case that has ended."""

    what: Words = Field(description="what we learned, and what we do differently; not who is guilty")


ROWS: Final = (
    Act("set_cause", "cause", "Say which component failed.", "The owner has seen the most of it.", ANY, Cause),
    Act(
        "review_case", "review", "Say what was learned, once the case has ended.",
        "Everybody who took part may have learned something.", ENDED, Review, By.ANYONE,
    ),
)  # fmt: skip
