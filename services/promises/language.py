"""Reads the promise language: documents in, declarations out, and every complaint with its line and column."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.chassis import documents
from services.chassis.documents import Fields, Findings, ProblemsFoundError, Value
from services.promises import durations, patterns
from services.promises.declarations import Document, EventType, Identifier, Objective, Promise

KINDS: Final = (
    "Promise",
    "EventType",
    "Calendar",
    "Feed",
    "Playbook",
    "Source",
    "JourneyMap",
    "Principle",
)
SEVERITIES: Final = ("low", "medium", "high", "critical")
DIMENSIONS: Final = ("quality", "quantity", "timeliness", "cost")
COMPONENTS: Final = ("product", "procedures", "facilities", "systems", "information", "people")
_NAME: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


def read(text: str, name: str) -> list[Document]:
    """Read the documents of one file; raises `ProblemsFoundError` with every finding, not only the first."""
    findings = Findings(name)
    found = documents.documents(text, findings, KINDS)
    read_ones = [_document(each, findings) for each in found]
    _complain_of_namesakes(found, findings)
    findings.raise_if_any()
    return read_ones


def _document(document: documents.Document, findings: Findings) -> Document:
    _check_name(document, findings)
    declaring = _DECLARING.get(document.kind)
    declares = declaring(document) if declaring is not None else None
    return Document(document.kind, document.name, document.root.plain(), document.root.line, declares)


def _check_name(document: documents.Document, findings: Findings) -> None:
    wanted = _NAME.fullmatch(document.name) or document.kind != "Promise" or not document.name
    if not wanted:
        at = document.metadata.known["name"]
        findings.add(at, f"`{document.name}` is not a name; it has letters and digits with single dashes between")


def _complain_of_namesakes(found: list[documents.Document], findings: Findings) -> None:
    seen: dict[tuple[str, str], int] = {}
    for each in found:
        at = each.metadata.known.get("name")
        if at is None or not each.name:
            continue
        before = seen.setdefault((each.kind, each.name), at.line)
        if before != at.line:
            findings.add(at, f"there is a {each.kind} named `{each.name}` on line {before} already; give it its own")


def _promise(document: documents.Document) -> Promise | None:
    metadata, spec = document.metadata, document.spec
    owner = metadata.text("owner", required=True)
    _labels(metadata)
    statement = spec.text("statement", required=True)
    audience = spec.choice("audience", ("customer", "internal"), "customer")
    zone = _zone(spec)
    effective_from = _effective_from(metadata, zone)
    _about(spec)
    judged = patterns.judged(spec, zone)
    objective = _objective(spec, zone)
    severity, playbook = _recovery(spec)
    metadata.done()
    spec.done()
    if judged is None or spec.findings.found:
        return None
    return Promise(
        document.name,
        owner or "",
        statement or "",
        audience or "customer",
        judged.terms,
        judged.matches,
        correlate=judged.correlate,
        by=judged.by,
        segment=judged.segment,
        must=judged.must,
        effective_from=effective_from,
        severity=severity,
        playbook=playbook,
        objective=objective,
    )


def _labels(metadata: Fields) -> None:
    labels = metadata.section("labels")
    for each in labels.known.values() if labels is not None else ():
        if isinstance(each.content, dict | list):
            metadata.findings.add(each, "a label is a plain value")


def _about(spec: Fields) -> None:
    """Check what informs people and judges nothing."""
    spec.choice("encounter", ("first", "second", "third"))
    spec.choice("dimension", DIMENSIONS)
    spec.choice("component", COMPONENTS)
    spec.text("principle")
    for each in spec.items("supports"):
        if not isinstance(each.content, str):
            spec.findings.add(each, "`supports` is a list of names of promises")
    for each in spec.items("published"):
        where = Fields(each, "an entry of `published`", spec.findings)
        where.text("channel", required=True)
        where.text("reference")
        where.text("since")
        where.done()


def _zone(spec: Fields) -> ZoneInfo:
    if spec.get("calendar") is not None:
        spec.findings.add(spec.at("calendar"), "`calendar` is not supported yet; give a `zone` instead")
    name = spec.text("zone")
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        spec.findings.add(spec.known["zone"], f"`{name}` is not a zone; say it as in `Europe/Madrid`")
        return ZoneInfo("UTC")


def _effective_from(metadata: Fields, zone: ZoneInfo) -> datetime | None:
    text = metadata.text("effective_from")
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-01"):
            return durations.instant(datetime.combine(date.fromisoformat(text), time()), zone)
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - has no offset either
    if found.tzinfo is None:
        right = "say it as `2026-01-01` or `2026-01-01T00:00:00Z`"
        metadata.findings.add(metadata.known["effective_from"], f"`{text}` is not a time with an offset; {right}")
        return None
    return found.astimezone(UTC)


def _objective(spec: Fields, zone: ZoneInfo) -> Objective | None:
    fields = spec.section("objective")
    if fields is None:
        return None
    kept, window = fields.get("kept", required=True), fields.get("window")
    share = None if kept is None else _percentage(kept, fields.findings)
    if window is not None:
        patterns.duration_of(window, zone, fields.findings)
    fields.done()
    return None if share is None else Objective(share, None if window is None else str(window.content))


def _percentage(value: Value, findings: Findings) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value.content))
    share = float(found[1]) / 100 if found is not None else -1.0
    if not 0 <= share <= 1:
        findings.add(value, f"`{value.content}` is not a share; say it as `99%`")
        return None
    return share


def _recovery(spec: Fields) -> tuple[str | None, str | None]:
    fields = spec.section("recovery")
    if fields is None:
        return None, None
    severity, playbook = fields.choice("severity", SEVERITIES), fields.text("playbook")
    fields.done()
    return severity, playbook


def _event_type(document: documents.Document) -> EventType | None:
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
    personal = [patterns.path_of(each, spec.findings) for each in spec.items("personal")]
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
        path = None if at is None else patterns.path_of(at, spec.findings)
        if path is not None:
            found.append(Identifier(name, path, of == "person"))
    return tuple(found)


_DECLARING: Final[dict[str, Callable[[documents.Document], Promise | EventType | None]]] = {
    "Promise": _promise,
    "EventType": _event_type,
}

__all__ = ["KINDS", "Document", "ProblemsFoundError", "read"]
