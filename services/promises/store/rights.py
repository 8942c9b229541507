"""What the service's role may do with the tables of schema `promises`.

Verdicts and second verdicts are added, never edited. Erasing a customer rewrites what is personal in them; of the outbox, which is
the history of verdicts, a trigger lets it do so only while somebody of that partition is being erased (migration 0003).
"""

from typing import Final

from services.chassis.rights import ADD, ALL, LANES, Rights, changing

RIGHTS: Final[Rights] = {
    **LANES,
    "promises": ADD,
    "calendars": ADD,
    "sources": ADD,
    "terms": changing("key", "fingerprint"),
    "evidence": changing("id", "marks"),
    "lent": ADD,
    "outbox": changing("bodies"),
    "rejudgements": changing("correlation", "trigger_id", "reason"),
    "excuse_acts": changing("content", "key", "fingerprint", "event", "acknowledged"),
    "quarantine": changing("value", "detail"),
    "erasures": changing("work", "emptied", "done_at"),
    "look_backs": ADD,
    "commitments": ALL,  # what is now, made of the history above; rebuilding makes rows anew
    "blind_spots": changing("end"),
    "payments": changing("amount"),
    "backtests": ALL,
    "rejudgement_runs": changing("state", "read", "total", "outcome", "heard_at"),
}
