"""How each column of schema `recovery` stands to persons; erasing follows from it (see `services.chassis.personal`)."""

from collections.abc import Mapping
from typing import Final

from services.chassis.personal import DECLARED, KEY, LANES, NUMBER, STAFF, TIME, WORD, Held, Kept, Rewritten

_DIGEST: Final = Kept("a digest, over digests of words and never over words")
_DELIVERY: Final = Rewritten("store.deliveries.forget")
_ANSWER: Final = Rewritten("store.erasure.rewrite_answers")
_SEEN: Final = Rewritten("store.erasure.empty_recognitions")
_MANY: Final = Rewritten("store.erasure.rewrite_said_of_others")
_SELF: Final = Kept("what one of the company says of themselves, about no customer")

TABLES: Final[Mapping[str, Held]] = {
    **LANES,
    "cases": Held(
        {
            "id": KEY, "customer": KEY, "partition": NUMBER, "state": WORD, "severity": WORD, "owner": STAFF, "ask": WORD,
            "offered_to": STAFF, "merged_into": KEY, "watchers": STAFF,
            "opened_at": TIME, "changed_at": TIME, "due": TIME, "version": NUMBER, "fold": Rewritten("store.erasure.rewrite_fold"),
            "digest": _DIGEST,
        }
    ),
    "acts": Held(
        {
            "case_id": KEY, "number": NUMBER, "kind": WORD, "by": STAFF, "at": TIME,
            "content": Kept("keys, times, words of ours"), "payload": Rewritten("store.erasure.empty_acts"),
            "payload_digest": _DIGEST, "digest": _DIGEST,
        }
    ),
    "failures": Held(
        {"commitment": KEY, "case_id": KEY, "promise": DECLARED, "severity": WORD, "broken_at": TIME, "withdrawn": WORD, "at_risk": WORD,
         "component": WORD, "segment": Rewritten("store.erasure.empty_acts")}
    ),
    "mass_failures": Held(
        {
            "id": KEY, "version": NUMBER, "state": WORD, "declared_at": TIME, "since": TIME, "until": TIME, "promises": DECLARED,
            "components": WORD, "segments": DECLARED, "fold": _MANY, "digest": _DIGEST, "fingerprint": _DIGEST,
        }
    ),
    "mass_acts": Held(
        {
            "mass_failure": KEY, "number": NUMBER, "kind": WORD, "by": STAFF, "at": TIME, "content": _MANY, "payload": _MANY,
            "payload_digest": _DIGEST, "digest": _DIGEST,
        }
    ),
    "mass_members": Held({"mass_failure": KEY, "case_id": KEY, "inside": WORD}),
    "bulk_runs": Held(
        {
            "id": KEY, "act": WORD, "needs": _MANY,
            "within": NUMBER, "made_by": KEY, "mass_failure": KEY, "subject": STAFF, "roles": WORD, "teams": STAFF, "at": TIME,
            "finished_at": TIME, "fingerprint": Kept("of what was asked to be done to many cases"),
        }
    ),
    "bulk_items": Held({"run": KEY, "case_id": KEY, "partition": NUMBER, "seen": NUMBER, "state": WORD, "reason": WORD}),
    "owed": Held({"id": KEY, "case_id": KEY, "kind": WORD, "assignee": STAFF, "due": TIME, "state": WORD, "done": TIME}),
    "people": Held(
        {
            "subject": STAFF, "version": NUMBER, "teams": STAFF, "skills": _SELF, "languages": _SELF, "serves": _SELF, "avoids": _SELF,
            "willing": WORD, "peer": STAFF, "works": TIME, "away_from": TIME, "away_until": TIME, "cover": STAFF, "lends": WORD,
        }
    ),
    "approvals": Held(
        {"id": KEY, "case_id": KEY, "asked_by": STAFF, "roles": WORD, "due": TIME, "decision": WORD}
    ),
    "ledger": Held(
        {
            "id": KEY, "case_id": KEY, "kind": WORD, "amount": NUMBER, "currency": WORD, "bearer": WORD, "borne_by": STAFF,
            "promise": DECLARED, "playbook": DECLARED, "at": TIME, "spent_at": TIME,
        }
    ),
    "causes": Held({"case_id": KEY, "component": WORD, "because": WORD, "said_at": TIME}),
    "recognitions": Held(
        {
            "id": KEY, "case_id": KEY, "customer": KEY, "person": STAFF, "what": _SEEN, "by": STAFF, "at": TIME, "fingerprint": _SEEN,
        }
    ),
    "coaching_notes": Held(
        {
            "id": KEY, "person": STAFF, "lead": STAFF, "by": STAFF, "at": TIME,
            "text": _MANY, "fingerprint": Kept("of such a note"),
        }
    ),
    "queues": Held(
        {
            "id": KEY, "version": NUMBER, "name": _MANY, "subject": STAFF, "team": STAFF, "filter": DECLARED, "created_by": STAFF,
            "created_at": TIME,
        }
    ),
    "improvements": Held(
        {
            "id": KEY, "version": NUMBER, "promise": DECLARED, "component": WORD, "because": WORD, "what": _MANY, "owner": STAFF,
            "due": TIME, "done_at": TIME, "days": NUMBER, "before_decided": NUMBER, "before_broken": NUMBER, "after_decided": NUMBER,
            "after_broken": NUMBER, "created_by": STAFF, "created_at": TIME, "fingerprint": DECLARED,
        }
    ),
    "tallies": Held({"promise": DECLARED, "day": TIME, "partition": NUMBER, "decided": NUMBER, "broken": NUMBER}),
    "playbooks": Held({"name": DECLARED, "version": NUMBER, "document": DECLARED, "published_at": TIME, "published_by": STAFF}),
    "outbox": Held(
        {
            "partition": NUMBER, "ordinal": NUMBER, "topic": WORD, "customer": KEY, "incarnation": NUMBER, "seq": NUMBER, "at": TIME,
            "body": Rewritten("store.erasure.rewrite_outbox"),
        }
    ),
    "webhooks": Held(
        {
            "id": KEY, "url": DECLARED, "types": DECLARED, "secret": DECLARED, "version": NUMBER, "created_at": TIME, "created_by": STAFF,
        }
    ),
    "deliveries": Held(
        {
            "id": KEY, "partition": NUMBER, "kind": WORD, "about": KEY, "mail": KEY, "case_id": KEY, "customer": KEY,
            "target": _DELIVERY, "subject": _DELIVERY, "body": _DELIVERY, "due": TIME, "state": WORD, "attempts": NUMBER,
            "next_at": TIME, "settled_at": TIME, "reason": WORD,
        }
    ),
    "attachment_chunks": Held(
        {"attachment": KEY, "number": NUMBER, "customer": KEY, "body": Rewritten("store.attachments.forget")}
    ),
    "erasures": Held({"customer": KEY, "at": TIME}),
    "creations": Held(
        {
            "subject": STAFF, "key": _ANSWER, "fingerprint": _ANSWER, "case_id": KEY, "version": NUMBER, "status": NUMBER, "body": _ANSWER,
            "at": TIME,
        }
    ),
}  # fmt: skip
