"""Accounts for one commitment: what was owed, each piece of evidence, what was said when, and what would have kept it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from services.chassis.instants import text_of
from services.promises.accounting import clock_of, in_lines, would_have_kept
from services.promises.blindness import Spot
from services.promises.catalogue import Published
from services.promises.commitment import Commitment
from services.promises.compile import Compiled
from services.promises.domain import Blind, Evidence, Role, Stage, State, anchors, judge
from services.promises.facts import unread
from services.promises.store.marks import marks_from_json
from services.promises.store.tables import EvidenceRow

REASONS = {
    "evidence": "What was owed came in time.",
    "no-evidence-by-due": "What was owed had not come when it fell due.",
    "failure-seen": "A failure was seen before what was owed had come.",
    "cancelled": "It was called off, so nothing is owed any more.",
    "forbidden-event": "What must never happen happened.",
    "nothing-forbidden": "What must never happen did not happen.",
    "must-holds": "The event is as it must be.",
    "must-fails": "The event is not as it must be.",
    "waiting": "Nothing has decided it yet.",
    "nothing-before": "What must come before it had not come.",
    "one-too-many": "It happened more often than promised.",
    "no-evidence-in-interval": "An interval passed without what was owed in it.",
    "excused": "It was broken, and the company is not to answer for it.",
    "reset": "Its clock began anew, as another commitment.",
    "not-opened": "It was never owed: what seemed to begin it anew had nothing to begin anew.",
    "paused": "Its clock stands still.",
    "held": "Its time has come, and something that may bear on it was not read, so nothing is said yet:",
}


def explain(
    published: Published, commitment: Commitment, evidence: Sequence[EvidenceRow], said: Sequence[bytes], barrier: datetime,
    spots: Sequence[Spot] = (),
) -> dict[str, Any]:  # fmt: skip
    """The account of one commitment at a barrier; times are UTC text. `spots` are what was not read of its customer and its sources."""
    compiled = published.by_id[commitment.promise]
    hand = _in_hand(compiled, commitment, evidence)
    clock = clock_of(compiled, hand, _end(commitment, hand, barrier), {row.event: row.id for row in evidence})
    missed = unread(_bearing(commitment, evidence, spots))
    decided = State(commitment.state).decided
    return {
        "commitment": str(commitment.id),
        "statement": compiled.statement,
        "owner": compiled.owner,
        "customer": str(commitment.customer),
        "correlation": orjson.loads(commitment.correlation),
        "trigger": {
            "id": commitment.trigger_id,
            "type": commitment.trigger_type,
            "time": text_of(commitment.trigger_time),
        },
        "judgement": commitment.state,
        "reason": commitment.reason,
        "in_words": _in_words(commitment.reason, missed),
        "unread": missed,
        "due": text_of(commitment.due) if commitment.due else None,
        "may_be_said_at": text_of(commitment.sayable) if commitment.sayable and not decided else None,
        "decided_by": str(commitment.decided_by) if commitment.decided_by else None,
        "would_have_kept": would_have_kept(compiled, commitment.due),
        "clock": clock,
        "told": in_lines(clock),
        "stages": [_stage(each) for each in judge(compiled.terms, hand, barrier).stages],
        "evidence": [line for row in evidence for line in _evidence(commitment, row)],
        "said": [_said(orjson.loads(body)) for body in said],
    }


def _in_hand(compiled: Compiled, commitment: Commitment, rows: Sequence[EvidenceRow]) -> Evidence:
    """What is in hand on it, as its promise sees it; where a reset began it, the reset stands in the trigger's place."""
    marks = tuple(mark for row in rows if (mark := marks_from_json(row).get(commitment.promise)) is not None)
    opening = anchors(compiled.terms, marks) if compiled.terms.resets else marks
    own = next((each for each in opening if each.event == commitment.trigger_event), None)
    return Evidence(own or next(each for each in marks if each.event == commitment.trigger_event), marks)


def _end(commitment: Commitment, hand: Evidence, barrier: datetime) -> datetime:
    """Until when its time is accounted for: what decided it, or due, whichever is later; the barrier while it is open."""
    if not State(commitment.state).decided:
        return barrier
    decided = (each.time for each in hand.marks if each.event == commitment.decided_by)
    return max([hand.trigger.time, *decided, *([commitment.due] if commitment.due is not None and commitment.due <= barrier else [])])


def _stage(stage: Stage) -> dict[str, Any]:
    """What became of a step, or of one of several patterns."""
    due, reached = (None if each is None else text_of(each) for each in (stage.due, stage.reached))
    in_time = None if stage.reached is None or stage.due is None else stage.reached <= stage.due
    return {"name": stage.name, "due": due, "reached": reached, "in_time": in_time}


def _bearing(commitment: Commitment, evidence: Sequence[EvidenceRow], spots: Sequence[Spot]) -> list[Blind]:
    """What was not read between the arrival of the trigger and when the verdict may be said; nothing where no time is waited for."""
    arrival = next((row.arrival for row in evidence if row.event == commitment.trigger_event), commitment.trigger_time)
    return [
        Blind(each.start, each.end, each.why)
        for each in spots
        if commitment.sayable is not None and each.start <= commitment.sayable and (each.end is None or each.end >= arrival)
    ]


def _in_words(reason: str, missed: Sequence[Mapping[str, str | None]]) -> str:
    words = REASONS.get(reason, reason)
    if reason != "held":
        return words
    told = [f"{each['what']} (since {each['since']}, {'until ' + each['until'] if each['until'] else 'and still not'})" for each in missed]
    return f"{words} {'; '.join(told)}."


def _evidence(commitment: Commitment, row: EvidenceRow) -> list[dict[str, Any]]:
    mark = marks_from_json(row).get(commitment.promise)
    if mark is None:
        return []
    roles = [role.name.lower() for role in Role if role & mark.roles and role.name]
    if row.event == commitment.trigger_event:
        roles = ["trigger"]
    elif "trigger" in roles and len(roles) > 1:
        roles.remove("trigger")
    return [
        {
            "event": str(row.event),
            "id": row.id,
            "type": row.type,
            "time": text_of(row.time),
            "arrival": text_of(row.arrival),
            "is": roles,
        }
    ]


def _said(fact: dict[str, Any]) -> dict[str, Any]:
    data = fact["data"]
    return {
        "said": fact["type"].removeprefix("makegood.commitment."),
        "as_of": fact["time"],
        "barrier": data["barrier"],
        "judgement": data["judgement"],
        "verdict": data["verdict"],
        "was": data["was"],
        "reason": data["reason"],
    }
