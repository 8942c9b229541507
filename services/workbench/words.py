"""What is said in pages, beside what stands in the templates: the words of the services, and the table of acts."""

from collections.abc import Iterator
from typing import Final

from services.workbench import forms, sheets
from services.workbench.reader import WORKING

CODES: Final = (
    "open", "owned", "remedied", "confirmed", "watching", "restored", "not_restored", "unknown", "withdrawn", "declined", "merged",
    "low", "medium", "high", "critical", "done", "kept", "broken", "granted", "refused", "draft", "waiting", "sent", "failed",
    "discarded", "pledge", "task", "help", "approval", "compensation", "on_track", "at_risk", "held", "paused", "excused", "heard",
    "silent", "unheard", "manifest", "inferred", "latent", "denied", "met", "staff_time", "third_party", "goodwill", "refund", "gesture",
    "prospect", "new", "established", "lost", "won_back", "purchase", "left", "mended", "feedback", "before", "sale", "after",
    "explicit", "implicit", "direct", "indirect", "answered", "ignored", "noted", "in_force", "superseded", "retired", "scheduled",
    "running", "overdue", "closed", "commitments", "standing", "late", "never",
    "dimension", "component", "promise", "team", "principle", "audience", "encounter", "segment", "day", "week", "month", "quality",
    "quantity", "timeliness", "cost", "product", "procedures", "facilities", "systems", "information", "people", "customer", "internal",
    "first", "second", "third", "none", "outward", "inward", "proven", "not_shown",
    "worse", "applied", "duplicate", "dismissed", "release", "dismiss",
)  # fmt: skip
"""The words of the services that pages show."""


def messages() -> Iterator[str]:
    """Every message that no template holds itself."""
    yield WORKING
    yield from (word for ways in forms.WAYS.values() for word in ways.values())
    yield from (code.replace("_", " ") for code in dict.fromkeys(CODES))
    asked = [(act.meaning, forms.fields_of(act.name)) for act in forms.FILLED_IN] + [(each.meaning, each.fields) for each in sheets.SHEETS]
    for meaning, fields in asked:
        yield meaning
        for field in fields:
            yield from (part.replace("_", " ") for part in (*field.name.split("."), *field.choices))
            if field.hint:
                yield field.hint
