"""What a case asks for, gives and costs: approvals, gestures, the ledger, compensation. Money is an exact decimal, written as text."""

from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from contracts.acts.table import ALIVE, ANY, GOES_ON, MERGED, WITHDRAWN, Act, By, Name, Needs, Words

Amount = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,11}(\.[0-9]{1,4})?|0\.[0-9]{0,3}[1-9]0{0,2})$", examples=["25.00"])]
"""More than nothing, with four decimals at most."""
Days = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,2}(\.5)?|0\.5)$", examples=["2", "0.5"])]


class Money(Needs):
    """So much of a currency."""

    amount: Amount = Field(description="an exact decimal, as text")
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(description="its ISO 4217 code")


class NewApproval(Needs):
    """What somebody asks for that is beyond their own authority."""

    kind: Literal["money", "goods", "time_off", "exception"] = Field(description="what it is of")
    what: Words = Field(description="what is asked, and why")
    due: AwareDatetime = Field(description="by when it is to be decided")
    money: Money | None = Field(default=None, description="how much, or what the goods are worth; of money and goods alone")
    days: Days | None = Field(default=None, description="how many days, halves too; of time off alone")

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        money, days = self.kind in {"money", "goods"}, self.kind == "time_off"
        if money != (self.money is not None) or days != (self.days is not None):
            message = "money and goods say `money`, time off says `days`, an exception says neither"
            raise ValueError(message)
        return self


class Verdict(Needs):
    """Why it is decided so."""

    why: Words = Field(description="the reason, as the one who asked will read it")


class Covered(Needs):
    """What is spent by one's own authority, or by an approval."""

    approval: UUID | None = Field(default=None, description="the granted approval that covers it, where one's own authority does not")


class Borne(Covered):
    """What is spent, and by whom."""

    bearer: Literal["unit", "supplier", "employee"] = Field(
        default="unit", description="who bore it: a unit of ours, a supplier, or an employee out of their own pocket, who is to be repaid"
    )
    borne_by: Name | None = Field(default=None, description="which unit, supplier or employee; you, where it is left out")


class NewGesture(Borne):
    """What is given to make good."""

    kind: Literal["money", "goods", "deed"] = Field(description="what it is made of")
    what: Words = Field(description="what is given or done")
    value: Money | None = Field(default=None, description="what it is worth; a deed may have no value")

    @model_validator(mode="after")
    def _is_worth_something(self) -> Self:
        if self.kind != "deed" and self.value is None:
            message = "money and goods say their `value`"
            raise ValueError(message)
        return self


class Thanks(Needs):
    """What the customer said to it."""

    words: Words = Field(description="in their words")


class NewEntry(Borne):
    """What something cost: minutes at a rate, or money."""

    kind: Literal["staff_time", "third_party", "goodwill", "refund"] = Field(description="what the money went to")
    what: Words = Field(description="what it was for")
    money: Money | None = Field(default=None, description="how much; left out for staff time")
    minutes: Annotated[int, Field(ge=1, le=100_000)] | None = Field(default=None, description="of staff time: how long")
    rate: Money | None = Field(default=None, description="of staff time: what an hour costs")

    @model_validator(mode="after")
    def _is_time_or_money(self) -> Self:
        time = self.kind == "staff_time"
        if (self.money is None) != time or (self.minutes is not None) != time or (self.rate is not None) != time:
            message = "staff time says `minutes` and `rate`, everything else says `money`"
            raise ValueError(message)
        return self


class Paid(Needs):
    """Who bears what was paid."""

    unit: Name = Field(description="the unit that pays")


class Exempted(Needs):
    """Why the rule does not hold here."""

    ground: Name = Field(description="one of the grounds that the playbook names in `unless`")
    why: Words = Field(description="what makes it so here")


class Fair(Needs):
    """What would be fair to give."""

    money: Money = Field(description="how much, all in all")
    why: Words = Field(description="what it cost the customer")


_EVER: Final = ANY | {MERGED}
_TO_BE_PAID: Final = _EVER - {WITHDRAWN}

ROWS: Final[tuple[Act, ...]] = (
    Act(
        "ask_approval", "approvals", "Ask for what is beyond one's own authority: money, goods, time off, an exception to procedure.",
        "Whoever works on a case may ask; nobody may decide what they asked.", ALIVE, NewApproval, By.ANYONE, creates=True,
    ),
    Act(
        "grant_approval", "approvals/{approval_id}/grant", "Say yes to what was asked.",
        "Who may follows from the playbook's authority, or from being stood in for; never the one who asked.", GOES_ON, Verdict, By.ANYONE,
    ),
    Act(
        "refuse_approval", "approvals/{approval_id}/refuse", "Say no to what was asked.",
        "Whoever may grant may refuse; never the one who asked.", ANY | {MERGED}, Verdict, By.ANYONE,
    ),
    Act(
        "give", "gestures", "Give something to make good: money, goods, a deed.",
        "The owner gives, within their authority or by an approval: one owner, one voice.", ALIVE, NewGesture, creates=True,
    ),
    Act(
        "thank", "gestures/{gesture_id}/thanks", "Pass on what the customer said to a gesture.",
        "Whoever heard it passes it on.", ANY, Thanks, By.ANYONE,
    ),
    Act(
        "add_entry", "ledger", "Write down what the case cost, and who bore it.",
        "Whoever spent time or money says so; what the company spends takes the authority to spend it.", _EVER, NewEntry, By.ANYONE,
        creates=True,
    ),
    Act(
        "repay", "ledger/{entry_id}/repay", "Give an employee back what they paid of their own.",
        "Whoever has the authority repays; never oneself.", _EVER, Covered, By.ANYONE,
    ),
    Act(
        "pay_compensation", "compensations/{compensation_id}/pay", "Say that the customer was paid what the playbook's rule owes them.",
        "The rule is the consent; whoever pays says so.", _TO_BE_PAID, Paid, By.ANYONE,
    ),
    Act(
        "exempt_compensation", "compensations/{compensation_id}/exempt", "Say on which ground of the playbook the rule does not hold here.",
        "What is not owed after all is decided by the owner, on grounds that the playbook names.", ANY, Exempted,
    ),
    Act(
        "set_fair", "fair", "Say what would be fair to give, so that giving too little or too much shows.",
        "Who speaks with the customer knows what it cost them.", ALIVE, Fair,
    ),
)  # fmt: skip
