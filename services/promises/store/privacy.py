"""How each column of schema `promises` stands to persons; erasing follows from it (see `services.chassis.personal`)."""

from collections.abc import Mapping
from typing import Final

from services.chassis.personal import DECLARED, KEY, LANES, NUMBER, STAFF, TIME, WORD, Emptied, Held, Kept, Rewritten

_COMMITMENT: Final = Rewritten("store.erasure.empty_commitments")
_EVIDENCE: Final = Rewritten("store.erasure.empty_evidence")
_EXCUSE: Final = Rewritten("store.erasure.empty_excuses")
_BESIDE: Final = Emptied("''")
_RUN: Final = {
    "id": KEY, "state": WORD, "asked_at": TIME, "asked_by": STAFF, "heard_at": TIME, "about": DECLARED, "request": DECLARED, "read": NUMBER,
    "total": NUMBER, "outcome": Kept("counts by verdict"), "key": STAFF, "fingerprint": Kept("a digest"),
}  # fmt: skip

TABLES: Final[Mapping[str, Held]] = {
    **LANES,
    "promises": Held(
        {
            "id": NUMBER, "name": DECLARED, "version": NUMBER, "effective_from": TIME, "published_at": TIME, "published_by": STAFF,
            "document": DECLARED, "calendar": NUMBER,
        }
    ),
    "calendars": Held(
        {
            "id": NUMBER, "name": DECLARED, "version": NUMBER, "effective_from": TIME, "published_at": TIME, "published_by": STAFF,
            "document": DECLARED,
        }
    ),
    "sources": Held(
        {"id": NUMBER, "source": DECLARED, "version": NUMBER, "published_at": TIME, "published_by": STAFF, "document": DECLARED}
    ),
    "terms": Held(
        {
            "id": NUMBER, "promise": DECLARED, "customer": KEY, "within": Kept("a duration"), "valid_from": TIME, "valid_until": TIME,
            "published_at": TIME, "published_by": STAFF, "key": Emptied("'erased ' || id"), "fingerprint": Emptied("''"),
        },
        of="customer",
    ),
    "excuse_acts": Held(
        {
            "commitment": KEY, "number": NUMBER, "kind": WORD, "by": STAFF, "at": TIME, "acknowledged": WORD,
            **dict.fromkeys(("content", "key", "fingerprint", "event"), _EXCUSE),
        }
    ),
    "backtests": Held({**_RUN, "outcome": Rewritten("store.erasure.empty_backtests")}),
    "rejudgement_runs": Held(_RUN),
    "rejudgements": Held(
        {
            "run": KEY, "commitment": KEY, "customer": KEY, "correlation": Emptied("'null'"), "trigger_event": KEY, "trigger_id": _BESIDE,
            "trigger_time": TIME, "first": WORD, "changed": WORD, "judgement": WORD, "due": TIME, "late": WORD,
            "reason": Emptied("split_part(reason, ':', 1)"), "decided_by": KEY, "as_of": TIME,
        },
        of="customer",
    ),
    "look_backs": Held({"id": NUMBER, "promise": NUMBER, "partition": NUMBER}),
    "payments": Held({"partition": NUMBER, "promise": DECLARED, "currency": DECLARED, "amount": NUMBER}),
    "lent": Held({"strand": KEY, "event": KEY, "number": NUMBER, "retracted": WORD}),
    "evidence": Held({"strand": KEY, "event": KEY, "time": TIME, "arrival": TIME, "id": _EVIDENCE, "type": DECLARED, "marks": _EVIDENCE}),
    "commitments": Held(
        {
            **dict.fromkeys(("correlation", "trigger_id", "reason", "segment", "trace"), _COMMITMENT),
            **dict.fromkeys(("id", "strand", "customer", "trigger_event", "decided_by"), KEY),
            **dict.fromkeys(("trigger_time", "due", "sayable", "next_at", "wake", "settled"), TIME),
            **dict.fromkeys(("partition", "promise", "verdict", "said"), NUMBER),
            **dict.fromkeys(("state", "late", "standing", "verdict_state", "held"), WORD), "trigger_type": DECLARED,
        }
    ),
    "outbox": Held(
        {"partition": NUMBER, "last": NUMBER, "first": NUMBER, "incarnation": NUMBER, "bodies": Rewritten("store.erasure.rewrite_packs")}
    ),
    "blind_spots": Held(
        {"partition": NUMBER, "subject": KEY, "record": NUMBER, "start": TIME, "end": TIME, "why": Kept("a place and a reason of ours")}
    ),
    "quarantine": Held(
        {
            "partition": NUMBER, "position": NUMBER, "promise": NUMBER, "reason": WORD,
            **dict.fromkeys(("detail", "value"), Rewritten("store.erasure.empty_quarantine")),
        }
    ),
    "erasures": Held({"customer": KEY, "partition": NUMBER, "at": TIME, "work": NUMBER, "emptied": NUMBER, "done_at": TIME}),
}  # fmt: skip
