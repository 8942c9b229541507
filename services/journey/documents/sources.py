"""Sources: company systems that say how often they are heard from. Decides what silence is, and reads no clock (DESIGN 3.7).

A heartbeat in working time is judged where calendars are, by promises; journey tells it, as every other, the last arrivals.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_WORDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) (second|minute|hour|day|week)s?")
_ISO = re.compile(r"P(?=\d|T\d)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?")
_ISO_UNITS = (604_800, 86_400, 3600, 60, 1)
_BUSINESS = re.compile(r"\d{1,6} business (minute|hour|day)s?")


class UnreadableHeartbeatError(ValueError):
    """A heartbeat is longer than nothing, as in `10 minutes` or `PT10M`; `2 business hours` needs a `calendar` beside it."""


def heartbeat_of(spec: Mapping[str, Any]) -> timedelta | None:
    """How long a source that has a heartbeat may be silent, from the `spec` of its document; None where that is working time."""
    text, calendar = spec["heartbeat"], spec.get("calendar")
    if _BUSINESS.fullmatch(text) and calendar is not None:
        return None
    found = _elapsed(text)
    if not found:
        raise UnreadableHeartbeatError(UnreadableHeartbeatError.__doc__)
    return None if calendar is not None else found


def _elapsed(text: str) -> timedelta:
    """Without a calendar the zone is UTC, where a day has 24 hours."""
    if words := _WORDS.fullmatch(text):
        return timedelta(seconds=float(words[1]) * _UNITS[words[2]])
    if iso := _ISO.fullmatch(text):
        return timedelta(seconds=sum(int(number or 0) * unit for number, unit in zip(iso.groups(), _ISO_UNITS, strict=True)))
    return timedelta(0)


def may_be_silence(heartbeat: timedelta | None, last: datetime, arrival: datetime) -> bool:
    """Whether a source that a lane did not hear between two arrivals may have been silent; of working time a minute is the least."""
    return arrival - last > (timedelta(minutes=1) if heartbeat is None else heartbeat)


def since_declared(last: Mapping[str, datetime], retired: Mapping[str, str]) -> dict[str, datetime]:
    """When each source was heard last, but for what was heard before it was retired: it is as if never heard, until it is again."""
    return {source: at for source, at in last.items() if source not in retired or at > datetime.fromisoformat(retired[source])}


class Standing(NamedTuple):
    """What was said of a source last: `last` is the last arrival known then, `since` when it fell silent or was heard again."""

    silent: bool
    since: datetime
    last: datetime


def standing_of(said: Sequence[Any]) -> Standing:
    """What was said of a source, as the herald's progress row keeps it."""
    return Standing(said[0], datetime.fromisoformat(said[1]), datetime.fromisoformat(said[2]))


def news(
    heartbeats: Mapping[str, timedelta | None], last: Mapping[str, datetime], told: Mapping[str, Standing], barrier: datetime
) -> Iterator[tuple[str, Standing]]:
    """What is new of sources at a barrier, up to which every lane was read: who fell silent, who was heard again."""
    for source, heartbeat in sorted(heartbeats.items()):
        arrival, before = last.get(source), told.get(source)
        if heartbeat is None or arrival is None:
            continue
        silent, was_silent = arrival + heartbeat < barrier, before is not None and before.silent
        moved = before is None or before.last != arrival
        if was_silent and (moved or not silent):
            yield source, Standing(silent=False, since=arrival, last=arrival)
        if silent and (moved or not was_silent):
            yield source, Standing(silent=True, since=arrival + heartbeat, last=arrival)
