"""Reads `kind: Playbook`: how we make good. Every complaint has its line and column.

The same reader serves `makegood lint`, `makegood publish` and the API. What it returns is a pure value.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from services.chassis import documents
from services.chassis.documents import Document, Fields, Findings, ProblemsFoundError, Value
from services.chassis.entries import entries, name_of, owner_of, span, texts
from services.recovery.domain.case import Severity
from services.recovery.domain.playbook import Plan, Playbook, Rung, plain

KIND: Final = "Playbook"
_SEVERITIES: Final = tuple(each.value for each in Severity)


def read(text: str, name: str, otherwise: Playbook) -> Playbook:
    """Read one document; what it leaves out is as in `otherwise`. Raises `ProblemsFoundError` with every finding."""
    findings = Findings(name)
    found = [_playbook(each, otherwise) for each in documents.documents(text, findings, (KIND,))]
    if not findings.found and len(found) != 1:
        findings.add(Value(None, 1, 1), f"there are {len(found)} documents here; a playbook is published by itself")
    findings.raise_if_any()
    return found[0]


def check(kind: str, root: Value, findings: Findings) -> None:
    """Find what is wrong inside a playbook whose outer form is right; documents of other kinds are passed over."""
    if kind == KIND and isinstance(root.content, dict):
        metadata, spec = (Fields(root.content[each], f"`{each}`", findings) for each in ("metadata", "spec"))
        _playbook(Document(kind, metadata.text("name") or "", root, metadata, spec), plain("", frozenset()))


def _playbook(document: Document, otherwise: Playbook) -> Playbook:
    owner_of(document)
    spec = document.spec
    for each in ("title", "cost"):  # the title is for readers, the cost for backtests
        spec.get(each)
    tasks = entries(spec, "tasks", _plan)
    _look_back(spec, tasks)
    found = Playbook(
        name=document.name,
        version=0,
        confirmed_by=spec.text("confirmed_by") or otherwise.confirmed_by,
        restored_by=frozenset(texts(spec, "restored_by")) or otherwise.restored_by,
        severity=Severity(spec.choice("severity", _SEVERITIES, otherwise.severity.value) or otherwise.severity),
        tasks=tuple(tasks),
        ladder=tuple(_rung(Fields(each, "an entry of `ladder`", spec.findings)) for each in spec.items("ladder")),
    )
    spec.done()
    return found


def _plan(fields: Fields) -> Plan:
    name = name_of(fields)
    what, within = fields.text("what", required=True), span(fields, "within")
    if "within" not in fields:
        fields.findings.add(fields.value, f"the task {name} needs `within`: by when it is done, as in `4 hours`")
    after, assignee = texts(fields, "after"), fields.text("assignee")
    return Plan(name, what or "", within or timedelta(0), after, assignee)


def _look_back(spec: Fields, tasks: Sequence[Plan]) -> None:
    """A task waits for tasks above it alone: so none can wait for itself."""
    above: list[str] = []
    for place, planned in zip(spec.items("tasks"), tasks, strict=True):
        for each in planned.after:
            if each not in above:
                waits = f"`{planned.name}` waits for `{each}`, which is no task above it"
                spec.findings.add(place, f"{waits}; {documents.one_of(each, above)}" if above else waits)
        above.append(planned.name)


def _rung(fields: Fields) -> Rung:
    promise = fields.text("promise", required=True)
    tell, raises = texts(fields, "tell"), fields.read("raises", bool, default=True)
    fields.done()
    return Rung(promise or "", tell, raises)


__all__ = ["KIND", "ProblemsFoundError", "check", "read"]
