"""A backtest as one page to hand on: nothing in it is loaded from anywhere, and every chart has its table."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Final, NamedTuple

from services.cli.reports.charts import Bar, bars, beam
from services.cli.reports.compare import COUNTED, Pair
from services.cli.reports.costs import Costs
from services.cli.reports.figures import MOST_TENTHS, TENTHS, Figures
from services.cli.reports.periods import Periods
from services.cli.reports.style import STYLE
from services.cli.reports.table import about, about_costs, share, shares

_NUMBERS: Final = ("commitments", "kept", "standing", "broken", "late", "never", "excused", "withdrawn", "open")
_ONLY_WHERE_ANY: Final = ("standing", "late", "never", "excused")
_SHARES: Final = ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %"))
_MOST_DIFFERENCES: Final = 20
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


class Told(NamedTuple):
    """Everything that a page tells."""

    history: str
    """The name of the file of events."""
    figures: Sequence[Figures]
    periods: Periods
    costs: Costs
    pairs: Sequence[Pair] = ()
    compared: str = ""
    """The name of the other file."""


def page(told: Told) -> str:
    """Return the page."""
    lines = [each.report.as_json() for each in told.figures]
    as_of, events = told.figures[0].report.as_of, told.figures[0].report.events
    parts = [
        "<h1>What these promises would have come to</h1>",
        f'<p class="quiet">Judged on {events:,} events of {escape(told.history)}, as of {_time(as_of)}. Times are UTC.</p>',
        _summary(lines),
        *(f'<p class="quiet">{escape(each)}</p>' for each in about_costs(lines, told.costs)),
        *_changes(told.pairs, told.compared),
        *(part for found, line in zip(told.figures, lines, strict=True) for part in _promise(found, line, told.periods)),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>Backtest</title><style>{STYLE}</style>'
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n'


def _promise(found: Figures, line: Mapping[str, Any], periods: Periods) -> Iterable[str]:
    promise = found.report.version.promise
    places = [each.channel if each.reference is None else f"{each.channel} ({each.reference})" for each in promise.published]
    yield f"<h2>{escape(promise.name)}</h2>"
    yield f"<blockquote>{escape(promise.statement)}</blockquote>"
    whom = "to customers" if promise.audience == "customer" else "within the company"
    yield f'<p class="quiet">Owed {whom} by {escape(promise.owner)}. Published: {escape(", ".join(places)) or "nowhere"}.</p>'
    yield _numbers(line)
    yield from _over_time(found, periods)
    yield from _time_used(found)
    yield from _by_segment(line)
    yield from _worst(found)


def _summary(lines: Sequence[Mapping[str, Any]]) -> str:
    names = _told_of(lines)
    return _table(
        ["promise", *names, "share kept"], [[line["promise"], *(f"{line[each]:,}" for each in names), share(line)] for line in lines]
    )


def _numbers(line: Mapping[str, Any]) -> str:
    told = [(name, f"{line[name]:,}") for name in _told_of([line])] + [("share kept", share(line) or "nothing decided")]
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{number}</dd></div>' for name, number in told)}</dl>"


def _told_of(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each for each in _NUMBERS if each not in _ONLY_WHERE_ANY or any(line[each] for line in lines)]


def _over_time(found: Figures, periods: Periods) -> Iterable[str]:
    made = found.report.periods
    if not made:
        return
    counted = {start: made[start].counts() for start in sorted(made)}
    charted = [
        Bar(periods.label(start), kept, f"{periods.label(start)}: {'nothing decided' if kept is None else f'{kept:.1%} kept'}")
        for start, kept in shares(made).items()
    ]
    objective = found.report.version.promise.objective
    aim = None if objective is None else (objective.kept, f"objective {objective.kept * 100:.6g} %")
    yield f"<h3>Share kept over time</h3>{bars(charted, about='Share kept over time', scale=_SHARES, line=aim)}"
    names = ["kept", "broken", *(each for each in ("excused", "open") if any(counts[each] for counts in counted.values()))]
    rows = [[periods.label(start), *(f"{counts[each]:,}" for each in names), share(counts)] for start, counts in counted.items()]
    yield _table([f"made in the {periods.name}", *names, "share kept"], rows)


def _time_used(found: Figures) -> Iterable[str]:
    total = found.used.total() + found.never + found.failed
    if not found.used:
        return
    highest = max(*found.used.values(), found.never, found.failed)
    told = [(_range(tenth), str(tenth * TENTHS), found.used[tenth], tenth >= TENTHS) for tenth in range(MOST_TENTHS + 1)]
    further = [("a failure was seen", "failed", found.failed, True), ("nothing came", "never", found.never, True)]
    rows = [*told, *(each for each in further if each[2])]
    charted = [Bar(label, number / highest, f"{text}: {number:,}", "bad" if late else "good") for text, label, number, late in rows]
    yield "<h3>Time used, in percent of the budget</h3>"
    yield '<p class="quiet"><span class="key good"></span>in time <span class="key bad"></span>too late, or not at all</p>'
    yield bars(charted, about="Distribution of the time used", scale=((0.0, "0"), (1.0, f"{highest:,}")))
    yield _table(
        ["of the budget", "commitments", "share"], [[text, f"{number:,}", f"{number / total:.1%}"] for text, _, number, _ in rows if number]
    )


def _range(tenth: int) -> str:
    if tenth == MOST_TENTHS:
        return f"over {tenth * TENTHS} %"
    return f"over {tenth * TENTHS} to {(tenth + 1) * TENTHS} %" if tenth else f"up to {TENTHS} %"


def _by_segment(line: Mapping[str, Any]) -> Iterable[str]:
    if not line["segments"]:
        return
    rows = []
    for each in line["segments"]:
        decided = each["kept"] + each["broken"]
        name = "none" if each["segment"] is None else each["segment"]
        rows.append([name, *(f"{each[count]:,}" for count in COUNTED), share(each), beam(each["kept"] / decided) if decided else ""])
    yield "<h3>By segment</h3>"
    yield _table(["segment", *COUNTED, "share kept", ""], rows, charts=True)


def _worst(found: Figures) -> Iterable[str]:
    if not found.worst:
        return
    yield "<h3>Worst cases</h3>"
    if found.is_timed:
        names = ["about", "trigger", "made", "due", "came", "late by"]
        rows = [
            [about(each.correlation), each.trigger, _time(each.made), _time(each.due), _time(each.came) or "never", _length(each.over)]
            for each in found.worst
        ]
    else:
        names = ["about", "trigger", "made", "broken by"]
        rows = [[about(each.correlation), each.trigger, _time(each.made), each.decided_by or ""] for each in found.worst]
    yield _table(names, rows, words=2)


def _changes(pairs: Sequence[Pair], compared: str) -> Iterable[str]:
    if not pairs:
        return
    yield f"<h2>What {escape(compared)} would change</h2>"
    rows = []
    for pair in pairs:
        one, other = (None if each is None else each.as_json() for each in (pair.one, pair.other))
        if one is None or other is None:
            rows.append([pair.name, "only there" if one is None else "not there", *[""] * (len(COUNTED) + 1)])
            continue
        changes = [f"{one[name]:,}" if one[name] == other[name] else f"{one[name]:,} → {other[name]:,}" for name in COUNTED]
        rows.append([pair.name, f"{len(pair.differences):,}", *changes, f"{share(one)} → {share(other)}"])
    yield _table(["promise", "differ", *COUNTED, "share kept"], rows)
    differences = [each for pair in pairs for each in pair.differences]
    if differences:
        listed = [
            [each.promise, about(each.correlation), each.trigger["id"], each.was or "not opened", each.would_be or "not opened"]
            for each in differences[:_MOST_DIFFERENCES]
        ]
        caption = f"The first {len(listed):,} of {len(differences):,} commitments that would be judged otherwise"
        yield _table(["promise", "about", "trigger", "is", "would be"], listed, caption=caption, words=5)


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", words: int = 1, charts: bool = False) -> str:
    """Return a table whose first columns are words and whose last, where there are charts, is one."""
    head = "".join(f'<th scope="col"{_class(place, words)}>{escape(name)}</th>' for place, name in enumerate(names))
    body = []
    for row in rows:
        *cells, last = row
        texts = [f"<td{_class(place, words)}>{escape(cell)}</td>" for place, cell in enumerate(cells)]
        ended = f'<td class="beam">{last}</td>' if charts else f"<td{_class(len(cells), words)}>{escape(last)}</td>"
        body.append(f"<tr>{''.join(texts)}{ended}</tr>")
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{above}<thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _class(place: int, words: int) -> str:
    return ' class="text"' if place < words else ""


def _time(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _length(over: timedelta) -> str:
    if not over:
        return "failed before"
    hours, seconds = divmod(over.seconds, 3600)
    days = f"{over.days:,} d " if over.days else ""
    return f"{days}{hours} h {seconds // 60:02} min"
