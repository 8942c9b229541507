"""Reads the documents that journey's picture of customers goes by; every complaint has its line and column.

The same reader serves `makegood lint`, `makegood publish` and the API. What it returns is pure values.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from services.chassis import documents
from services.chassis.documents import Document, Fields, Findings, ProblemsFoundError, Value
from services.chassis.entries import entries, name_of, owner_of, span, texts
from services.journey.documents.relationship import read_relationship
from services.journey.documents.values import matches
from services.journey.picture.rules import Rules
from services.journey.picture.stages import PHASES, JourneyMap, Moment, Stage

Declared = JourneyMap | Rules


def check(kind: str, root: Value, findings: Findings) -> None:
    """Find what is wrong inside a document whose outer form is right; kinds of others are passed over."""
    if kind in _READERS and isinstance(root.content, dict):
        metadata, spec = (Fields(root.content[each], f"`{each}`", findings) for each in ("metadata", "spec"))
        _READERS[kind](Document(kind, metadata.text("name") or "", root, metadata, spec))


def read(text: str, name: str, kinds: Collection[str]) -> list[Declared]:
    """Read the documents of a text, which are of these kinds; raises `ProblemsFoundError` with every finding."""
    findings = Findings(name)
    found = [_READERS[each.kind](each) for each in documents.documents(text, findings, kinds)]
    findings.raise_if_any()
    return found


def _journey_map(document: Document) -> JourneyMap:
    owner = owner_of(document)
    spec = document.spec
    title, completes = spec.text("title"), matches(spec, "completes")
    stages = entries(spec, "stages", _stage, required=True)
    moments = entries(spec, "moments", _moment)
    if not stages and "stages" in spec and not spec.findings.found:
        spec.findings.add(spec.at("stages"), "a journey has at least one stage")
    spec.done()
    return JourneyMap(document.name, tuple(stages), tuple(moments), completes, owner, title)


def _stage(fields: Fields) -> Stage:
    name = name_of(fields)
    phase = fields.choice("phase", PHASES)
    if phase is None and "phase" not in fields:
        fields.findings.add(fields.value, f"{fields.name} needs `phase`: before, sale or after")
    touchpoints = matches(fields, "touchpoints", required=True)
    title, silence, promises = fields.text("title"), span(fields, "silence"), texts(fields, "promises")
    return Stage(name, phase or "before", touchpoints, title, silence, promises)  # type: ignore[arg-type]  # one of PHASES


def _moment(fields: Fields) -> Moment:
    name, at = name_of(fields), matches(fields, "at", required=True)
    first = fields.read("first", bool, default=False)
    return Moment(name, at, fields.text("title"), texts(fields, "promises"), first)


_READERS: Final[Mapping[str, Callable[[Document], Declared]]] = {"JourneyMap": _journey_map, "Relationship": read_relationship}
KINDS: Final[Sequence[str]] = tuple(_READERS)

__all__ = ["KINDS", "Declared", "ProblemsFoundError", "check", "read"]
