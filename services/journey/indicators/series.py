"""Indicators as they are read: counts put under what they are asked by. Pure.

What a promise is about is looked up when somebody asks, so that a promise, a principle or a map that is told of late changes
what was counted before it, too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from services.chassis.shares import wilson
from services.journey import promised
from services.journey.indicators.buckets import Buckets
from services.journey.picture.matching import is_like
from services.journey.picture.stages import OUTSIDE, JourneyMap
from services.journey.principles import Principle, name_of
from services.journey.promised import Promised

By = Literal["dimension", "promise", "segment", "stage", "team", "component", "principle", "encounter", "audience"]
COUNTED: Final = ("commitments", "kept", "standing", "broken", "excused", "withdrawn", "open", "kept_share", "kept_low", "kept_high")
COMPARED: Final = ("kept", "broken", "share", "low", "high")
PRICED: Final = tuple(f"{cost}_{name}" for cost in ("dear", "cheap") for name in COMPARED)
TEAM: Final = (
    "start", "team", *(f"{side}_{name}" for side in ("outward", "inward") for name in COMPARED), "pulse_round", "pulse_answers", "pulse",
)  # fmt: skip
CONTACT: Final = (
    "contacts", "greeted", "attended", "left", "greeted_share", "attended_share", "attended_low", "attended_high", "seconds_to_human",
)  # fmt: skip
FEWEST: Final = 5
"""Answers of a team; fewer would show who said what."""
DIGITS: Final = 4


class Count(NamedTuple):
    """How many units of a group are what, in one bucket."""

    group: Mapping[str, Any]
    bucket: int
    what: str
    number: int


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known beside the counts."""

    promises: promised.Known
    principles: Sequence[Principle]
    map: JourneyMap | None = None

    def promise(self, group: Mapping[str, Any]) -> Promised:
        """The promise that a group of commitments is of."""
        return promised.at_version(self.promises, group["promise"], group["version"])

    def values(self, group: Mapping[str, Any]) -> dict[By, str | None]:
        """What a group of commitments can be asked by; facts say who owns a promise, and whom it is made to."""
        promise = self.promise(group)
        return {
            "dimension": promise.dimension, "promise": group["promise"], "segment": group["segment"], "stage": self._stage(group),
            "team": group["owner"], "component": promise.component, "encounter": promise.encounter, "audience": group["audience"],
            "principle": name_of(promise.principle, self.principles) or promise.principle,
        }  # fmt: skip

    def _stage(self, group: Mapping[str, Any]) -> str | None:
        """The stage that names the promise, else the first one that touchpoints of the trigger's type belong to."""
        if self.map is None:
            return None
        named = (each.name for each in self.map.stages if group["promise"] in each.promises)
        typed = (
            each.name
            for each in self.map.stages
            if any(is_like(group["trigger"], type_) for one in each.touchpoints for type_ in one.types)
        )
        return next(named, None) or next(typed, OUTSIDE)


def settled(declared: Declared, found: Iterable[Count], ever: Iterable[Count], now: int | None) -> Iterator[Count]:
    """Commitments that are kept so far and can still break count now, as objectives have it; `now` None: outside of what is asked."""
    for each in found:
        if each.what != "undated":
            yield each
        elif not declared.promise(each.group).standing:
            yield each._replace(what="open")
    for each in ever:
        if now is not None and each.what == "undated" and declared.promise(each.group).standing:
            yield each._replace(bucket=now, what="standing")


def series(declared: Declared, found: Iterable[Count], buckets: Buckets, by: Sequence[By], only: Mapping[By, str]) -> list[dict[str, Any]]:
    """One row a bucket and what it is asked by, in that order; where nothing was counted there is none."""
    rows: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for each in found:
        values = declared.values(each.group)
        if all(values[name] == wanted for name, wanted in only.items()):
            rows[each.bucket, *(values[name] for name in by)][each.what] += each.number
    return [
        {"start": buckets.starts[bucket], **dict(zip(by, values, strict=True)), **figures(counted)}
        for (bucket, *values), counted in sorted(rows.items(), key=lambda row: [(each is not None, each) for each in row[0]])
    ]


def altogether(declared: Declared, ever: Sequence[Count]) -> dict[str, dict[str, Any]]:
    """By promise, what came of all its commitments, under all its versions."""
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in settled(declared, ever, ever, 0):
        totals[each.group["promise"]][each.what] += each.number
    return {name: figures(counted) for name, counted in totals.items()}


def figures(counted: Mapping[str, int]) -> dict[str, Any]:
    """Counts and shares as a backtest has them, and how promises were kept where that was dear beside where it was cheap."""
    found: dict[str, Any] = {each: counted.get(each, 0) for each in ("standing", "broken", "excused", "withdrawn", "open")}
    found["kept"] = counted.get("kept", 0) + found["standing"]
    found["commitments"] = found["kept"] + found["broken"] + found["excused"] + found["withdrawn"] + found["open"]
    found |= _shares("kept", found["kept"], found["broken"])
    for cost in ("dear", "cheap"):
        kept, broken = counted.get(f"{cost}_kept", 0), counted.get(f"{cost}_broken", 0)
        found |= {f"{cost}_kept": kept, f"{cost}_broken": broken} | _shares(cost, kept, broken)
    return {name: found[name] for name in (*COUNTED, *PRICED)}


def share(kept: int, broken: int) -> float | None:
    """The share kept of what was decided either way."""
    return round(kept / (kept + broken), DIGITS) if kept + broken else None


def _shares(name: str, kept: int, broken: int) -> dict[str, float | None]:
    """A share, and between which two the true one lies, which is far apart where few were decided."""
    sure = wilson(kept, kept + broken)
    low, high = (None, None) if sure is None else (round(each, DIGITS) for each in sure)
    return {f"{name}_share": share(kept, broken), f"{name}_low": low, f"{name}_high": high}


def pulses(found: Iterable[Count], now: datetime) -> list[dict[str, Any]]:
    """How each team said in each round that it is served; nothing of fewer than five answers, nor before the round is over.

    Whoever looked after each answer while a round goes on would see what the last one was.
    """
    rows: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in found:
        rows[each.group["round"], each.group["team"]][each.what] += each.number
    month = f"{now.astimezone(UTC):%Y-%m}"
    return [
        _pulse(round_, team, counted, shown=round_ < month and counted["answers"] >= FEWEST)
        for (round_, team), counted in sorted(rows.items())
    ]


def _pulse(round_: str, team: str, counted: Mapping[str, int], *, shown: bool) -> dict[str, Any]:
    asked, answers = ("heard", "helped", "word_kept"), counted["answers"]
    if not shown:
        return {"round": round_, "team": team, "shown": False, "answers": None, **dict.fromkeys((*asked, "pulse"))}
    means: dict[str, Any] = {each: round(counted[each] / answers, 2) for each in asked}
    whole = round(sum(counted[each] for each in asked) / (len(asked) * answers), 2)
    return {"round": round_, "team": team, "shown": True, "answers": answers, **means, "pulse": whole}


def teams(declared: Declared, found: Iterable[Count], buckets: Buckets, pulses: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each team gives to customers beside what it is given: internal promises that its own promises rest on."""
    owners = {each.name: each.owner for versions in declared.promises.values() for each in versions}
    rows: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for each in found:
        if each.what not in {"kept", "standing", "broken"}:
            continue
        what = "broken" if each.what == "broken" else "kept"
        if each.group["audience"] == "customer":
            receiving, side = {each.group["owner"]}, "outward"
        else:
            receiving, side = {owners.get(name) for name in declared.promise(each.group).supports}, "inward"
        for team in receiving - {None}:
            rows[each.bucket, team][f"{side}_{what}"] += each.number
    shown = [each for each in pulses if each["shown"]]
    return [_team(buckets, bucket, team, counted, shown) for (bucket, team), counted in sorted(rows.items())]


def _team(buckets: Buckets, bucket: int, team: str, counted: Mapping[str, int], pulses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    start = buckets.starts[bucket]
    own = [each for each in pulses if each["team"] == team and each["round"] <= f"{start:%Y-%m}"]
    pulse: Mapping[str, Any] = max(own, key=lambda each: each["round"], default={})
    row: dict[str, Any] = {"start": start, "team": team}
    for side in ("outward", "inward"):
        kept, broken = counted[f"{side}_kept"], counted[f"{side}_broken"]
        row |= {f"{side}_kept": kept, f"{side}_broken": broken} | _shares(side, kept, broken)
    return row | {"pulse_round": pulse.get("round"), "pulse_answers": pulse.get("answers"), "pulse": pulse.get("pulse")}


def contacts(found: Iterable[Count], buckets: Buckets, *, first: bool | None, by_channel: bool) -> list[dict[str, Any]]:
    """How contacts began: all, the first ones of customers, or the later ones."""
    rows: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for each in found:
        if first is None or each.group["first"] is first:
            rows[each.bucket, *([each.group["channel"]] if by_channel else [])][each.what] += each.number
    return [
        {"start": buckets.starts[bucket], **({"channel": channel[0]} if channel else {}), **_contacts(counted)}
        for (bucket, *channel), counted in sorted(rows.items(), key=lambda row: [(each is not None, each) for each in row[0]])
    ]


def _contacts(counted: Mapping[str, int]) -> dict[str, Any]:
    number, attended = counted["contacts"], counted["attended"]
    return {
        "contacts": number, "greeted": counted["greeted"], "attended": attended, "left": counted["left"],
        "greeted_share": round(counted["greeted"] / number, DIGITS) if number else None,
        **_shares("attended", attended, number - attended),
        "seconds_to_human": round(counted["seconds"] / attended, 1) if attended else None,
    }  # fmt: skip
