"""How much a failure hurts: as somebody who knows the customer says it, and what a playbook's rules are given to go by. Never guessed."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from contracts.acts.money import Money
from contracts.acts.table import ALIVE, IN_WORK, Act, By, Needs, Words


class Severity(Needs):
    """How much it hurts, as somebody who knows the customer sees it."""

    severity: Annotated[str, Field(pattern="^(low|medium|high|critical)$")] = Field(description="low, medium, high or critical")
    why: Words = Field(description="what makes it so: value at stake, vulnerability, distress")


class Assessment(Needs):
    """What is at stake for the customer, as a person heard or saw it; what is left out stays as it was said before."""

    value: Money | None = Field(default=None, description="what they stand to lose by it")
    vulnerable: bool | None = Field(default=None, description="whether they can bear less than others; true until somebody says false")
    distress: Annotated[int, Field(ge=1, le=5)] | None = Field(default=None, description="from 1, calm, to 5, beside themselves")
    why: Words = Field(description="what they said, or what was seen")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.value is None and self.vulnerable is None and self.distress is None:
            message = "say at least one of `value`, `vulnerable` and `distress`"
            raise ValueError(message)
        return self


ROWS: Final = (
    Act(
        "set_severity", "severity", "Say how much it hurts this customer.",
        "Who speaks with the customer hears it; distress is recorded by a person, not guessed.", IN_WORK, Severity, By.ANYONE,
    ),
    Act(
        "assess_case", "assessment", "Record what is at stake, whether the customer is vulnerable, and how distressed they are.",
        "Who speaks with the customer hears it; the playbook's rules go by it.", ALIVE, Assessment, By.ANYONE,
    ),
)  # fmt: skip
