"""A person's excuse for a broken commitment: asked for by one, granted by another, and taken back where it was wrong. Pure.

An excuse is the fold of its acts. It reaches the engine as a touchpoint, so that a verdict changes through the log only.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from services.chassis.instants import text_of
from services.chassis.keys import event_key
from services.promises.facts import SOURCE

GRANTED: Final = "promises.excuse.granted"
TAKEN_BACK: Final = "promises.excuse.taken_back"


class Standing(enum.StrEnum):
    """Where an excuse stands."""

    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


class Act(NamedTuple):
    """One act: asking, granting, refusing, taking back."""

    number: int
    kind: Standing
    by: str
    at: datetime
    content: Mapping[str, Any]


class About(NamedTuple):
    """The commitment that an excuse is for."""

    commitment: UUID
    promise: str
    version: int
    customer: UUID
    correlation: str
    """JSON text."""
    trigger: UUID
    judgement: str
    standing: bool


class Said(NamedTuple):
    """What somebody says, and when."""

    by: str
    at: datetime
    content: Mapping[str, Any]


class NothingToExcuseError(ValueError):
    """What was kept, or is no longer owed, needs no excuse."""


class ExcuseUnderWayError(ValueError):
    """An excuse was asked for already, or granted; one at a time."""


class OwnApprovalError(ValueError):
    """Nobody approves their own excuse: name somebody else as approver."""


class NotTheApproverError(ValueError):
    """Only the approver that was named decides on this excuse."""


class NothingToDecideError(ValueError):
    """No excuse waits for a decision."""


class NothingToTakeBackError(ValueError):
    """No excuse is granted that could be taken back."""


@dataclass(frozen=True, slots=True)
class Excuse:
    """The excuses of one commitment, as far as they have come."""

    acts: tuple[Act, ...] = field(default=())

    @property
    def standing(self) -> Standing | None:
        """Where the latest one stands; None: none was ever asked for."""
        return self.acts[-1].kind if self.acts else None

    @property
    def asked(self) -> Act:
        """What was asked for last."""
        return [act for act in self.acts if act.kind is Standing.ASKED][-1]


def ask(excuse: Excuse, about: About, said: Said) -> Act:
    """Ask for an excuse; `content` has reason, text, evidence and approver."""
    if about.judgement == "withdrawn" or (about.judgement == "kept" and not about.standing):
        raise NothingToExcuseError(NothingToExcuseError.__doc__)
    if excuse.standing in {Standing.ASKED, Standing.GRANTED}:
        raise ExcuseUnderWayError(ExcuseUnderWayError.__doc__)
    if said.content["approver"] == said.by:
        raise OwnApprovalError(OwnApprovalError.__doc__)
    return _act(excuse, Standing.ASKED, said)


def decide(excuse: Excuse, said: Said, *, granted: bool) -> Act:
    """Grant or refuse what was asked for; `content` has text."""
    if excuse.standing is not Standing.ASKED:
        raise NothingToDecideError(NothingToDecideError.__doc__)
    if said.by != excuse.asked.content["approver"]:
        raise NotTheApproverError(NotTheApproverError.__doc__)
    return _act(excuse, Standing.GRANTED if granted else Standing.REFUSED, said)


def take_back(excuse: Excuse, said: Said) -> Act:
    """Take back what was granted; `content` has text."""
    if excuse.standing is not Standing.GRANTED:
        raise NothingToTakeBackError(NothingToTakeBackError.__doc__)
    return _act(excuse, Standing.TAKEN_BACK, said)


def _act(excuse: Excuse, kind: Standing, said: Said) -> Act:
    return Act(len(excuse.acts) + 1, kind, said.by, said.at, said.content)


def touchpoint(excuse: Excuse, act: Act, about: About) -> bytes | None:
    """The CloudEvent that tells the engine of an act, which the excuse does not hold yet; None: the engine need not know.

    Its id is the act's place: told again, it is the same event.
    """
    if act.kind not in {Standing.GRANTED, Standing.TAKEN_BACK}:
        return None
    granted = act.kind is Standing.GRANTED
    data: dict[str, Any] = {
        "commitment": str(about.commitment),
        "promise": about.promise,
        "version": about.version,
        "correlation": orjson.loads(about.correlation),
        "trigger": str(about.trigger),
    }
    if granted:
        asked = excuse.asked
        data |= {name: asked.content[name] for name in ("reason", "text", "evidence", "approver")}
        data |= {"about": data["trigger"], "by": asked.by}
    else:
        taken_back = _id(about, excuse.acts[-1])
        data |= {"about": str(event_key(SOURCE, taken_back)), "excuse": taken_back, "text": act.content["text"], "by": act.by}
    event = {
        "specversion": "1.0",
        "id": _id(about, act),
        "source": SOURCE,
        "type": GRANTED if granted else TAKEN_BACK,
        "subject": f"customer:{about.customer}",
        "time": text_of(act.at),
        "datacontenttype": "application/json",
        "data": data,
    }
    return orjson.dumps(event)


def _id(about: About, act: Act) -> str:
    return f"{about.commitment}:excuse:{act.number}"
