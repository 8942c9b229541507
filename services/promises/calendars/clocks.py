"""Clocks on the wall: zones by their names, and the instant at which a clock shows a time.

Every instant is an aware UTC datetime; a clock time is a naive one.
"""

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones, reset_tzpath

# The zones are those of the pinned package, not of the machine: every process counts alike, and by a version that is known.
reset_tzpath(())


class UnknownZoneError(ValueError):
    """Not a zone of the IANA data; say it as `Europe/Madrid`."""


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of this name; raises `UnknownZoneError` with what was probably meant."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        pass
    known = {each.lower(): each for each in sorted(available_timezones(), reverse=True)}  # of two names of a place the fuller one is told
    cities = {each.rpartition("/")[2]: each for each in known}
    wanted = name.lower().strip().replace(" ", "_")
    close = [cities[wanted]] if wanted in cities else get_close_matches(wanted, known, n=1)
    right = f"did you mean `{known[close[0]]}`?" if close else "say it as in `Europe/Madrid`"
    raise UnknownZoneError(f"`{name[:100]}` is not a zone; {right}")


def instant(clock: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a clock time: a skipped one is the end of the gap, of a doubled one the first."""
    found = clock.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return found if found.astimezone(zone).replace(tzinfo=None) == clock else _end_of_gap(clock, zone)


def clock_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks of a zone show at an instant."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _end_of_gap(clock: datetime, zone: ZoneInfo) -> datetime:
    # In a gap fold=0 reads the clock with the offset before it and fold=1 with the one after; the gap lies between.
    late = clock.replace(tzinfo=zone, fold=0).astimezone(UTC)
    early = clock.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = early.astimezone(zone).utcoffset()
    while late - early > timedelta(microseconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return late
