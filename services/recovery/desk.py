"""The cases that one transaction works on: what happens to them, what follows, and what is told of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from services.chassis.database import Transaction
from services.chassis.progress import Progress
from services.recovery import domain, store, telling
from services.recovery.domain import failing
from services.recovery.domain.case import SYSTEM, Case, Failure, Happened
from services.recovery.domain.playbook import Playbook
from services.recovery.events import FACTS, Message, messages
from services.recovery.playbooks import Playbooks
from services.recovery.store import Change, Sent, Stored, deliveries
from services.recovery.telling import Telling


@dataclass(slots=True)
class Desk:
    """The cases that one transaction works on, as they stand after what happened so far."""

    playbooks: Playbooks
    partition: int
    stored: dict[UUID, Stored]
    done: dict[UUID, list[Happened]] = field(default_factory=dict)
    said: list[Message] = field(default_factory=list)
    told: list[Telling] = field(default_factory=list)
    """Who is told by other ways than the log."""
    others: Sequence[Case] = ()
    """Further cases of these customers, which are read alone."""

    def of_customer(self, customer: UUID) -> list[Case]:
        """The customer's cases that are on the desk."""
        return [each.case for each in self.stored.values() if each.case.customer == customer]

    def happen(self, identity: UUID, news: Iterable[Happened], traceparent: str | None) -> None:
        """Put what happened, and what follows from it, into the case and into what is said."""
        known = self.stored.get(identity)
        happened = list(news)
        if not happened:
            return
        playbook = self.playbooks.of(known.case) if known else self.playbooks.version(happened[0].content)
        others = [*(each.case for each in self.stored.values()), *self.others]
        for case, each in domain.carry(known.case if known else None, identity, happened, playbook, others):
            known = replace(known, case=case) if known else Stored(case, self.partition)
            self.stored[identity] = known
            self.done.setdefault(identity, []).append(each)
            self.said += messages(case, each, traceparent)
            self.told += telling.told(case, each, playbook)

    def fail(self, customer: UUID, failure: Failure, playbook: Playbook, traceparent: str | None, by: str = SYSTEM) -> UUID | None:
        """Let a failure join the customer's case in work, or open one; returns the case that has it now, None where one had it."""
        told = failing.fail(self.of_customer(customer), customer, failure, playbook, by)
        for identity, news in told:
            self.happen(identity, news, traceparent)
        return told[-1][0] if told else None

    @property
    def changes(self) -> list[Change]:
        """The cases with what happened to them."""
        return [Change(self.stored[identity], happened) for identity, happened in self.done.items()]


async def save(tx: Transaction, progress: Progress, desk: Desk) -> list[Sent]:
    """Write what happened on the desk, what is said of it, and who is told; returns the outbox rows in order."""
    sent = await store.save(tx, progress, desk.changes, desk.said)
    await deliveries.queue(tx, progress.partition, desk.told, [each for each in desk.said if each.topic == FACTS])
    return sent
