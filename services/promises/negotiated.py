"""Terms negotiated with one customer: their own duration in the place of the promise's, for a time. Pure.

What is negotiated later takes the place of what was negotiated before, from its own start on; its end brings nothing back.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.promises.domain import Absence, Response, Settlement
from services.promises.language.declarations import Promise
from services.promises.versions import BEGINNING, Span, Start, spans


class Row(NamedTuple):
    """One negotiation as it was published; without `within`, the end of one."""

    id: int
    promise: str
    customer: UUID
    within: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    published_at: datetime
    published_by: str


class Negotiated(NamedTuple):
    """What a customer is owed in the place of a promise's own duration, by triggers in [valid_from, valid_until)."""

    promise: str
    within: str
    valid_from: datetime
    valid_until: datetime | None


def span_of(row: Row, span: Span) -> Span:
    """When a negotiation counts, its own validity considered."""
    if row.valid_until is None or (span.end is not None and span.end <= row.valid_until):
        return span
    return Span(span.start, row.valid_until, retired=True)


def effective(rows: Sequence[Row]) -> list[tuple[Row, Span]]:
    """Return the negotiations with when each counts, given all of some customers and promises in the order of publication."""
    places: dict[tuple[str, UUID], list[Row]] = {}
    for row in rows:
        places.setdefault((row.promise, row.customer), []).append(row)
    found: dict[int, Span] = {}
    for own in places.values():
        starts = [Start(row.valid_from, retires=row.within is None) for row in own]
        found |= {row.id: span_of(row, span) for row, span in zip(own, spans(starts), strict=True)}
    return [(row, found[row.id]) for row in rows]


def by_customer(rows: Sequence[Row]) -> dict[UUID, list[Negotiated]]:
    """Return what each customer has negotiated; none of it overlaps within a promise."""
    found: dict[UUID, list[Negotiated]] = {}
    for row, span in effective(rows):
        start = span.start or BEGINNING
        if row.within is not None and (span.end is None or span.end > start):
            found.setdefault(row.customer, []).append(Negotiated(row.promise, row.within, start, span.end))
    return found


def within_at(negotiated: Iterable[Negotiated], promise: str, time: datetime) -> str | None:
    """Return what one customer has negotiated of a promise for a trigger of that event time; None: nothing."""
    for each in negotiated:
        if each.promise == promise and each.valid_from <= time and (each.valid_until is None or time < each.valid_until):
            return each.within
    return None


def negotiable(promise: Promise) -> bool:
    """Whether a promise has a duration that a customer's own could take the place of."""
    pattern = promise.terms.pattern
    return isinstance(pattern, Response | Absence | Settlement) and (pattern.within is not None or bool(promise.judged.targets))
