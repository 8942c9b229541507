"""A backtest in the terminal: counts with a small chart of the share over time, what cases would cost, what would change."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.cli import console
from services.cli.reports.compare import COUNTED, Difference, Pair
from services.cli.reports.costs import Costs
from services.cli.reports.periods import Periods
from services.promises.backtest import Report, Tally

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = {
    "all": "commitments",
    "kept": "kept",
    "standing": "standing",
    "broken": "broken",
    "late": "late",
    "never": "never",
    "excused": "excused",
    "withdrawn": "withdrawn",
    "open": "open",
}
_ONLY_WHERE_ANY: Final = ("standing", "excused")
_MOST_DIFFERENCES: Final = 20


def show(out: Console, reports: Sequence[Report], periods: Periods, costs: Costs) -> None:
    """Print what promises came to."""
    lines = [report.as_json() for report in reports]
    show_lines(out, lines, costs, {f"by {periods.name}": [sparkline(report.periods) for report in reports]})


def show_lines(out: Console, lines: Sequence[Mapping[str, Any]], costs: Costs, charts: Mapping[str, Sequence[str]]) -> None:
    """Print the lines that other tools read, with charts beside them."""
    names = [name for name in _COLUMNS if name not in _ONLY_WHERE_ANY or any(line[name] for line in lines)]
    table = console.table("promise", numbers=[*names, "share"], title=f"as of {lines[0]['as_of']}, {lines[0]['events']:,} events")
    for name in charts:
        table.add_column(name, no_wrap=True)
    for place, line in enumerate(lines):
        beside = [column[place] for column in charts.values()]
        table.add_row(line["promise"], *_cells(names, line), *beside, style="bold" if line["segments"] else None)
        for segment in line["segments"]:
            table.add_row(f"  {segment['segment']}", *_cells(names, segment))
    out.print(table)
    for sentence in about_costs(lines, costs):
        out.print(sentence, markup=False)


def _cells(names: Iterable[str], line: Mapping[str, Any]) -> list[str]:
    return [f"{line[name]:,}" if name in line else "" for name in map(_COLUMNS.__getitem__, names)] + [share(line)]


def share(counts: Mapping[str, Any]) -> str:
    """Return kept of what was kept or broken, as people write it."""
    decided = counts["kept"] + counts["broken"]
    return f"{counts['kept'] / decided:.1%}" if decided else ""


def shares(periods: Mapping[date, Tally]) -> dict[date, float | None]:
    """Return the share kept of the commitments made in each period, in order; None where nothing was decided."""
    found: dict[date, float | None] = {}
    for start in sorted(periods):
        counts = periods[start].counts()
        decided = counts["kept"] + counts["broken"]
        found[start] = counts["kept"] / decided if decided else None
    return found


def sparkline(periods: Mapping[date, Tally]) -> str:
    """Return the share over time in one word, between its lowest and its highest, and those two."""
    found = shares(periods).values()
    known = [each for each in found if each is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    steps = (high - low) / (len(_BLOCKS) - 1) or 1.0
    chart = "".join(" " if each is None else _BLOCKS[round((each - low) / steps)] if high > low else _BLOCKS[-1] for each in found)
    return f"{chart} {low:.0%} to {high:.0%}" if high > low else f"{chart} {high:.0%}"


def about_costs(lines: Iterable[Mapping[str, Any]], costs: Costs) -> list[str]:
    """Return what is known of what making good would cost, and what is not."""
    known = [(line, costs.known[line["promise"]]) for line in lines if line["promise"] in costs.known]
    found = [
        f"{line['promise']}: making good would cost at most {cost.of(line['broken'])}"
        f" ({line['broken']:,} broken, {cost.per_case:g} {cost.currency} a case by the playbook `{cost.playbook}`)"
        for line, cost in known
    ]
    if known:
        found.append("Failures of one customer join the case that is open, so that there are fewer cases than broken commitments.")
    return found + [f"{name}: what making good would cost is not known: {why}" for name, why in costs.unknown.items()]


def show_pairs(out: Console, pairs: Sequence[Pair], name: str) -> None:
    """Print what the promises of other files would change."""
    table = console.table("promise", numbers=["differ", *COUNTED, "share"], title=f"\nwith {name}")
    for pair in pairs:
        _add_pair(table, pair)
    out.print(table)
    differences = [each for pair in pairs for each in pair.differences]
    if not differences:
        out.print("No commitment would be judged otherwise.")
        return
    further = len(differences) - _MOST_DIFFERENCES
    out.print(_listed(differences[:_MOST_DIFFERENCES]))
    if further > 0:
        out.print(f"and {further:,} more; --json gives all of them")


def _add_pair(table: Table, pair: Pair) -> None:
    one = None if pair.one is None else pair.one.as_json()
    other = None if pair.other is None else pair.other.as_json()
    if one is None or other is None:
        where = "only in these files" if other is None else "only there"
        counts = one or other or {}
        table.add_row(f"{pair.name} ({where})", "", *(f"{counts[name]:,}" for name in COUNTED), share(counts))
        return
    changes = [f"{one[name]:,}" if one[name] == other[name] else f"{one[name]:,} → {other[name]:,}" for name in COUNTED]
    was, would_be = share(one), share(other)
    table.add_row(pair.name, f"{len(pair.differences):,}", *changes, was if was == would_be else f"{was} → {would_be}")


def about(correlation: Any) -> str:
    """What commitments are about; what is tied by nothing but its customer is about them."""
    return "the customer" if correlation is None else str(correlation)


def _listed(differences: Iterable[Difference]) -> Table:
    table = console.table("promise", "about", "trigger", "made", "is", "would be", title="\nwhat would be judged otherwise")
    for each in differences:
        trigger = each.trigger
        table.add_row(
            each.promise, about(each.correlation), trigger["id"], trigger["time"], each.was or "not opened", each.would_be or "not opened"
        )
    return table
