"""Reading makegood.promises: which of its facts concern a case, told cheaply, since most do not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from services.recovery.domain.case import Severity
from services.recovery.domain.money import Money, money_of

_TYPE: Final = b'"type":"makegood.commitment.'
_ALWAYS: Final = (b'broken"', b'corrected"')
_DECIDED: Final = (b'kept"', b'excused"', b'withdrawn"')
_AT_RISK: Final = b'at_risk"'
_COMMITMENT: Final = b'"commitment":"'
_PLAYBOOK: Final = b'"playbook":"'
AT_RISK: Final = "at_risk"
_SECOND: Final = b'rejudged"'
"""A second verdict, under another version of the promise; the first one stands."""
_TO_BE_MADE_GOOD: Final = b'"open_cases":true'
_TRIGGERED_BY_US: Final = b'"recovery.'
PROGRESS: Final = b'"makegood.promises.progress"'
_ERASED: Final = b'"type":"makegood.promises.erased"'


@dataclass(frozen=True, slots=True)
class Fact:
    """One verdict of the promises service. `about` are the ids in it that may name a pledge or a case of ours."""

    customer: UUID
    commitment: UUID
    promise: str
    to_customer: bool
    about: tuple[UUID, ...]
    judgement: str
    was: str | None
    severity: Severity | None
    """None where the promise says none: its playbook does, or it is medium."""
    said_at: datetime
    """The barrier, or the arrival of the event that decided it at once."""
    traceparent: str | None = None
    playbook: str | None = None
    component: str | None = None
    segment: str | None = None
    """What performance is counted by: the place, the source, whatever its promise names."""
    at_stake: Money | None = None
    """What the customer stands to lose, where the promise says how to read it."""
    backfilled: bool = False
    """It is of history that was brought in later: nobody is to be made whole for it."""

    @property
    def is_first_verdict(self) -> bool:
        """Whether it calls broken what was nothing yet."""
        return self.judgement == "broken" and self.was is None

    @property
    def takes_back(self) -> bool:
        """Whether it says that what was called broken was not."""
        return self.was == "broken" and self.judgement != "broken"


class Risks(Protocol):
    """What is known of commitments that are made good before they break."""

    @property
    def known(self) -> Collection[UUID]: ...  # noqa: D102
    def asked(self, playbook: str) -> bool: ...  # noqa: D102


def may_concern_a_case(value: bytes, risks: Risks | None = None) -> bool:
    """False only for what surely does not: no failure, no correction, nothing that our touchpoints set off, no risk that is asked for."""
    _, written, kind = value.partition(_TYPE)
    if not written:
        return PROGRESS not in value
    if kind.startswith(_SECOND):
        return _TO_BE_MADE_GOOD in kind
    if kind.startswith(_ALWAYS):
        return True
    if kind.startswith(_DECIDED):
        return _TRIGGERED_BY_US in value or (risks is not None and _is_known(kind, risks.known))
    return risks is not None and kind.startswith(_AT_RISK) and (_TRIGGERED_BY_US in value or risks.asked(_named(kind, _PLAYBOOK)))


def _is_known(kind: bytes, known: Collection[UUID]) -> bool:
    return bool(known) and _identity(_named(kind, _COMMITMENT)) in known


def _named(kind: bytes, member: bytes) -> str:
    """The text of a member, "" where it has none."""
    return kind.partition(member)[2].partition(b'"')[0].decode()


@dataclass(frozen=True, slots=True)
class Erased:
    """Somebody is to be forgotten."""

    customer: UUID
    at: datetime


def erased(value: bytes) -> Erased | None:
    """Who is to be forgotten, where a record says so."""
    if _ERASED not in value:
        return None
    event = orjson.loads(value)
    return Erased(UUID(event["customer"]), datetime.fromisoformat(event["time"]))


def read(value: bytes) -> Fact:
    """The fact of a record; raises `KeyError`, `TypeError` or `ValueError` where it is none."""
    event: Mapping[str, Any] = orjson.loads(value)
    data = event["data"]
    return Fact(
        customer=UUID(event["customer"]),
        commitment=UUID(data["commitment"]),
        promise=data["promise"],
        to_customer=data["audience"] == "customer",
        about=_about(data.get("correlation"), data["trigger"]),
        judgement=data["judgement"],
        was=data.get("was"),
        severity=_severity(data.get("severity")),
        said_at=datetime.fromisoformat(event["time"]),
        traceparent=event.get("traceparent"),
        playbook=data.get("playbook"),
        component=data.get("component"),
        segment=data.get("segment"),
        at_stake=money_of(data.get("at_stake")),
        backfilled=data.get("backfill") is True,
    )


def _severity(value: object) -> Severity | None:
    return Severity(str(value)) if value in list(Severity) else None


def _about(correlation: object, trigger: Mapping[str, Any]) -> tuple[UUID, ...]:
    """What the commitment is correlated by, then the case whose touchpoint opened it (its id begins with the case's)."""
    candidates = [correlation]
    if str(trigger.get("type")).startswith("recovery."):
        candidates.append(str(trigger.get("id")).partition(":")[0])
    return tuple(found for each in candidates if (found := _identity(each)))


def _identity(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
