"""What the service's role may do with the tables of schema `journey`.

Events and facts are added, never edited; erasing a customer, and taking back what was lent, empties their bodies. What has had its
time is taken away by the owner (`retain`).
"""

from typing import Final

from services.chassis.rights import ADD, ALL, CHANGE, LANES, READ, Rights, changing

RIGHTS: Final[Rights] = {
    **LANES,
    "journal": changing("body"),
    "seen": ADD,
    "packs": changing("bodies"),
    "facts": ADD,
    "statements": changing("said"),
    "conflicts": changing("decided"),
    "quarantine": changing("source", "place", "detail", "key", "value", "headers"),
    "quarantine_acts": changing("event", "reason", "answer"),
    "erasures": changing("work", "emptied", "done_at", "promises_at", "recovery_at"),
    "erasure_key": READ,
    "erased": ADD,
    **dict.fromkeys(("event_types", "sources", "feeds", "principles", "picture_documents"), ADD),
    "promise_documents": changing("retired_from"),
    "feed_standings": changing("caught_up", "trouble"),
    "backfills": changing("ended_at"),
    "backfilled": (*ADD, "DELETE"),
    "identity_epoch": (*READ, "UPDATE"),
    "identifiers": ALL,
    "customers": CHANGE,
    "attributes": ALL,
    "holdings": ALL,
    "status_links": ALL,
    # What is now, made of the history above.
    "projections": changing("pointers"),
    **dict.fromkeys(("indicator_commitments", "indicator_contacts", "indicator_prices"), CHANGE),
    "indicator_counts": ALL,
    "indicator_groups": (*ADD, "DELETE"),
    **dict.fromkeys(("pictures", "tallies"), ALL),
    **dict.fromkeys(("picture_dirty", "picture_items"), (*ADD, "DELETE")),
}
