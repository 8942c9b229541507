"""How promises have been kept in the running system: what a backtest reports, and beside it how objectives stand."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.instants import text_of
from services.chassis.shares import CONFIDENCE, Interval, wilson
from services.promises.backtest import Report
from services.promises.calendars.durations import OutsideCalendarError
from services.promises.catalogue import read_promise
from services.promises.compile import Compiled
from services.promises.domain import State
from services.promises.language.declarations import Promise
from services.promises.objectives import Tally, Window, standing
from services.promises.store import published, reads
from services.promises.store.reads import Count
from services.promises.versions import BEGINNING

DIGITS: Final = 4
_COUNTED: Final = ("kept", "standing", "broken", "late", "never", "excused", "withdrawn", "open")
COLUMNS: Final = (
    "promise", "version", "as_of", "segment", "commitments", *_COUNTED, "kept_share", "interval_low", "interval_high",
    "target", "window", "since", "window_kept", "window_broken", "window_excused", "window_share", "window_low", "window_high",
    "budget_allowed", "budget_used", "budget_left", "exhausted_at", "stop_selling",
)  # fmt: skip
"""Of the CSV: one row a promise (without segment), then one a segment."""


async def performance_of(engine: AsyncEngine, name: str | None = None) -> list[dict[str, Any]]:
    """One object a promise, all its versions together, in the order of first publication."""
    as_of = await reads.barrier(engine) or BEGINNING
    events = await reads.events_applied(engine)
    versions, _ = await published.read_published(engine, name)
    latest = {each.name: each for each in versions}
    calendars = await published.calendar_documents(engine)
    compiled = {
        name: Compiled(read_promise(each.document, name, calendars[each.calendar] if each.calendar else None), each.version)
        for name, each in latest.items()
    }
    windows = {name: _window(each.promise, as_of) for name, each in compiled.items()}
    counts: dict[str, list[Count]] = {each: [] for each in compiled}
    for count in await reads.count_commitments(engine, name, windows):
        counts[count.promise].append(count)
    return [_line(each, Report(each, as_of, events, 0), windows[name], counts[name]) for name, each in compiled.items()]


def _window(promise: Promise, as_of: datetime) -> Window:
    """The time that an objective looks at; where the calendar does not reach back so far, all of it."""
    if promise.objective is None or promise.objective.window is None or as_of == BEGINNING:
        return Window(None, as_of)
    try:
        # one window for all customers, whichever zone is theirs
        return Window(promise.terms.time.duration(promise.objective.window, "UTC").before(as_of), as_of)
    except (OutsideCalendarError, OverflowError):
        return Window(None, as_of)


def _line(version: Compiled, report: Report, window: Window, counts: list[Count]) -> dict[str, Any]:
    tallies: dict[str | None, Tally] = {}
    for count in counts:
        said = report.segments[count.segment].said
        said[State(count.state), count.late, count.standing] += count.number
        tallies[count.segment] = tallies.get(count.segment, Tally()) + _tally(count)
    line = report.as_json()
    line["interval"] = _interval(wilson(line["kept"], line["kept"] + line["broken"]))
    line["objective"] = _objective(version.promise, window, tallies)
    return line


def _tally(count: Count) -> Tally:
    """What of it an objective counts; one that is standing is kept so far."""
    state = State.KEPT if count.standing else State(count.state)
    match state:
        case State.KEPT:
            return Tally(kept=count.inside)
        case State.BROKEN:
            return Tally(broken=count.inside, recently=count.recently)
        case State.EXCUSED:
            return Tally(excused=count.inside)
    return Tally()


def _objective(promise: Promise, window: Window, tallies: Mapping[str | None, Tally]) -> dict[str, Any] | None:
    objective = promise.objective
    if objective is None:
        return None
    found = {
        "target": objective.kept,
        "window": objective.window,
        "since": None if window.since is None else text_of(window.since),
        **_standing(objective.kept, window, sum(tallies.values(), Tally())),
        "segments": [],
    }
    if promise.segments:
        named = sorted(tallies.items(), key=lambda each: (each[0] is None, each[0]))
        found["segments"] = [{"segment": name, **_standing(objective.kept, window, tally)} for name, tally in named]
    return found


def _standing(target: float, window: Window, tally: Tally) -> dict[str, Any]:
    found = standing(target, window, tally)
    return {
        "kept": tally.kept,
        "broken": tally.broken,
        "excused": tally.excused,
        "share": None if found.share is None else round(found.share, DIGITS),
        "interval": _interval(found.interval),
        "budget": {"allowed": found.budget.allowed, "used": found.budget.used, "left": found.budget.left},
        "exhausted_at": None if found.exhausted_at is None else text_of(found.exhausted_at),
        "stop_selling": found.stop_selling,
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"low": round(found.low, DIGITS), "high": round(found.high, DIGITS), "confidence": CONFIDENCE}


def rows_of(line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one promise: all of it, then segment by segment."""
    objective = line["objective"] or {"segments": []}
    by_segment = {each["segment"]: each for each in objective["segments"]}
    yield _row(line, line, objective)
    for segment in line["segments"]:
        yield _row(line, segment, objective | by_segment.get(segment["segment"], {}))


def _row(line: Mapping[str, Any], counts: Mapping[str, Any], objective: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: line[name] for name in ("promise", "version", "as_of")} | {name: counts.get(name) for name in _COUNTED}
    decided = counts["kept"] + counts["broken"]
    row |= {"segment": counts.get("segment"), "commitments": counts["commitments"]}
    row |= {"kept_share": round(counts["kept"] / decided, DIGITS) if decided else None}
    row |= _bounds("interval", _interval(wilson(counts["kept"], decided)))
    row |= {name: objective.get(name) for name in ("target", "window", "since", "exhausted_at", "stop_selling")}
    row |= {f"window_{name}": objective.get(name) for name in ("kept", "broken", "excused", "share")}
    row |= _bounds("window", objective.get("interval"))
    row |= {f"budget_{name}": value for name, value in objective.get("budget", {}).items()}
    return row


def _bounds(name: str, interval: Mapping[str, float] | None) -> dict[str, Any]:
    return {} if interval is None else {f"{name}_low": interval["low"], f"{name}_high": interval["high"]}
