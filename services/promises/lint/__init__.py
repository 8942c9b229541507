"""What a careful reader would say of promises before anybody publishes them: documents in, findings out.

What the language forbids never gets here; these are opinions on what it allows. Each says what would be right.
"""

from collections.abc import Sequence
from datetime import datetime

from services.chassis.documents import Finding
from services.promises.lint import alone, together
from services.promises.lint.drafts import Remark, draft
from services.promises.lint.seen import Seen
from services.promises.lint.together import Place


def opinions(documents: Sequence[Place], now: datetime, seen: Seen | None = None) -> list[Finding]:
    """Return what is to be said of documents that are right by themselves, in the order of their places.

    `seen` is the history that they are held against; calendars are about to end after its end, without one after `now`.
    """
    drafts = [found for file, each in documents if (found := draft(file, each)) is not None]
    rules = (alone.remarks,) if seen is None else (alone.remarks, seen.remarks)
    remarks = [Remark(each.file, *said) for each in drafts for rule in rules for said in rule(each)]
    remarks += together.remarks(drafts, documents, now, seen)
    return sorted({Finding(each.file, each.at.line, each.at.column, each.message) for each in remarks})


__all__ = ["Seen", "opinions"]
