"""How each column of schema `journey` stands to persons; erasing follows from it (see `services.chassis.personal`)."""

from collections.abc import Mapping
from typing import Final

from services.chassis.personal import DECLARED, KEY, LANES, NUMBER, STAFF, TIME, WORD, Emptied, Held, Kept, Rewritten

_POSITION: Final = {"topic": WORD, "partition": NUMBER, "position": NUMBER}
_PUBLISHED: Final = {"version": NUMBER, "document": DECLARED, "published_at": TIME, "published_by": STAFF}
_DIGEST: Final = Kept("a digest, by which a late repeat is known for one and brings nothing back")

TABLES: Final[Mapping[str, Held]] = {
    **LANES,
    "journal": Held(
        {
            "lane": WORD, "ordinal": NUMBER, "partition": NUMBER, "incarnation": NUMBER, "seq": NUMBER, "customer": KEY, "event": _DIGEST,
            "time": TIME, "arrival": TIME, "copied": WORD, "body": Rewritten("store.erasure.empty_journal"),
        }
    ),
    "seen": Held({"day": TIME, "event": _DIGEST, "digest": _DIGEST}),
    "quarantine": Held(
        {
            "lane": WORD, "position": NUMBER, "ordinal": NUMBER, "reason": WORD, "arrival": TIME, "held": KEY,
            **dict.fromkeys(("detail", "place", "source", "key", "value", "headers"), Rewritten("store.erasure.empty_quarantine")),
        }
    ),
    "quarantine_acts": Held(
        {
            "lane": WORD, "position": NUMBER, "act": WORD, "by": STAFF, "at": TIME,
            **dict.fromkeys(("reason", "event", "answer"), Rewritten("store.erasure.empty_quarantine")),
        }
    ),
    "customers": Held({"key": KEY, "provisional": WORD, "joined": KEY, "person": KEY, "since": TIME}),
    "identifiers": Held({"identifier": Rewritten("store.identity.erase"), "customer": KEY, "person": WORD}),
    "conflicts": Held({"event": _DIGEST, "customer": KEY, "other": KEY, "arrival": TIME, "decided": WORD}),
    "holdings": Held({"thing": KEY, "customer": Emptied(), "since": TIME}, of="customer", gone=True),
    "statements": Held(
        {
            "number": NUMBER, "one": KEY, "other": KEY, "same": WORD, "kind": WORD, "event": _DIGEST, "time": TIME, "arrival": TIME,
            "source": DECLARED, "said": Rewritten("store.identity.empty_lent"),
        }
    ),
    "identity_epoch": Held({"only": WORD, "epoch": NUMBER}),
    "event_types": Held({"type": DECLARED, **_PUBLISHED}),
    "backfills": Held({"id": KEY, "source": DECLARED, "reason": STAFF, "by": STAFF, "asked_at": TIME, "ended_at": TIME}),
    "backfilled": Held({"lane": WORD, "backfill": KEY, "customer": KEY, "since": TIME}),
    "sources": Held({"source": DECLARED, **_PUBLISHED}),
    "principles": Held({"name": DECLARED, "version": NUMBER, "document": DECLARED, "published_at": TIME, "published_by": STAFF}),
    "promise_documents": Held({"name": DECLARED, "version": NUMBER, "document": DECLARED, "retired_from": TIME}),
    "feeds": Held({"feed": DECLARED, **_PUBLISHED}),
    "feed_standings": Held({"feed": DECLARED, "caught_up": TIME, "trouble": WORD}),
    "indicator_groups": Held({"id": NUMBER, "kind": WORD, "named": Rewritten("measuring.forget")}),
    "indicator_counts": Held({"grp": NUMBER, "quarter": TIME, "what": WORD, "number": NUMBER}),
    "indicator_commitments": Held(
        {
            "commitment": KEY, "customer": KEY, "verdict": NUMBER, "warned": WORD, "at": TIME, "grp": NUMBER, "quarter": TIME,
            "state": WORD, "priced": _DIGEST,
        }
    ),
    "indicator_prices": Held({"key": _DIGEST, "time": TIME, "event": _DIGEST, "cost": Kept("an amount")}),
    "indicator_contacts": Held(
        {
            "customer": KEY, "contact": _DIGEST, "channel": Rewritten("measuring.forget"), "begun": TIME, "greeted": TIME,
            "attended": TIME, "ended": TIME, "first": NUMBER, "under": KEY,
        }
    ),
    "attributes": Held(
        {"customer": KEY, "name": Emptied(), "value": Emptied(), "time": TIME, "event": _DIGEST}, of="customer", gone=True
    ),
    "packs": Held({**_POSITION, "bodies": Rewritten("store.erasure.rewrite_packs")}),
    "facts": Held({"customer": KEY, "time": TIME, **_POSITION, "place": NUMBER, "number": NUMBER, "said": WORD}),
    "status_links": Held(
        {
            "id": NUMBER, "customer": KEY, "zone": Emptied(), "made_by": STAFF, "made_at": TIME, "expires": TIME, "revoked_by": STAFF,
            "revoked_at": TIME,
        },
        of="customer", gone=True,
    ),
    "projections": Held({"name": WORD, "pointers": NUMBER}),
    "picture_documents": Held(
        {"kind": WORD, "name": DECLARED, "version": NUMBER, "document": DECLARED, "published_at": TIME, "published_by": STAFF}
    ),
    "picture_dirty": Held({"customer": KEY, "number": NUMBER}),
    "pictures": Held({"customer": KEY, "again": TIME, "tally": Rewritten("picture.forget")}),
    "picture_items": Held(
        {"customer": KEY, "list": WORD, "event": _DIGEST, "topic": Emptied(), "time": TIME, "owner": STAFF, "further": Emptied()},
        of="customer", gone=True,
    ),
    "tallies": Held({"name": Rewritten("picture.forget"), "value": NUMBER}),
    "erasures": Held(
        {
            "customer": KEY, "person": KEY, "reason": WORD, "by": STAFF, "at": TIME, "asked_at": TIME,
            "work": Rewritten("store.erasure.finish"), "emptied": NUMBER, "done_at": TIME, "promises_at": TIME, "recovery_at": TIME,
        }
    ),
    "erased": Held({"identifier": Kept("of an identifier, with a key of 256 random bits"), "customer": KEY}),
    "erasure_key": Held({"only": WORD, "key": Kept("random")}),
}  # fmt: skip
