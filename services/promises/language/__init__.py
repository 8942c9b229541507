"""Reads the promise language: documents in, declarations out, and every complaint with its line and column."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from services.chassis import documents
from services.chassis.documents import Fields, Finding, Findings, ProblemsFoundError, Value, one_of
from services.promises.calendars import Calendar, durations, read_calendar
from services.promises.calendars.clocks import UnknownZoneError, zone_named
from services.promises.calendars.durations import Duration, Timekeeping
from services.promises.language.declarations import (
    CURRENCY,
    AtStake,
    Declared,
    Document,
    EventType,
    Identifier,
    Objective,
    Promise,
    Published,
)
from services.promises.language.modifiers import read_judged
from services.promises.language.sources import read_source
from services.promises.language.values import Context, duration_of, path_of

KINDS: Final = (
    "Promise",
    "EventType",
    "Calendar",
    "Feed",
    "Playbook",
    "Source",
    "JourneyMap",
    "Relationship",
    "Principle",
)
SEVERITIES: Final = ("low", "medium", "high", "critical")
DIMENSIONS: Final = ("quality", "quantity", "timeliness", "cost")
COMPONENTS: Final = ("product", "procedures", "facilities", "systems", "information", "people")
_NAME: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Known:
    """What promises may refer to beside what stands in their own file: calendars by name, event types by type."""

    calendars: Mapping[str, Calendar | None] = field(default_factory=dict)
    """None for one in whose own document something is wrong."""
    event_types: Mapping[str, EventType] = field(default_factory=dict)


class File(NamedTuple):
    """One file of documents: `folder` is what the files that it names are relative to, None where there are none."""

    name: str
    text: str
    folder: Path | None = None


def read(text: str, name: str, known: Known | None = None) -> list[Document]:
    """Read the documents of one text; raises `ProblemsFoundError` with every finding, not only the first."""
    return read_files([File(name, text)], known)[name]


def read_files(files: list[File], known: Known | None = None) -> dict[str, list[Document]]:
    """Read files that may refer to each other, by their names; raises `ProblemsFoundError` with the findings of all of them."""
    known = known or Known()
    opened = [_Opened(each) for each in files]
    calendars = dict(known.calendars) | {name: each for file in opened for name, each in file.calendars().items()}
    types = dict(known.event_types) | {each.type: each for file in opened for each in file.event_types()}
    around = Known(calendars, types)
    found = {each.file.name: each.declared(around) for each in opened}
    findings = [finding for each in opened for finding in each.findings.found] + _namesakes(opened)
    if findings:
        raise ProblemsFoundError(findings)
    return found


class _Opened:
    """One file whose documents are right on the outside; what others refer to is read first."""

    def __init__(self, file: File) -> None:
        self.file, self.findings = file, Findings(file.name)
        self.found = documents.documents(file.text, self.findings, KINDS)
        self.lines = tuple(file.text.splitlines())
        self._declared: dict[int, Declared | None] = {}

    def calendars(self) -> dict[str, Calendar | None]:
        """Return its calendars by name, None for one that is wrong."""
        found = {}
        for each in self._of("Calendar"):
            calendar = read_calendar(each, self.file.folder)
            self._declared[id(each)] = found[each.name] = calendar
        return found

    def event_types(self) -> list[EventType]:
        """Return its event types."""
        found = []
        for each in self._of("EventType"):
            type_ = _event_type(each)
            self._declared[id(each)] = type_
            found.append(type_)
        return found

    def declared(self, known: Known) -> list[Document]:
        """Return all of its documents."""
        for each in self._of("Promise"):
            self._declared[id(each)] = _promise(each, known, self.lines)
        for each in self._of("Source"):
            self._declared[id(each)] = read_source(each, known.calendars)
        for each in self.found:
            _check_name(each, self.findings)
        said = self._declared
        return [Document(each.kind, each.name, each.root.plain(), each.root.line, said.get(id(each)), each.root) for each in self.found]

    def _of(self, kind: str) -> list[documents.Document]:
        return [each for each in self.found if each.kind == kind]


def _check_name(document: documents.Document, findings: Findings) -> None:
    wanted = _NAME.fullmatch(document.name) or document.kind != "Promise" or not document.name
    if not wanted:
        at = document.metadata.known["name"]
        findings.add(at, f"`{document.name}` is not a name; it has letters and digits with single dashes between")


def _namesakes(files: list[_Opened]) -> list[Finding]:
    seen: dict[tuple[str, str], tuple[str, int]] = {}
    findings = []
    for opened, each in [(file, document) for file in files for document in file.found]:
        at = each.metadata.known.get("name")
        if at is None or not each.name:
            continue
        name = opened.file.name
        here = (name, at.line)
        before, line = seen.setdefault((each.kind, each.name), here)
        if (before, line) != here:
            place = f"on line {line}" if before == name else f"in {before}, line {line},"
            message = f"there is a {each.kind} named `{each.name}` {place} already; give it its own"
            findings.append(Finding(name, at.line, at.column, message))
    return findings


def _promise(document: documents.Document, known: Known, lines: tuple[str, ...]) -> Promise | None:
    metadata, spec = document.metadata, document.spec
    found_before = len(spec.findings.found)
    owner = metadata.text("owner", required=True)
    labels = _labels(metadata)
    statement = spec.text("statement", required=True)
    audience = spec.choice("audience", ("customer", "internal"), "customer")
    calendar, time_ = _timekeeping(spec, known)
    effective_from = _effective_from(metadata, time_)
    encounter = spec.choice("encounter", ("first", "second", "third"))
    dimension, component = spec.choice("dimension", DIMENSIONS), spec.choice("component", COMPONENTS)
    principle, supports, published = spec.text("principle"), _supports(spec), _published(spec)
    judged = read_judged(spec, Context(time_, known.event_types, lines))
    objective = _objective(spec, time_)
    severity, playbook, at_stake = _recovery(spec)
    metadata.done()
    spec.done()
    if judged is None or len(spec.findings.found) > found_before:
        return None
    return Promise(
        document.name,
        owner or "",
        statement or "",
        judged,
        audience or "customer",
        labels=labels,
        published=published,
        encounter=encounter,
        dimension=dimension,
        component=component,
        principle=principle,
        supports=supports,
        calendar=calendar,
        effective_from=effective_from,
        severity=severity,
        playbook=playbook,
        at_stake=at_stake,
        objective=objective,
    )


def _labels(metadata: Fields) -> dict[str, Any]:
    labels = metadata.section("labels")
    for each in labels.known.values() if labels is not None else ():
        if isinstance(each.content, dict | list):
            metadata.findings.add(each, "a label is a plain value")
    return {} if labels is None else {name: each.content for name, each in labels.known.items()}


def _supports(spec: Fields) -> tuple[str, ...]:
    found = list(spec.items("supports"))
    for each in found:
        if not isinstance(each.content, str):
            spec.findings.add(each, "`supports` is a list of names of promises")
    return tuple(str(each.content) for each in found)


def _published(spec: Fields) -> tuple[Published, ...]:
    found = []
    for each in spec.items("published"):
        where = Fields(each, "an entry of `published`", spec.findings)
        channel, reference, since = where.text("channel", required=True), where.text("reference"), where.text("since")
        if since is not None and _day(since) is None:
            spec.findings.add(where.known["since"], f"`{since}` is not a day; say it as `2026-01-01`")
        where.done()
        found.append(Published(channel or "", reference, since))
    return tuple(found)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-01") else None
    except ValueError:
        return None


def _timekeeping(spec: Fields, known: Known) -> tuple[str | None, Timekeeping]:
    name, zone = spec.text("calendar"), spec.text("zone")
    if name is not None and zone is not None:
        spec.findings.add(spec.at("zone"), "`calendar` has a zone already; leave `zone` out")
    if name is not None and name not in known.calendars:
        right = one_of(name, known.calendars) if known.calendars else "add `kind: Calendar` to these files"
        spec.findings.add(spec.known["calendar"], f"there is no calendar `{name}`; {right}")
    if name is not None:
        calendar = known.calendars.get(name)
        return name, _Unknown() if calendar is None else Timekeeping(None, calendar)
    if zone == "customer":
        return None, Timekeeping(None)
    try:
        return None, Timekeeping(_UTC if zone is None else zone_named(zone))
    except UnknownZoneError as error:
        spec.findings.add(spec.known["zone"], str(error))
        return None, Timekeeping(_UTC)


class _Unknown(Timekeeping):
    """The time of a calendar that is missing or wrong: that is one finding, and not one more for each duration."""

    def duration(self, text: str, zone: str | None = None, *, closing: bool = False) -> Duration:  # noqa: ARG002
        """Return some duration, where the text is one."""
        durations.read(text)
        return durations.Elapsed(timedelta(hours=1))


def _effective_from(metadata: Fields, time_: Timekeeping) -> datetime | None:
    text = metadata.text("effective_from")
    if text is None:
        return None
    day = _day(text)
    try:
        if day is not None:
            return durations.instant(datetime.combine(day, time()), time_.zone_of(None))
        found = datetime.fromisoformat(text)
    except UnknownZoneError:
        metadata.findings.add(metadata.known["effective_from"], "in the customer's zone a day begins at many instants; say which one")
        return None
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - has no offset either
    if found.tzinfo is None:
        right = "say it as `2026-01-01` or `2026-01-01T00:00:00Z`"
        metadata.findings.add(metadata.known["effective_from"], f"`{text}` is not a time with an offset; {right}")
        return None
    return found.astimezone(UTC)


def _objective(spec: Fields, time_: Timekeeping) -> Objective | None:
    fields = spec.section("objective")
    if fields is None:
        return None
    kept, window = fields.get("kept", required=True), fields.get("window")
    share = None if kept is None else _percentage(kept, fields.findings)
    if window is not None:
        duration_of(window, time_, fields.findings)
    fields.done()
    return None if share is None else Objective(share, None if window is None else str(window.content))


def _percentage(value: Value, findings: Findings) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value.content))
    share = float(found[1]) / 100 if found is not None else -1.0
    if not 0 <= share <= 1:
        findings.add(value, f"`{value.content}` is not a share; say it as `99%`")
        return None
    return share


def _recovery(spec: Fields) -> tuple[str | None, str | None, AtStake | None]:
    fields = spec.section("recovery")
    if fields is None:
        return None, None, None
    severity, playbook, at_stake = fields.choice("severity", SEVERITIES), fields.text("playbook"), _at_stake(fields)
    fields.done()
    return severity, playbook, at_stake


def _at_stake(recovery: Fields) -> AtStake | None:
    fields = recovery.section("at_stake")
    if fields is None:
        return None
    amount, currency = fields.get("amount", required=True), fields.text("currency", required=True)
    path = None if amount is None else path_of(amount, fields.findings)
    code = currency is None or CURRENCY.fullmatch(currency) is not None
    fields.done()
    named = currency if code else path_of(fields.known["currency"], fields.findings)
    return None if path is None or named is None else AtStake(path, named)


def _event_type(document: documents.Document) -> EventType:
    spec = document.spec
    for key in ("owner", "labels"):
        document.metadata.get(key)
    document.metadata.done()
    type_ = spec.text("type", required=True)
    if type_ is not None and "*" in type_:
        spec.findings.add(spec.known["type"], "an EventType describes one type; `*` stands only in matches")
    schema = spec.get("schema")
    if schema is not None and not isinstance(schema.content, dict):
        spec.findings.add(schema, "`schema` must be a JSON Schema of `data`")
    personal = [path_of(each, spec.findings) for each in spec.items("personal")]
    about = spec.choice("about", ("many", "one"), "one")
    identifiers = _identifiers(spec)
    spec.text("description")
    spec.done()
    return EventType(
        type_ or "",
        identifiers,
        tuple(each for each in personal if each is not None),
        about_many=about == "many",
        schema=None if schema is None else schema.plain(),
    )


def _identifiers(spec: Fields) -> tuple[Identifier, ...]:
    section = spec.section("identifiers")
    found = []
    for name, value in section.known.items() if section is not None else ():
        if ":" in name or not name:
            spec.findings.add(value, f"`{name}` cannot name an identifier: it would read as `{name}:...`")
        fields = Fields(value, f"the identifier `{name}`", spec.findings)
        at, of = fields.get("path", required=True), fields.choice("of", ("person", "thing"))
        if of is None and "of" not in fields:
            spec.findings.add(value, f"the identifier `{name}` needs `of: person` or `of: thing`")
        fields.done()
        path = None if at is None else path_of(at, spec.findings)
        if path is not None:
            found.append(Identifier(name, path, of == "person"))
    return tuple(found)


__all__ = ["KINDS", "Document", "File", "Known", "ProblemsFoundError", "read", "read_files"]
