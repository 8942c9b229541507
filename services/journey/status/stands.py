"""What a customer is told of what was promised to them: in the words it was published in, and nothing else of ours. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.journey.timeline.ahead import Standing

MOST_DECIDED: Final = 20
"""Decided promises shown; all that is open is."""


class Stand(StrEnum):
    """Where a promise stands, as a customer reads it."""

    OPEN = "open"
    CHECKING = "checking"
    KEPT = "kept"
    BROKEN = "broken"
    EXCUSED = "excused"
    ENDED = "ended"


_STANDS: Final = {
    "on_track": Stand.OPEN, "at_risk": Stand.OPEN, "paused": Stand.OPEN, "held": Stand.CHECKING, "kept": Stand.KEPT,
    "broken": Stand.BROKEN, "excused": Stand.EXCUSED, "withdrawn": Stand.ENDED,
}  # fmt: skip


Words = Mapping[str, str]
"""What was pledged to the customer, by the pledge: what its commitment correlates by."""


class Promised(NamedTuple):
    """One promise to a customer; times are in their zone. `due` is the next date of an open one, `settled` when one was decided."""

    statement: str
    """In the words it was published in; a pledge made to this customer, in those it was made in."""
    stand: Stand
    since: datetime
    due: datetime | None
    settled: datetime | None
    times: int = 1
    """How often: of what is open and has no date, all that reads alike is told once, since the first."""


def is_theirs(standing: Standing) -> bool:
    """Whether it was promised to the customer, in words that they know."""
    return standing.audience == "customer" and bool(standing.statement)


def promised(standings: Iterable[Standing], words: Words, zone: ZoneInfo) -> list[Promised]:
    """What is open, the earliest due first, then what is decided, the latest first."""
    theirs = [each for each in standings if is_theirs(each)]
    still = sorted((each for each in theirs if each.is_open), key=lambda each: (each.due is None, each.due or each.said, each.commitment))
    done = sorted((each for each in theirs if not each.is_open), key=lambda each: (each.said, each.commitment), reverse=True)
    told = [_told(each, words, zone) for each in still]
    return [*(each for each in told if each.due is not None), *_alike(each for each in told if each.due is None),
            *(_told(each, words, zone) for each in done[:MOST_DECIDED])]  # fmt: skip


def _alike(undated: Iterable[Promised]) -> Iterable[Promised]:
    """What can be kept only as long as it is not broken was often promised many times."""
    found: dict[tuple[str, Stand], Promised] = {}
    for each in undated:
        known = found.get(each[:2])
        found[each[:2]] = each if known is None else known._replace(since=min(known.since, each.since), times=known.times + 1)
    return found.values()


def _told(standing: Standing, words: Words, zone: ZoneInfo) -> Promised:
    due = standing.due if standing.is_open else None
    return Promised(
        statement=words.get(str(standing.correlation)) or standing.statement or "",
        stand=_STANDS[standing.judgement],
        since=standing.trigger_time.astimezone(zone),
        due=None if due is None else due.astimezone(zone),
        settled=None if standing.is_open else standing.said.astimezone(zone),
    )


def zone_named(*names: str | None) -> ZoneInfo:
    """The first of these zones that there is; else UTC."""
    for name in names:
        if name and (found := find_zone(name)):
            return found
    return ZoneInfo("UTC")


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
