"""Stories of one customer's cases, told act by act without a database, a broker or a clock."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts.acts import BY_NAME
from services.recovery import domain
from services.recovery.domain import failing, owed, restoring
from services.recovery.domain.case import Case, Failure, Happened, Severity
from services.recovery.domain.deeds import Actor, Deed
from services.recovery.domain.money import Money
from services.recovery.domain.playbook import Authority, Budget, Plan, Playbook, Rule, Rung, plain
from services.recovery.domain.things import thing_id

CUSTOMER = UUID(int=7)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAIN = plain("customer-confirms", frozenset({"no-repeat", "came-back"}))
ANA, BEN = Actor("ana", frozenset({"agent"})), Actor("ben", frozenset({"agent"}))
SURVEY = Actor("survey", frozenset({"system"}))


PLAYBOOK = Playbook(
    "lost-papers", 1, "customer-confirms", frozenset({"no-repeat", "came-back"}), Severity.HIGH,
    (Plan("call", "Call the customer.", timedelta(hours=4)), Plan("replace", "Get new papers.", timedelta(days=2), ("call",), "ben")),
    (Rung("case-owned", ("lead",)), Rung("task-late", ("lead", "manager"), raises=False)),
)  # fmt: skip


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


LEA, MIA = Actor("lea", frozenset({"lead"})), Actor("mia", frozenset({"manager"}))
GENEROUS = replace(
    PLAYBOOK, name="generous", fair=euros("25"), budget=Budget(euros("1000"), "month"),
    authority=(
        Authority("agent", euros("50")),
        Authority("lead", euros("500"), Decimal(2)),
        Authority("manager", euros("5000"), Decimal(10), exceptions=True),
    ),
    compensation=(Rule("papers-returned", euros("10"), timedelta(days=5), ("customer-at-fault",)),),
)  # fmt: skip


def failure(number: int = 1, severity: Severity = Severity.MEDIUM, at: datetime = NOON) -> Failure:
    return Failure(UUID(int=number), "papers-returned", severity, at)


class Story:
    """A customer's cases, told act by act."""

    def __init__(self) -> None:
        self.cases: dict[UUID, Case] = {}
        self.acts: dict[UUID, list[Happened]] = {}
        self.now = NOON
        self.playbook = PLAIN
        self.covers: tuple[Actor, ...] = ()
        self.stood_for: dict[UUID, list[set[str]]] = {}
        """For each act, whom whoever did it stood in for."""
        self.spent = Decimal(0)

    def happen(self, identity: UUID, news: Iterable[Happened]) -> None:
        for case, happened in domain.carry(self.cases.get(identity), identity, news, self.playbook, list(self.cases.values())):
            self.cases[identity] = case
            self.acts.setdefault(identity, []).append(happened)
            self.stood_for.setdefault(identity, []).append({each.subject for each in self.covers})

    def fail(self, broken: Failure) -> None:
        for identity, news in failing.fail(self.cases.values(), CUSTOMER, broken, self.playbook):
            self.happen(identity, news)

    def act(self, name: str, /, actor: Actor = ANA, case: Case | None = None, key: str = "", **needs: Any) -> None:
        case = case or self.case
        actor = replace(actor, covers=(*actor.covers, *self.covers))
        deed = Deed(name, actor, self.now, self.playbook, needs, key, spent=self.spent)
        self.happen(case.id, domain.act(case, deed, BY_NAME[name], self.cases.values()))

    def judge(self, promise: str, verdict: str, case: Case | None = None) -> None:
        case = case or self.case
        self.happen(case.id, restoring.judge_case(case, self.playbook, promise, verdict, self.now))

    def judge_pledge(self, pledge: UUID, verdict: str) -> None:
        self.happen(self.case.id, owed.judge_owed(self.case, pledge, verdict, self.now, self.playbook))

    def withdraw(self, number: int = 1) -> None:
        for case in list(self.cases.values()):
            self.happen(case.id, failing.withdraw_failure(case, UUID(int=number), self.now))

    def pledge(self, key: str = "call") -> UUID:
        self.act("pledge", key=key, what="we call you", due=self.now + timedelta(hours=2))
        return thing_id(self.case.id, key)

    @property
    def case(self) -> Case:
        (case,) = self.cases.values()
        return case

    def kinds(self) -> list[str]:
        return [each.kind for each in self.acts[self.case.id]]


def remedied(story: Story) -> Story:
    story.act("own_case")
    story.act("remedy_case", what="a new passport")
    return story
