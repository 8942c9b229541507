"""`kind: Source`: a company system and how often it is heard from, as its document says it."""

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from services.chassis.documents import Document, Fields, one_of
from services.promises.blindness import Source
from services.promises.calendars import Calendar
from services.promises.calendars.durations import Duration, Timekeeping
from services.promises.language.values import duration_of, is_something

_LONGEST: Final = 512


def read_source(document: Document, calendars: Mapping[str, Calendar | None]) -> Source | None:
    """Return the source, None where something is wrong; a heartbeat in working time needs one of these calendars."""
    metadata, spec = document.metadata, document.spec
    found_before = len(spec.findings.found)
    for key in ("owner", "labels"):
        metadata.get(key)
    metadata.done()
    name, calendar = _name(spec), spec.text("calendar")
    heartbeat = _heartbeat(spec, calendar, calendars)
    types = _types(spec)
    trusted = spec.get("trusted")
    if trusted is not None and not isinstance(trusted.content, bool):
        spec.findings.add(trusted, "`trusted` is true where the source may say who is whom (docs/identity.md), else false")
    if "heartbeat" not in spec and (trusted is None or trusted.content is False or calendar is not None):
        spec.findings.add(spec.value, "a source says its `heartbeat`, how long it may be silent, or at least that it is `trusted: true`")
    spec.done()
    if name is None or len(spec.findings.found) > found_before:
        return None
    return Source(name, heartbeat, types, calendar)


def _name(spec: Fields) -> str | None:
    name = spec.text("source", required=True)
    if name is not None and (len(name) > _LONGEST or "\0" in name):
        spec.findings.add(spec.known["source"], f"`source` is what its events carry: at most {_LONGEST} characters, and no NUL")
    return name


def _heartbeat(spec: Fields, calendar: str | None, calendars: Mapping[str, Calendar | None]) -> Duration | None:
    value = spec.get("heartbeat")
    if calendar is not None and calendar not in calendars:
        right = one_of(calendar, calendars) if calendars else "publish it first, or add `kind: Calendar` to these files"
        spec.findings.add(spec.known["calendar"], f"there is no calendar `{calendar}`; {right}")
        return None
    if calendar is not None and calendars[calendar] is None:
        return None  # what is wrong with it is said where it stands
    time = Timekeeping(ZoneInfo("UTC")) if calendar is None else Timekeeping(None, calendars[calendar])
    if calendar is not None and time.of_customer:
        spec.findings.add(spec.known["calendar"], f"`{calendar}` follows each customer's zone, and a source has none")
        return None
    heartbeat = None if value is None else duration_of(value, time, spec.findings)
    if value is not None and heartbeat is not None and not is_something(heartbeat):
        spec.findings.add(value, "`heartbeat` is how long it may be silent, and that is longer than nothing")
    return heartbeat


def _types(spec: Fields) -> tuple[str, ...]:
    value = spec.get("types")
    found = value.content if value is not None and isinstance(value.content, list) else []
    if value is not None and not (found and all(isinstance(each.content, str) and each.content for each in found)):
        spec.findings.add(value, "`types` is a list of event types, as in `[order.placed, order.*]`; left out, it may emit any")
    return tuple(str(each.content) for each in found)
