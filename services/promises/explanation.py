"""Accounts for one commitment: what was owed, each piece of evidence, what was said when, and what would have kept it."""

from collections.abc import Sequence
from typing import Any

import orjson

from services.chassis.instants import text_of
from services.promises.catalogue import Published
from services.promises.domain import Role, State
from services.promises.store import marks_from_json
from services.promises.store.tables import EvidenceRow
from services.promises.strands import Commitment

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
}


def explain(published: Published, commitment: Commitment, evidence: Sequence[EvidenceRow], said: Sequence[bytes]) -> dict[str, Any]:
    """The account of one commitment; times are UTC text."""
    compiled = published.by_id[commitment.promise]
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
        "in_words": REASONS.get(commitment.reason, commitment.reason),
        "due": text_of(commitment.due) if commitment.due else None,
        "may_be_said_at": text_of(commitment.sayable) if commitment.sayable and not decided else None,
        "decided_by": str(commitment.decided_by) if commitment.decided_by else None,
        "evidence": [line for row in evidence for line in _evidence(commitment, row)],
        "said": [_said(orjson.loads(body)) for body in said],
    }


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
