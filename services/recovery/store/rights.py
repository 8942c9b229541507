"""What the service's role may do with the tables of schema `recovery`.

Acts are added, never edited, and so is what was told of them. Erasing a customer empties what is personal: of an act its payload, which
the chain of hashes does not go over. What has had its time is taken away by the owner (`retain`).
"""

from typing import Final

from services.chassis.rights import ADD, ALL, CHANGE, LANES, Rights, changing

RIGHTS: Final[Rights] = {
    **LANES,
    "acts": changing("payload"),
    "mass_acts": changing("payload"),
    "outbox": changing("body"),
    "erasures": ADD,
    "playbooks": ADD,
    "coaching_notes": changing("text"),
    "recognitions": changing("what", "fingerprint"),
    "creations": changing("key", "fingerprint", "body"),
    "attachment_chunks": (*ADD, "DELETE"),
    # What is now, made of the acts above.
    **dict.fromkeys(("cases", "failures", "mass_members", "causes", "owed", "approvals", "ledger", "mass_failures", "tallies"), CHANGE),
    "bulk_runs": changing("finished_at", "needs"),
    "bulk_items": changing("state", "reason"),
    "deliveries": changing("target", "subject", "body", "state", "attempts", "next_at", "settled_at", "reason"),
    "improvements": CHANGE,
    "people": CHANGE,
    "queues": ALL,
    "webhooks": ALL,
}
