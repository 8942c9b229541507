"""One commitment as its row holds it, and what is news of it where it is judged otherwise than it stands."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.promises.domain import Blind, Judgement, State

NOT_YET = datetime.min.replace(tzinfo=UTC)
"""The barrier before every lane has been heard."""


@dataclass(slots=True)
class Commitment:
    """One application of a promise to one customer and one trigger, as its row holds it."""

    id: UUID
    partition: int
    promise: int
    strand: UUID
    customer: UUID
    correlation: str
    trigger_event: UUID
    trigger_id: str
    trigger_type: str
    trigger_time: datetime
    state: str
    reason: str
    due: datetime | None
    sayable: datetime | None
    next_at: datetime | None
    wake: datetime | None
    """The barrier at which it is looked at: never after `next_at`, and left as it is where that moves to later or away."""
    settled: datetime | None
    """Event time after which no further event changes the judgement; None: any may."""
    decided_by: UUID | None
    late: bool
    standing: bool
    segment: str | None
    verdict: int
    verdict_state: str | None
    trace: str | None
    said: str = ""
    """Ordinals of the facts about it."""


class Change(NamedTuple):
    """Something that is to be said of a commitment: what kind, as of when, and what was said before."""

    kind: str
    as_of: datetime
    barrier: datetime
    was: str | None
    unread: tuple[Blind, ...] = ()
    """What was not read and bears on it."""
    backfilled: bool = False
    """What opened it is history that was brought in later."""
    moved_by: str = ""
    """Offset of the record that moved its due time; empty: it was time."""
    at_stake: str | None = None
    """What the customer stands to lose, as `2500.00 EUR`, where the promise says how to read it."""


CORRECTED: Final = "corrected"
MOVED: Final = "moved"
"""Said beside the verdicts, of which it is none: only the row's due time follows from it, and that is judged anew with the rest."""


_FAILINGS: Final = (State.BROKEN, State.EXCUSED)
"""What must be taken back at once where it no longer stands; what was kept waits for the verdict that takes its place."""


def news_of(commitment: Commitment, judgement: Judgement, as_of: datetime) -> str | None:
    """Return what is to be said where a row as it stands is judged so; None: nothing that was not said."""
    state, said = judgement.state, commitment.verdict_state
    if state.decided:
        return None if said == state else str(state) if said is None else CORRECTED
    if said in _FAILINGS and _stays_open(judgement, as_of):
        return CORRECTED
    if state is State.AT_RISK and (commitment.state, commitment.reason) != (State.AT_RISK, judgement.reason):
        return "at_risk"
    return "held" if state is State.HELD and commitment.state != State.HELD else None


def moves(commitment: Commitment, judgement: Judgement, as_of: datetime) -> bool:
    """Return whether what is still owed is due at another time than was last said; not where the verdict comes in a moment."""
    due = judgement.due
    if due is commitment.due or due == commitment.due or judgement.state.decided or commitment.verdict_state is not None:
        return False
    return _stays_open(judgement, as_of)


def stand(commitment: Commitment, judgement: Judgement) -> None:
    """Make a row say what is judged of it."""
    commitment.state, commitment.reason = str(judgement.state), judgement.reason
    commitment.due, commitment.sayable = judgement.due, judgement.sayable
    commitment.settled, commitment.next_at = judgement.settled, judgement.next_at
    commitment.decided_by, commitment.late = judgement.decided_by, judgement.late
    commitment.standing = judgement.standing


def _stays_open(judgement: Judgement, as_of: datetime) -> bool:
    """Whether it stays open for a while; a failure that the barrier entitles to in a moment is only waiting for it."""
    return judgement.state is not State.HELD and (judgement.sayable is None or judgement.sayable > as_of)
