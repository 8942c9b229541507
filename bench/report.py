"""What was measured, as a table and as JSON, and whether it is enough."""

import platform
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from timeit import repeat
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

SERVICES = ("journey", "promises", "recovery")
Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Floor:
    """What must be reached at least, or not exceeded."""

    what: str
    unit: str
    bound: float
    at_least: bool

    def missed(self, value: float) -> bool:
        """Whether a value is not good enough; one that is no number never is."""
        return not (value >= self.bound if self.at_least else value <= self.bound)


RATE = Floor("sustained rate", "touchpoints/s", 8000, at_least=True)
LATENCY = Floor("barrier to verdict, p99", "s", 1.0, at_least=False)
MEMORY = Floor("memory of a service's process", "MiB", 300, at_least=False)
BACKTEST = Floor("backtest of one promise", "events/s", 300_000, at_least=True)
THIRTY = Floor("backtest of thirty promises", "times as long as of one", 4, at_least=False)
TIMELINE = Floor("a page of a timeline, p95", "ms", 50, at_least=False)
OPEN = Floor("a live event beside open commitments", "times its cost without", 1.2, at_least=False)
FIRED = Floor("very many that fall due at once", "s", 20, at_least=False)
OTHERS = Floor("barrier to verdict of others meanwhile, p99", "s", 2, at_least=False)
CASES = Floor("a list of cases, p95", "ms", 100, at_least=False)
ACT = Floor("one act of a person, p95", "ms", 50, at_least=False)
PAGE = Floor("a page of the workbench, p95", "ms", 150, at_least=False)
VIEWERS = Floor("an act is heard of by all who look on", "s", 10, at_least=False)
MEASURES = Floor("measures of all cases, p95", "ms", 1000, at_least=False)
RUSH = Floor("cases of a rush of failures", "s", 60, at_least=False)
BACKTEST_MEMORY = Floor("memory of a backtest", "MiB", 500, at_least=False)


def missed(results: Mapping[str, Result]) -> list[str]:
    """A sentence for each floor that was missed."""
    flow = results.get("flow", {})
    found = [(RATE, "", flow.get("touchpoints_per_s")), (LATENCY, "", flow.get("barrier_to_verdict_p99_s"))]
    found += [(MEMORY, f" ({name})", rss) for name, rss in flow.get("rss_mib", {}).items() if name.startswith(SERVICES)]
    standing = results.get("open", {})
    found += [(OPEN, "", standing.get("times_the_cost")), (FIRED, "", standing.get("fired_in_s"))]
    found += [(OTHERS, "", standing.get("others_p99_s"))]
    backtest = results.get("backtest", {})
    found += [(BACKTEST, "", backtest.get("events_per_s")), (THIRTY, "", backtest.get("thirty_times_as_long"))]
    found += [(BACKTEST_MEMORY, where, backtest.get(name)) for where, name in (("", "rss_mib"), (" (thirty promises)", "thirty_rss_mib"))]
    found += [(TIMELINE, f" ({name.replace('_', ' ')})", results.get("timeline", {}).get(f"{name}_p95_ms")) for name in _TIMELINE]
    cases = results.get("recovery", {})
    found += [(RUSH, "", cases.get("rush_s")), (VIEWERS, "", cases.get("viewers_all_s"))]
    for floor, kind in ((CASES, "list_"), (ACT, "act_"), (MEASURES, "measures_"), (PAGE, "page_")):
        found += [(floor, f" ({_told(name, kind)})", cases[name]) for name in cases if name.startswith(kind) and name.endswith("_p95_ms")]
    return [_sentence(floor, where, value) for floor, where, value in found if value is not None and floor.missed(value)]


def _sentence(floor: Floor, where: str, value: float) -> str:
    bound = f"at {'least' if floor.at_least else 'most'} {floor.bound:,g} {floor.unit}"
    return f"MISSED: {floor.what}{where} is {value:,.4g} {floor.unit}, and should be {bound}"


def interpreter() -> dict[str, Any]:
    """Which Python measures, and runs the system; built without optimisation it is up to a quarter slower, as its bare loop shows."""
    configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return {
        "version": f"{platform.python_implementation()} {platform.python_version()}",
        "optimised": [each for each in ("--enable-optimizations", "--with-lto") if each in configured],
        "loop_ms": min(repeat("for each in range(1_000_000): each & 7", timer=process_time, number=1)) * 1000,
    }


def save(path: Path, results: Mapping[str, Result]) -> None:
    """Put the results into the file, each with its interpreter; what other benchmarks wrote there stays."""
    known: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
    python = interpreter()
    for name, result in results.items():
        known[name] = known.get(name, {}) | dict(result) | {"interpreter": python}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    fresh.replace(path)


def show(results: Mapping[str, Result], console: Console) -> None:
    """Print tables, then what was missed."""
    python = interpreter()
    built = f"configured {' '.join(python['optimised']) or 'without optimisation'}"
    console.print(f"{python['version']}, {built}, a bare loop of a million in {python['loop_ms']:.0f} ms", highlight=False)
    if flow := results.get("flow"):
        console.print(_speeds(flow))
        console.print(_processes(flow))
        console.print(_costs(flow))
    if backtest := results.get("backtest"):
        console.print(_backtest(backtest))
    if timeline := results.get("timeline"):
        console.print(_timeline(timeline))
    if cases := results.get("recovery"):
        console.print(_recovery(cases))
    if standing := results.get("open"):
        console.print(_standing(standing))
    for line in missed(results):
        console.print(line, style="bold red", highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="")
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    return table


_TIMELINE = {
    "page": "a page of 100, anywhere",
    "newest_page": "the newest 100",
    "filtered_page": "100 of one type, anywhere",
    "broken": "what was broken: hardly anything",
    "ahead": "the way ahead",
}


def _timeline(timeline: Result) -> Table:
    title = f"Timeline of {timeline['events']:,} touchpoints and {timeline['facts']:,} facts in {timeline['packs']:,} packs"
    table = _table(title, "", "p50 ms", "p95 ms")
    limits = {"nobody": "limit: a request that finds nobody", "bare": "limit: the rows of a page by bare SQL"}
    for name, told in (_TIMELINE | limits).items():
        table.add_row(told, f"{timeline[f'{name}_p50_ms']:,.1f}", f"{timeline[f'{name}_p95_ms']:,.1f}")
    table.add_row("processor time of the API, a page", f"{timeline['page_cpu_ms']:,.1f}", "")
    return table


def _speeds(flow: Result) -> Table:
    table = _table(f"Flow, {flow['window_s']:.0f} s at full speed", "", "measured", "")
    table.add_row("sustained, end to end", f"{flow['touchpoints_per_s']:,.0f}", "touchpoints/s")
    if "copy_limit_per_s" in flow:
        table.add_row("limit: bare COPY of the journal", f"{flow['copy_limit_per_s']:,.0f}", "rows/s")
        table.add_row("limit: bare produce and consume", f"{flow['kafka_limit_per_s']:,.0f}", "records/s")
        half = f"at {flow['half_rate_per_s']:,.0f} touchpoints/s"
        for name, key in (("barrier to verdict", "barrier_to_verdict"), ("due to verdict", "due_to_verdict")):
            for share in ("p50", "p99"):
                table.add_row(f"{name}, {share}", f"{flow[f'{key}_{share}_s']:.3f} s", half)
    verdicts = flow["verdicts"]
    counted = f"{verdicts['broken']:,} of {verdicts['commitments']:,}"
    table.add_row("commitments broken", f"{verdicts['broken_share']:.2%}", f"{counted}, all as sent")
    busy = flow["cpu_busy"]
    table.add_row("processors busy with the system", f"{busy['system']:.2f}", f"of {busy['machine']:.2f} busy at all")
    return table


def _processes(flow: Result) -> Table:
    table = _table("Processes, CPU per 1,000 touchpoints", "", "CPU ms", "peak MiB")
    cpu, rss = flow["cpu_s_per_1000"], flow["rss_mib"]
    for name in sorted(cpu, key=lambda each: -cpu[each]):
        table.add_row(name, f"{cpu[name] * 1000:.1f}", f"{rss.get(name, 0):.0f}")
    table.add_row("generator", f"{flow['generator_cpu_s_per_1000'] * 1000:.1f}", "")
    table.add_section()
    table.add_row("all but the generator", f"{sum(cpu.values()) * 1000:.1f}", "")
    return table


def _costs(flow: Result) -> Table:
    table = _table("PostgreSQL, per 1,000 touchpoints", "", "number", "records each")
    for name, number in flow["transactions_per_1000"].items():
        size = flow["rows_a_transaction"].get(name)
        table.add_row(f"transactions, {name}", f"{number:.2f}", f"{size:,.0f}" if size else "")
    server = flow["server_per_1000"]
    table.add_row("transactions, all", f"{server['transactions']:.2f}", "")
    table.add_row("sessions opened", f"{server['sessions']:.2f}", "")
    table.add_row("WAL, KiB", f"{server['wal_bytes'] / 1024:.0f}", "")
    table.add_row("WAL, syncs", f"{server['wal_syncs']:.2f}", "")
    for name, number in sorted(flow["rows_per_1000"].items(), key=lambda each: -each[1]):
        table.add_row(f"rows written, {name}", f"{number:,.0f}", "")
    for name, number in sorted(flow["rows_scanned_per_1000"].items(), key=lambda each: -each[1]):
        table.add_row(f"rows read without an index, {name}", f"{number:,.0f}", "")
    return table


def _standing(standing: Result) -> Table:
    table = _table(f"Beside {standing['open']:,} open commitments", "", "measured", "")
    table.add_row("1,000 live events judged", f"{standing['cpu_s_per_1000'] * 1000:.1f}", "ms of CPU")
    table.add_row("the same with nothing open", f"{standing['cpu_s_per_1000_without'] * 1000:.1f}", "ms of CPU")
    table.add_row(f"{standing['fired']:,} due at once, said within", f"{standing['fired_in_s']:.1f}", "s")
    table.add_row("others' barrier to verdict, p99", f"{standing['others_p99_s']:.2f}", f"s, of {standing['others']:,}")
    return table


def _told(name: str, kind: str) -> str:
    return name.removeprefix(kind).removesuffix("_p95_ms").replace("_", " ")


_LIMITS = {"list_nobody_p95_ms": "limit: a list that finds nobody", "list_bare_p95_ms": "limit: the rows of a page by bare SQL"}


def _recovery(cases: Result) -> Table:
    table = _table(f"Recovery with {cases['cases']:,} open cases", "", "p50 ms", "p95 ms", "CPU ms")
    for kind, told in (("list_", "list, "), ("measures_", "measures by "), ("act_", "act, ")):
        for name in [each for each in cases if each.startswith(kind) and each.endswith("_p95_ms")]:
            what = _LIMITS.get(name, told + _told(name, kind))
            table.add_row(what, *(f"{cases[name.replace('p95_ms', each)]:,.1f}" for each in ("p50_ms", "p95_ms", "cpu_ms")))
    for name in [each for each in cases if each.startswith("page_") and each.endswith("_p95_ms")]:
        p50, p95 = (f"{cases[name.replace('p95_ms', each)]:,.1f}" for each in ("p50_ms", "p95_ms"))
        table.add_row("page, " + _told(name, "page_"), p50, p95, "")
    if viewers := cases.get("viewers"):
        heard = f"{cases['viewers_p50_s'] * 1000:,.1f}", f"{cases['viewers_all_s'] * 1000:,.1f} (all)"
        table.add_row(f"{viewers} pages hear of an act", *heard, "")
    for kind, number in (("opening", cases["cases"]), ("rush", cases["rush"])):
        cpu = sum(cases[f"{kind}_cpu_s"].values())
        table.add_row(f"{number:,} failures sent, and their cases open", "", f"{cases[f'{kind}_s']:,.1f} s", f"{cpu:,.1f} s")
    table.add_row("one act meanwhile", *(f"{cases[f'rush_act_{each}_ms']:,.1f}" for each in ("p50", "p95")), "")
    return table


def _backtest(backtest: Result) -> Table:
    table = _table(f"Backtest, {backtest['events']:,} events in {backtest['file_mib']:.0f} MiB", "", "measured", "")
    table.add_row("one promise", f"{backtest['events_per_s']:,.0f}", "events/s")
    table.add_row("limit: parse and count", f"{backtest['limit_events_per_s']:,.0f}", "events/s")
    table.add_row("peak memory", f"{backtest['rss_mib']:.0f}", "MiB")
    table.add_row("thirty promises", f"{backtest['thirty_times_as_long']:.2f}", "times as long")
    table.add_row("their peak memory", f"{backtest['thirty_rss_mib']:.0f}", "MiB")
    return table
