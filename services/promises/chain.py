"""Promise chains: which internal promises held the clock of one made to a customer, so that a break is traced to its link. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.chassis.instants import text_of
from services.promises.accounting import length_of
from services.promises.catalogue import Published
from services.promises.commitment import Commitment
from services.promises.compile import Compiled


class Link(NamedTuple):
    """One internal commitment, and from when to when it held the clock of another."""

    compiled: Compiled
    commitment: Commitment
    start: datetime
    end: datetime

    @property
    def over(self) -> float:
        """Seconds of it beyond its own due time."""
        due = self.commitment.due
        return 0.0 if due is None else max((self.end - max(due, self.start)).total_seconds(), 0.0)


def supporting(published: Published, promise: int) -> dict[int, Compiled]:
    """The internal promise versions that a version rests on, those that they rest on among them."""
    found: dict[int, Compiled] = {}
    names, seen = [published.by_id[promise].name], set[str]()
    while names:
        name = names.pop()
        seen.add(name)
        below = {id_: each for id_, each in published.by_id.items() if each.audience == "internal" and name in each.promise.supports}
        found |= below
        names += {each.name for each in below.values()} - seen
    return found


def links(published: Published, commitment: Commitment, others: Iterable[Commitment], until: datetime) -> list[Link]:
    """The commitments that held the clock of this one up to an instant, in the order of time; `others` are of the same customer.

    Those that tie events together by the same fields must be about the same; of others, their time tells that they belong to it.
    """
    own, found = published.by_id[commitment.promise], []
    for each in others:
        compiled = published.by_id[each.promise]
        if compiled.correlate_text == own.correlate_text and each.strand != commitment.strand:
            continue
        start, end = max(each.trigger_time, commitment.trigger_time), min(each.settled or until, until)
        if start < end:
            found.append(Link(compiled, each, start, end))
    return sorted(found, key=lambda each: (each.start, each.commitment.id))


def in_values(found: Sequence[Link]) -> list[dict[str, Any]]:
    """Links as values, times as UTC text."""
    return [
        {
            "promise": each.compiled.name,
            "version": each.compiled.version,
            "owner": each.compiled.owner,
            "commitment": str(each.commitment.id),
            "judgement": each.commitment.state,
            "due": None if each.commitment.due is None else text_of(each.commitment.due),
            "from": text_of(each.start),
            "to": text_of(each.end),
            "seconds": (each.end - each.start).total_seconds(),
            "seconds_over": each.over,
            "told": _told(each),
        }
        for each in found
    ]


def _told(link: Link) -> str:
    over = f", {length_of(link.over)} of it past its own due time" if link.over else ""
    held = length_of((link.end - link.start).total_seconds())
    return f"`{link.compiled.name}` of {link.compiled.owner} held it for {held}{over} ({link.commitment.state})"
