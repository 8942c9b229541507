"""Principles, the organisation's True North: what their documents say, and which promises serve which. Pure.

A promise serves a principle that it calls by its name or by its statement; a principle is served by what serves those under it, too.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

from services.chassis import documents
from services.chassis.documents import Document, Fields, Findings, ProblemsFoundError, Value, one_of

KIND: Final = "Principle"
Sort = Literal["mission", "vision", "value", "belief"]
SORTS: Final[tuple[Sort, ...]] = ("mission", "vision", "value", "belief")
LINKED: Final = ("policy", "standard", "guideline")
_NAME: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
LONGEST_NAME: Final = 200


class Linked(NamedTuple):
    """A policy, standard or guideline that says in detail what a principle asks for."""

    sort: str
    title: str
    reference: str
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Principle:
    """One principle as its document says it."""

    name: str
    statement: str
    sort: Sort = "value"
    instead_of: str | None = None
    """Of a belief that is to change: what is believed today."""
    under: str | None = None
    """The principle that it serves itself."""
    owner: str | None = None
    linked: tuple[Linked, ...] = ()


class Serving(NamedTuple):
    """A promise as principles see it: its name, and what it calls the principle that it serves."""

    promise: str
    principle: str | None


def read(text: str, name: str, known: Mapping[str, str | None]) -> Principle:
    """Read one document, which may stand under a known principle; raises `ProblemsFoundError` with every finding."""
    findings = Findings(name)
    found = [(each.spec, _principle(each)) for each in documents.documents(text, findings, (KIND,))]
    for spec, principle in found:
        _look_up(spec, principle, {**known, principle.name: principle.under})
    findings.raise_if_any()
    return found[0][1]


def check(found: Iterable[tuple[str, Value]], known: Mapping[str, str | None]) -> Iterator[documents.Finding]:
    """Find what is wrong inside principles of some files, whose outer form is right, and which may stand under each other."""
    opened = []
    for file, root in found:
        findings = Findings(file)
        metadata, spec = (Fields(root.content[each], f"`{each}`", findings) for each in ("metadata", "spec"))
        opened.append((spec, _principle(Document(KIND, metadata.text("name") or "", root, metadata, spec))))
    above = {**known, **{each.name: each.under for _, each in opened}}
    for spec, principle in opened:
        _look_up(spec, principle, above)
        yield from spec.findings.found


def _principle(document: Document) -> Principle:
    metadata, spec = document.metadata, document.spec
    if document.name and not (_NAME.fullmatch(document.name) and len(document.name) <= LONGEST_NAME):
        message = f"`{document.name}` is not a name; it has letters and digits with single dashes between, at most {LONGEST_NAME}"
        metadata.findings.add(metadata.known["name"], message)
    metadata.get("name")
    metadata.get("labels")
    owner, statement = metadata.text("owner"), spec.text("statement", required=True)
    metadata.done()
    sort = spec.choice("sort", SORTS, "value")
    instead_of, under = spec.text("instead_of"), spec.text("under")
    if sort == "belief" and "instead_of" not in spec:
        spec.findings.add(spec.at("sort"), "a belief is one to change; say under `instead_of` what is believed today")
    if sort != "belief" and instead_of is not None:
        spec.findings.add(spec.at("instead_of"), "only a belief stands instead of another; say `sort: belief`, or leave it out")
    linked = tuple(_linked(Fields(each, "an entry of `documents`", spec.findings)) for each in spec.items("documents"))
    spec.done()
    return Principle(document.name, statement or "", sort, instead_of, under, owner, linked)  # type: ignore[arg-type]  # one of SORTS


def _linked(fields: Fields) -> Linked:
    fields.get("sort", required=True)
    sort = fields.choice("sort", LINKED)
    title, reference, since = fields.text("title", required=True), fields.text("reference", required=True), fields.text("since")
    if since is not None and not _is_day(since):
        fields.findings.add(fields.known["since"], f"`{since}` is not a day; say it as `2026-01-01`")
    fields.done()
    return Linked(sort or "", title or "", reference or "", since)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _look_up(spec: Fields, principle: Principle, above: Mapping[str, str | None]) -> None:
    """Find a principle that stands under one that is not there, or under itself."""
    name, under = principle.name, principle.under
    if under is None:
        return
    if under not in above:
        others = [each for each in above if each != name]
        spec.findings.add(
            spec.known["under"], f"there is no principle `{under}`; {one_of(under, others) if others else 'publish it first'}"
        )
    elif name in line_of(under, above):
        spec.findings.add(spec.known["under"], f"`{under}` stands under `{name}` itself; one of them is to stand under another")


def line_of(name: str, above: Mapping[str, str | None]) -> list[str]:
    """A principle and those that it stands under, the nearest first; one that comes round to itself ends there."""
    found: list[str] = []
    step: str | None = name
    while step is not None and step not in found:
        found.append(step)
        step = above.get(step)
    return found


def name_of(called: str | None, principles: Iterable[Principle]) -> str | None:
    """The principle that is called so, by its name or its statement; None where there is none."""
    return next((each.name for each in principles if called is not None and called in {each.name, each.statement}), None)


def served(principles: Sequence[Principle], servings: Iterable[Serving]) -> dict[str, list[str]]:
    """By principle, the promises that serve it: those that name it, and those that serve what stands under it."""
    above = {each.name: each.under for each in principles}
    found: dict[str, list[str]] = {each.name: [] for each in principles}
    for serving in servings:
        named = name_of(serving.principle, principles)
        for each in [] if named is None else line_of(named, above):
            if each in found:
                found[each].append(serving.promise)
    return found


def serving_none(principles: Collection[Principle], servings: Iterable[Serving]) -> list[Serving]:
    """The promises that serve no principle, or one that is not declared."""
    return [each for each in servings if name_of(each.principle, principles) is None]


__all__ = ["KIND", "Linked", "Principle", "ProblemsFoundError", "Serving", "check", "read", "served", "serving_none"]
