"""A journey map with one customer's place on it, and the points of it that can be read from afar. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_LONGEST_LINE: Final = 20
_LINES: Final = 2


class Station(NamedTuple):
    """A stage of the map as one customer has been through it: `standing`, `been`, `fell_out` or `ahead`."""

    name: str
    title: str
    phase: str
    place: str
    seconds: int | None
    visits: int
    entered: str | None
    promises: Mapping[str, Any] | None


class Met(NamedTuple):
    """A moment of truth; how often it came to it for this customer, and how its promises came out."""

    title: str
    times: int
    promises: Mapping[str, Any] | None


class Way(NamedTuple):
    """One map with somebody's place on it."""

    title: str
    stations: Sequence[Station]
    moments: Sequence[Met]


def way(totals: Mapping[str, Any], travelled: Mapping[str, Any]) -> Way:
    """The stages of a map in its order, each with what this customer did in it."""
    stages = {each["name"]: each["promises"] for each in travelled["stages"]}
    moments = {each["name"]: each for each in travelled["moments"]}
    return Way(
        totals["title"] or totals["name"],
        [_station(each, travelled, stages.get(each["name"])) for each in totals["totals"]],
        [_met(each, moments.get(each["name"])) for each in totals["moments"]],
    )


def _station(stage: Mapping[str, Any], travelled: Mapping[str, Any], promises: Mapping[str, Any] | None) -> Station:
    visits = [each for each in travelled["visits"] if each["stage"] == stage["name"]]
    here, out = travelled["standing"], travelled["fell_out"]
    place = "been" if visits else "ahead"
    if here is not None and here["stage"] == stage["name"]:
        place = "standing"
    elif out is not None and out["stage"] == stage["name"]:
        place = "fell_out"
    last = visits[-1] if visits else None
    return Station(
        stage["name"], stage["title"] or stage["name"], stage["phase"], place, None if last is None else last["seconds"], len(visits),
        None if last is None else last["entered"], promises,
    )  # fmt: skip


def _met(moment: Mapping[str, Any], met: Mapping[str, Any] | None) -> Met:
    title = moment["title"] or moment["name"]
    return Met(title, 0, None) if met is None else Met(title, len(met["evidence"]), met["promises"])


def in_lines(text: str, longest: int = _LONGEST_LINE, most: int = _LINES) -> list[str]:
    """A text in a few lines for a drawing; what does not fit ends in an ellipsis, and stands whole in the table below it."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) <= longest or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    kept = [each if len(each) <= longest else each[: longest - 1] + "…" for each in lines[:most]]
    if len(lines) > most and not kept[-1].endswith("…"):
        kept[-1] = kept[-1][: longest - 1] + "…"
    return kept
