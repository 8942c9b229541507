"""Reads what documents of every kind share: who answers for them, entries with names, texts, elapsed times; what is wrong is a finding."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from services.chassis.documents import Document, Fields

_NAME: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_SPAN: Final = re.compile(r"(\d{1,6}) (second|minute|hour|day|week)s?")
_LONGEST: Final = timedelta(days=36_500)
_MOST_CHARACTERS: Final = 100
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
T = TypeVar("T")


def _check_name(fields: Fields, name: str) -> None:
    if len(name) > _MOST_CHARACTERS or _NAME.fullmatch(name) is None:
        right = f"it has letters and digits with single dashes between, at most {_MOST_CHARACTERS}"
        fields.findings.add(fields.known["name"], f"`{name}` is not a name; {right}")


def owner_of(document: Document) -> str | None:
    """Return who answers for a document, None where it does not say; its name is checked beside."""
    metadata = document.metadata
    if document.name:
        _check_name(metadata, document.name)
    owner = metadata.text("owner")
    metadata.get("name")
    metadata.get("labels")
    metadata.done()
    return owner


def entries(spec: Fields, key: str, read_one: Callable[[Fields], T], *, required: bool = False) -> list[T]:
    """The entries of a list of mappings that have names of their own."""
    if required:
        spec.get(key, required=True)
    found, seen = [], dict[str, int]()
    for each in spec.items(key):
        fields = Fields(each, f"an entry of `{key}`", spec.findings)
        entry = read_one(fields)
        fields.done()
        name = fields.known.get("name")
        if name is not None and isinstance(name.content, str) and seen.setdefault(name.content, name.line) != name.line:
            spec.findings.add(name, f"`{name.content}` stands in `{key}` on line {seen[name.content]} already; give it its own name")
        found.append(entry)
    return found


def name_of(fields: Fields) -> str:
    """Return the name of an entry, empty where it is wrong."""
    name = fields.text("name", required=True)
    if name is not None:
        _check_name(fields, name)
    return name or ""


def texts(fields: Fields, key: str) -> tuple[str, ...]:
    """Return a list of texts; a single one stands for a list of one."""
    found = list(fields.items(key))
    for each in found:
        if not isinstance(each.content, str) or not each.content:
            fields.findings.add(each, f"`{key}` is a list of texts")
    return tuple(str(each.content) for each in found)


def span(fields: Fields, key: str) -> timedelta | None:
    """Return an elapsed time such as `30 days`, None where it is left out or wrong."""
    text = fields.text(key)
    found = None if text is None else _SPAN.fullmatch(text)
    if text is not None and (found is None or int(found[1]) == 0):
        fields.findings.add(fields.known[key], f"`{text}` is not a time; say it as `36 hours`, `30 days` or `8 weeks`")
        return None
    time = None if found is None else timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    if time is not None and time > _LONGEST:
        fields.findings.add(fields.known[key], f"`{text}` is longer than {_LONGEST.days} days")
        return None
    return time
