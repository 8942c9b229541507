"""Reads `kind: Calendar`: when a company is open, as a value that durations can count by.

Without `valid` a calendar holds from 1970 to 2049. What a deadline rests on is named by `versions`: the digest of the document, an
iCalendar text included, and the versions of the holiday and time zone data of this installation.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from zoneinfo import TZPATH, ZoneInfo

from services.chassis.documents import Document, Fields, Findings, Value
from services.promises.calendars import days_off, ics
from services.promises.calendars.clocks import UnknownZoneError, zone_named
from services.promises.calendars.days_off import Closure, Country, DaysOff
from services.promises.calendars.durations import Versions
from services.promises.calendars.ics import BadEntriesError
from services.promises.calendars.week import read_week
from services.promises.calendars.working_time import Rules, WorkingTime

FIRST, LAST = date(1970, 1, 1), date(2049, 12, 31)
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
MOST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar as its document says it; `zone` is None where it is each customer's own."""

    zone: ZoneInfo | None
    versions: Versions
    rules: Rules
    days_off: DaysOff
    _built: dict[str, WorkingTime] = field(default_factory=dict, compare=False, repr=False)

    def working_time(self, zone: ZoneInfo) -> WorkingTime:
        """Return its working time in a zone, the same object each time."""
        found = self._built.get(zone.key)
        if found is None:
            found = self._built[zone.key] = WorkingTime(self.rules, zone)
        return found

    def published(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Return its document with all that stands outside of it written in: the iCalendar text and the country's holidays.

        So what was published is judged by the same days after an upgrade of the holiday data; the digest stays that of `raw`.
        """
        spec = dict(raw["spec"])
        if self.days_off.ics_text is not None:
            spec.pop("ics", None)
            spec["ics_text"] = self.days_off.ics_text
        if self.days_off.country is not None:
            years = range(self.rules.first.year, self.rules.last.year + 1)
            days = {day.isoformat(): name for year in years for day, name in self.days_off.of_country(year).items()}
            spec["holidays"] = spec["holidays"] | {"days": days, "version": self.versions.holidays}
        return raw | {"spec": spec}


def read_calendar(document: Document, folder: Path | None = None) -> Calendar | None:
    """Return what a document declares, None where it cannot be read; `folder` is what its `ics` is relative to, if anything is."""
    metadata, spec = document.metadata, document.spec
    found_before = len(spec.findings.found)
    for key in ("owner", "labels", "description"):
        metadata.get(key)
    metadata.done()
    zone = _zone(spec)
    week = read_week(spec)
    valid = _valid(spec)
    off, holidays_version = _days_off(spec, folder)
    spec.done()
    if len(spec.findings.found) > found_before:
        return None
    versions = Versions(document.name, _digest(spec.value.plain(), off), holidays_version, zones_version())
    rules = Rules(document.name, f"{versions.version} {holidays_version}", week, *valid, off)
    return Calendar(zone, versions, rules, off)


def _digest(spec: dict[str, Any], off: DaysOff) -> str:
    kept = {key: each for key, each in spec.items() if key not in ("ics", "ics_text")} | {"ics_text": off.ics_text}
    kept["holidays"] = {key: each for key, each in (spec.get("holidays") or {}).items() if key not in ("days", "version")}
    return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def zones_version() -> str:
    """Return the version of the time zone data in use: this machine's own, where it has any, goes before the package's."""
    for folder in map(Path, TZPATH):
        if (folder / "tzdata.zi").is_file():
            with (folder / "tzdata.zi").open(encoding="utf-8") as file:
                return file.readline().removeprefix("# version ").strip()
        if folder.is_dir():
            return f"of {folder}"
    return version("tzdata")


def _zone(spec: Fields) -> ZoneInfo | None:
    name = spec.text("zone", required=True)
    if name is None or name == "customer":
        return None
    try:
        return zone_named(name)
    except UnknownZoneError as error:
        spec.findings.add(spec.known["zone"], f"{error} (`customer` takes each customer's own)")
        return None


def _valid(spec: Fields) -> tuple[date, date]:
    fields = spec.section("valid")
    if fields is None:
        return FIRST, LAST
    first, last = _date(fields, "from") or FIRST, _date(fields, "until") or LAST
    fields.done()
    if last < first:
        fields.findings.add(fields.at("until"), f"`valid` ends before it begins, on {first}")
    for key, each in (("from", first), ("until", last)):
        if not EARLIEST <= each <= LATEST:
            fields.findings.add(fields.at(key), f"a calendar is valid between {EARLIEST} and {LATEST} at most")
    return first, last


def _days_off(spec: Fields, folder: Path | None) -> tuple[DaysOff, str | None]:
    """Return the exceptions, and the version of the holiday data where they rest on any."""
    found = (_closure(each, spec.findings) for each in spec.items("closures"))
    off = DaysOff(closed=tuple(each for each in found if each is not None), ics_text=_ics_text(spec, folder))
    fields = spec.section("holidays")
    if fields is None:
        return off, None
    add, remove = (frozenset(_dates(fields, key)) for key in ("add", "remove"))
    country = _country(fields)
    written, known = fields.section("days"), None
    if written is not None:
        days = {key: _as_date(Value(key, value.line, value.column), fields.findings) for key, value in written.known.items()}
        known = tuple((day, str(written.known[key].content)) for key, day in days.items() if day is not None)
    version_ = fields.text("version", required=written is not None)
    fields.done()
    if country is not None:
        version_ = version_ or days_off.holidays_version()
    return replace(off, country=country, known=known, add=add, remove=remove), version_


def _country(fields: Fields) -> Country | None:
    code, subdivision = _text_or_nothing(fields, "country"), _text_or_nothing(fields, "subdivision")
    if code is None:
        if subdivision is not None:
            fields.findings.add(fields.at("subdivision"), "`subdivision` needs its `country`")
        return None
    if why := days_off.wrong_country(code):
        fields.findings.add(fields.known["country"], f"`{code}` is not a country whose holidays are known; {why}")
        return None
    country = Country(code, subdivision)
    if subdivision is not None and (why := days_off.wrong_subdivision(country)):
        fields.findings.add(fields.known["subdivision"], f"`{subdivision}` is not a part of {code} with holidays of its own; {why}")
        return None
    return country


def _text_or_nothing(fields: Fields, key: str) -> str | None:
    """Read a text that may be written as `~` where there is none."""
    found = fields.get(key)
    return None if found is None or found.content is None else fields.text(key)


def _closure(value: Value, findings: Findings) -> Closure | None:
    fields = Fields(value, "an entry of `closures`", findings)
    start, end = (_clock(fields, key) for key in ("from", "until"))
    name = fields.text("reason")
    fields.done()
    if start is None or end is None:
        return None
    if end <= start:
        findings.add(fields.at("until"), "this closure ends before it begins")
    return Closure(start, end, name or "")


def _clock(fields: Fields, key: str) -> datetime | None:
    text = fields.text(key, required=True)
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        found = None
    if text is not None and (found is None or found.tzinfo is not None):
        right = "say it by the clock there, without an offset, as `2026-12-24T12:00`"
        fields.findings.add(fields.known[key], f"`{text}` is not a local time; {right}")
        return None
    return found


def _date(fields: Fields, key: str) -> date | None:
    found = fields.get(key)
    return None if found is None else _as_date(found, fields.findings)


def _dates(fields: Fields, key: str) -> list[date]:
    found = (_as_date(each, fields.findings) for each in fields.items(key))
    return [each for each in found if each is not None]


def _as_date(value: Value, findings: Findings) -> date | None:
    try:
        if isinstance(value.content, str) and len(value.content) == len("2026-01-01"):
            return date.fromisoformat(value.content)
    except ValueError:
        pass
    findings.add(value, f"`{value.content}` is not a day; say it as `2026-03-19`")
    return None


def _ics_text(spec: Fields, folder: Path | None) -> str | None:
    name, text = _text_or_nothing(spec, "ics"), _text_or_nothing(spec, "ics_text")
    if name is not None and text is not None:
        spec.findings.add(spec.at("ics_text"), "`ics` names a file and `ics_text` is one; leave one of them out")
    try:
        text = _file(folder, name) if name is not None else text
        if text is not None:
            ics.check(text)
    except BadEntriesError as error:
        key = "ics" if name is not None else "ics_text"
        spec.findings.add(spec.known[key], f"`{name or key}` cannot be used: {error}")
        return None
    return text


def _file(folder: Path | None, name: str) -> str:
    if folder is None:
        raise BadEntriesError("there are no files here; `makegood publish` sends the text itself, as `ics_text`")
    try:
        content = (folder / name).read_bytes()
        if len(content) <= MOST_BYTES:
            return content.decode()
    except OSError as error:
        raise BadEntriesError(f"{folder / name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadEntriesError("it is not UTF-8 text") from error
    raise BadEntriesError(f"it is larger than {MOST_BYTES} bytes")
