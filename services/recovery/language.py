"""Reads `kind: Playbook`: how we make good. Every complaint has its line and column.

The same reader serves `makegood lint`, `makegood publish` and the API. What it returns is a pure value.
"""

from collections.abc import Collection, Sequence
from datetime import time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.chassis import documents
from services.chassis.documents import Document, Fields, Findings, ProblemsFoundError, Value
from services.chassis.entries import entries, name_of, owner_of, span, texts
from services.recovery.domain.case import Severity
from services.recovery.domain.folding import KINDS
from services.recovery.domain.playbook import COMES_LATER, PLACEHOLDERS, Plan, Playbook, Rung, SeverityRule, Tell, Template, plain
from services.recovery.domain.severity import WHEN
from services.recovery.domain.voice import EMAIL, Hours, Restraint
from services.recovery.giving import authority, budget, money, rule

KIND: Final = "Playbook"
NEVER: Final = "never"
_LONGEST_SUBJECT: Final = 200
_OPENS: Final = ("broken", "at_risk")
"""From when on a promise opens a case."""
_OF_MONEY: Final = frozenset({"value", "cost"})
_WORST: Final = 5
_BRINGS: Final = {"owner": "`owned`", "pledge": "`pledged`", "pledge_due": "`pledged`"}
"""After which act a case has what a message may ask for."""
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
        severity_rules=tuple(entries(spec, "severity_rules", _severity_rule)),
        tasks=tuple(tasks),
        ladder=tuple(entries(spec, "ladder", _rung)),
        messages=tuple(_template(Fields(each, "an entry of `messages`", spec.findings)) for each in spec.items("messages")),
        tell=tuple(entries(spec, "tell", _tell)),
        quiet=_quiet(spec),
        restraint=_restraint(spec, otherwise.restraint),
        authority=tuple(entries(spec, "authority", authority)),
        budget=budget(spec),
        fair=money(spec, "fair"),
        compensation=tuple(entries(spec, "compensation", rule)),
        at_risk=spec.choice("opens", _OPENS, _OPENS[0]) == "at_risk",
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


def _severity_rule(fields: Fields) -> SeverityRule:
    """`at_least` is money of what is money, and a score of what is one; other rules have none."""
    fields.text("when", required=True)
    when = fields.choice("when", WHEN) or ""
    fields.text("severity", required=True)
    severity = Severity(fields.choice("severity", _SEVERITIES) or Severity.LOW)
    least = money(fields, "at_least", required=True) if when in _OF_MONEY else None
    score = fields.read("at_least", int, required=True) if when == "distress" else None
    if score is not None and not 1 <= score <= _WORST:
        fields.findings.add(fields.known["at_least"], f"distress goes from 1, calm, to {_WORST}, beside themselves")
    return SeverityRule(when, severity, least, score)


def _rung(fields: Fields) -> Rung:
    promise = fields.text("promise", required=True)
    tell, raises = texts(fields, "tell"), fields.read("raises", bool, default=True)
    return Rung(promise or "", tell, raises)


def _template(fields: Fields) -> Template:
    name, language = name_of(fields), fields.text("language", required=True)
    fields.choice("channel", (EMAIL,), EMAIL)
    subject, text = (fields.text(each, required=True) or "" for each in ("subject", "text"))
    send = fields.text("send") or NEVER
    if send != NEVER:
        _is_kind(fields, "send", send, {*KINDS, NEVER})
    found = Template(name, language or "", subject, text, None if send == NEVER else send)
    for each in sorted(found.asks - PLACEHOLDERS):
        fields.findings.add(fields.value, f"`{{{each}}}` cannot be filled from a case; {documents.one_of(each, sorted(PLACEHOLDERS))}")
    for each in sorted(found.asks & COMES_LATER.get(send, frozenset())):
        right = f"send it after an act that brings it, as in {_BRINGS[each]}, or leave it out"
        fields.findings.add(fields.value, f"`{{{each}}}` is not known yet when a case is {send}; {right}")
    if send == "opened" and found.asks >= {"promise", "failure"}:
        fields.findings.add(fields.value, "a case is opened by a broken `{promise}` or by a reported `{failure}`, never by both; name one")
    if "\n" in subject.strip() or len(subject) > _LONGEST_SUBJECT:
        fields.findings.add(fields.known["subject"], f"a subject is one line of at most {_LONGEST_SUBJECT} characters")
    fields.done()
    return found


def _tell(fields: Fields) -> Tell:
    """By e-mail to somebody, or by a channel, which reaches whom it reaches."""
    on, channel = fields.text("on", required=True) or "", fields.text("channel") or EMAIL
    to = fields.text("to", required=channel == EMAIL)
    if channel != EMAIL and to is not None:
        fields.findings.add(fields.known["to"], f"the channel `{channel}` reaches whom it reaches; leave out `to`, or say `channel: email`")
    if on:
        _is_kind(fields, "on", on, KINDS)
    return Tell(on, (to if channel == EMAIL else channel) or "")


def _is_kind(fields: Fields, key: str, kind: str, kinds: Collection[str]) -> None:
    if kind not in kinds:
        fields.findings.add(fields.known[key], f"`{kind}` is nothing that happens in a case; {documents.one_of(kind, sorted(kinds))}")


def _quiet(spec: Fields) -> Hours | None:
    """The hours in which people may be told: all but the quiet ones."""
    fields = spec.section("quiet")
    if fields is None:
        return None
    begins, ends = (_clock(fields, each) for each in ("from", "until"))
    zone = fields.text("zone") or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fields.findings.add(fields.known["zone"], f"`{zone}` is no zone; say it as `Europe/Madrid`")
    fields.done()
    return Hours(ends, begins, zone)


def _clock(fields: Fields, key: str) -> time:
    text = fields.text(key, required=True)
    try:
        return time.fromisoformat(text or "00:00").replace(tzinfo=None)
    except ValueError:
        fields.findings.add(fields.known[key], f"`{text}` is not a clock time; say it as `22:00`")
        return time()


def _restraint(spec: Fields, otherwise: Restraint) -> Restraint:
    fields = spec.section("restraint")
    if fields is None:
        return otherwise
    contacts, per = fields.read("contacts", int, default=otherwise.contacts), span(fields, "per") or otherwise.per
    if contacts is not None and contacts < 1:
        fields.findings.add(fields.known["contacts"], "`contacts` is at least 1; who is never spoken to is not recovered")
    fields.done()
    return Restraint(contacts or otherwise.contacts, per)


__all__ = ["KIND", "ProblemsFoundError", "check", "read"]
