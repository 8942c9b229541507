"""What journey knows of promises: what their documents say beside the facts about them. Pure.

The facts of promises name a promise and its version and say what became of it; what it is about stands in its document.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple


class Promised(NamedTuple):
    """One version of a promise, as far as it is reported by; `unknown` ones were met in facts and never told of."""

    name: str
    version: int
    statement: str | None = None
    owner: str | None = None
    audience: str = "customer"
    encounter: str | None = None
    dimension: str | None = None
    component: str | None = None
    principle: str | None = None
    supports: tuple[str, ...] = ()
    standing: bool = False
    """One that is open and never falls due is kept so far."""
    retired_from: datetime | None = None
    unknown: bool = False


Known = Mapping[str, list[Promised]]
"""By name, in the order of versions."""


def promised(name: str, version: int, document: Mapping[str, Any], retired_from: datetime | None = None) -> Promised:
    """What a published document says; promises has checked it."""
    spec, owner = document["spec"], document["metadata"].get("owner")
    supports = spec.get("supports") or []
    return Promised(
        name,
        version,
        _text(spec.get("statement")),
        _text(owner),
        "internal" if spec.get("audience") == "internal" else "customer",
        _text(spec.get("encounter")),
        _text(spec.get("dimension")),
        _text(spec.get("component")),
        _text(spec.get("principle")),
        tuple(map(str, supports if isinstance(supports, list) else [supports])),
        _standing(spec),
        retired_from,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _standing(spec: Mapping[str, Any]) -> bool:
    """As the language has it: a `limit`, and an `absence` that nothing ends."""
    absence = spec.get("absence")
    return "limit" in spec or (isinstance(absence, Mapping) and not {"within", "until"} & absence.keys())


def known(found: Iterable[Promised]) -> dict[str, list[Promised]]:
    """By name and in order."""
    by_name: dict[str, list[Promised]] = {}
    for each in sorted(found, key=lambda each: (each.name, each.version)):
        by_name.setdefault(each.name, []).append(each)
    return by_name


def at_version(promises: Known, name: str, version: int) -> Promised:
    """What is known of a version; of one that was not told of, what the one before it said.

    A promise gets a new version, and no new document, where its calendar does.
    """
    before = [each for each in promises.get(name, ()) if each.version <= version]
    return before[-1] if before else Promised(name, version, unknown=True)


def in_force(promises: Known, now: datetime) -> list[Promised]:
    """The latest version of each promise that is not retired yet."""
    latest = [versions[-1] for versions in promises.values()]
    return [each for each in latest if each.retired_from is None or each.retired_from > now]
