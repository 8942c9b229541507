"""Reads `kind: Relationship`: what counts as what in a relationship, and how much. What is left out stays as it is built in."""

from collections.abc import Callable
from typing import Final, TypeVar

from services.chassis.documents import Document, Fields, one_of
from services.chassis.entries import entries, name_of, owner_of, span
from services.journey.documents.values import matches, path_of
from services.journey.picture.matching import Matches
from services.journey.picture.rules import BUILT_IN, PIECES, WEIGHTS, Efforts, Encounters, Occasion, Rules, Scale, Standings, Weight

_MOST_POINTS: Final = 1000.0
T = TypeVar("T")


def read_relationship(document: Document) -> Rules:
    """The rules that a document says."""
    owner, spec = owner_of(document), document.spec
    feedback = entries(spec, "feedback", _occasion)
    rules = Rules(
        document.name,
        owner,
        _given(spec, "purchases", BUILT_IN.purchases),
        path_of(spec, "value") or BUILT_IN.value,
        spec.text("currency") or "",
        _given(spec, "complaints", BUILT_IN.complaints),
        path_of(spec, "employee") or BUILT_IN.employee,
        _between(spec, "one_person", BUILT_IN.one_person, 0, 1),
        _weights(spec),
        tuple(feedback) if "feedback" in spec else BUILT_IN.feedback,
        span(spec, "feedback_ignored_after") or BUILT_IN.feedback_ignored_after,
        _below(spec, "encounters", _encounters, BUILT_IN.encounters),
        _below(spec, "effort", _efforts, BUILT_IN.efforts),
        _below(spec, "stages", _standings, BUILT_IN.standings),
    )
    spec.done()
    return rules


def _given(fields: Fields, key: str, otherwise: Matches) -> Matches:
    found = matches(fields, key)
    return found if key in fields else otherwise


def _below(fields: Fields, key: str, read: Callable[[Fields], T], otherwise: T) -> T:
    section = fields.section(key)
    if section is None:
        return otherwise
    found = read(section)
    section.done()
    return found


def _between(fields: Fields, key: str, otherwise: float, least: float, most: float) -> float:
    found: float = fields.read(key, float, default=otherwise)
    if not least <= found <= most:
        fields.findings.add(fields.at(key), f"`{key}` is a number from {least:g} to {most:g}")
        return otherwise
    return float(found)


def _weights(spec: Fields) -> dict[str, Weight]:
    found, section = dict(WEIGHTS), spec.section("weights")
    for what, value in section.known.items() if section is not None else ():
        fields = Fields(value, f"the weight of `{what}`", spec.findings)
        if what not in PIECES and section is not None:
            spec.findings.add(section.at(what), f"`{what}` is nothing that a score is made of; {one_of(what, PIECES)}")
        fields.get("points", required=True)
        found[what] = Weight(_between(fields, "points", 0, -_MOST_POINTS, _MOST_POINTS), span(fields, "fades"))
        fields.done()
    return found


def _occasion(fields: Fields) -> Occasion:
    of, silence = matches(fields, "of"), span(fields, "silence")
    if ("of" in fields) == ("silence" in fields):
        fields.findings.add(
            fields.value, f"{fields.name} needs `of`, the touchpoints that are it, or `silence`, how long a one; one of them"
        )
    expressed, told = (
        fields.choice("expressed", ("explicit", "implicit"), "explicit"),
        fields.choice("told", ("direct", "indirect"), "direct"),
    )
    tone, scale = _between(fields, "tone", 0, -1, 1), _below(fields, "scale", _scale, None)
    answered, ignored = matches(fields, "answered"), span(fields, "ignored_after")
    if "tone" in fields and "scale" in fields:
        fields.findings.add(fields.at("scale"), "`tone` is fixed, and `scale` reads it from a number; keep one")
    return Occasion(
        name_of(fields), of, expressed, told, tone, scale,  # type: ignore[arg-type]  # one of the choices
        _between(fields, "weight", 1, 0, 100), fields.text("owner"), answered, path_of(fields, "same"), ignored, silence,
    )  # fmt: skip


def _scale(fields: Fields) -> Scale | None:
    path = path_of(fields, "path")
    worst, best = (fields.read(each, float, required=True, default=None) for each in ("worst", "best"))
    if path is None and "path" not in fields:
        fields.findings.add(fields.value, f"{fields.name} needs `path`, such as `data.stars`")
    if worst is not None and worst == best:
        fields.findings.add(fields.at("best"), "`worst` and `best` are two numbers")
    return None if path is None or worst is None or best is None or worst == best else Scale(path, float(worst), float(best))


def _encounters(fields: Fields) -> Encounters:
    return Encounters(*(matches(fields, each) for each in ("first", "second", "third")))


def _efforts(fields: Fields) -> Efforts:
    usual = BUILT_IN.efforts
    return Efforts(
        _given(fields, "contacts", usual.contacts), path_of(fields, "contact") or usual.contact, path_of(fields, "reason") or usual.reason,
        span(fields, "repeated_within") or usual.repeated_within, _given(fields, "passed_on", usual.passed_on),
        path_of(fields, "waited") or usual.waited, _given(fields, "waits", usual.waits), _given(fields, "served", usual.served),
        path_of(fields, "same") or usual.same,
    )  # fmt: skip


def _standings(fields: Fields) -> Standings:
    usual = BUILT_IN.standings
    purchases: int = fields.read("established_purchases", int, default=usual.established_purchases)
    if purchases < 1:
        fields.findings.add(fields.at("established_purchases"), "`established_purchases` is at least 1")
    at_risk, lost = span(fields, "at_risk_after"), span(fields, "lost_after")
    if at_risk is not None and lost is not None and lost <= at_risk:
        fields.findings.add(fields.at("lost_after"), "`lost_after` is longer than `at_risk_after`: first at risk, then lost")
    return Standings(max(purchases, 1), at_risk, lost, _given(fields, "leaves", usual.leaves))
