"""`lint` and `backtest`: promises before anyone publishes them, without any server."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.chassis import rfc3339
from services.chassis.documents import Finding, ProblemsFoundError
from services.cli import history
from services.cli.history import History
from services.journey import domain as journey
from services.promises import language
from services.promises.backtest import Backtest, Report, verdict_line
from services.promises.compile import Catalogue, Compiled
from services.promises.declarations import Document, EventType, Promise

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, readable=True)]
_PATIENCE = 2.0
_COLUMNS = {
    "all": "commitments",
    "kept": "kept",
    "standing": "standing",
    "broken": "broken",
    "late": "late",
    "never": "never",
    "withdrawn": "withdrawn",
    "open": "open",
}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(lint)
    app.command()(backtest)


def lint(files: Files) -> None:
    """Check promise files; every finding is `file:line:column: what is wrong, and what would be right`."""
    found = _read(files)
    Console(stderr=True).print(f"{len(found)} documents in {len(files)} files, nothing found")


def backtest(
    files: Files,
    events: Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True, help="CloudEvents, JSON Lines.")],
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="The barrier; default: the latest arrival.")] = None,
    verdicts: Annotated[Path | None, typer.Option(metavar="FILE", help="One JSON line a commitment.")] = None,
    *,
    effective: Annotated[bool, typer.Option("--effective", help="Honour `effective_from`.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a promise.")] = False,
) -> None:
    """Judge what promises would have come to on stored history."""
    found = _read(files)
    promises = [each.declares for each in found if isinstance(each.declares, Promise)]
    if not promises:
        raise typer.BadParameter("there is no promise in these files")
    catalogue = Catalogue(Compiled(each, effective_from=each.effective_from if effective else None) for each in promises)
    until, keep_ids = _as_of(as_of), verdicts is not None
    with _uncollected():
        with _Showing(events) as showing:
            reading, tested = history.read(
                lambda: History(events, _identifying(found), until, keep_ids), lambda: Backtest(catalogue), showing.advance
            )
        _tell_refused(reading)
        if reading.barrier == history.NEVER:
            _fail([f"{events}: there is no event in it"])
        if verdicts is not None:
            _write_verdicts(verdicts, tested, reading)
        _print([tested.report(each, reading.barrier) for each in catalogue], as_json=as_json)


def _print(reports: list[Report], *, as_json: bool) -> None:
    if not as_json:
        Console().print(_table(reports))
        return
    for each in reports:
        sys.stdout.write(orjson.dumps(each.as_json()).decode() + "\n")


@contextmanager
def _uncollected() -> Iterator[None]:
    # millions of small values that all stay: looking for cycles among them costs more than a third of the time
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(files: list[Path]) -> list[Document]:
    """Read all files and tell every finding of all of them, not only of the first."""
    found: list[Document] = []
    findings: list[Finding] = []
    places: dict[tuple[str, str], str] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
            documents = language.read(text, str(file))
        except UnicodeDecodeError:
            findings.append(Finding(str(file), 1, 1, "this is not UTF-8 text"))
            continue
        except ProblemsFoundError as problems:
            findings += problems.findings
            continue
        for each in documents:
            elsewhere = places.setdefault((each.kind, each.name), str(file))
            if elsewhere != str(file):
                message = f"there is a {each.kind} named `{each.name}` in {elsewhere} already; give it its own"
                findings.append(Finding(str(file), each.line, 1, message))
        found += documents
    if findings:
        _fail([str(each) for each in findings])
    return found


def _identifying(documents: list[Document]) -> list[journey.EventType]:
    described = [each.declares for each in documents if isinstance(each.declares, EventType)]
    return [
        journey.EventType(each.type, tuple((one.name, one.path, one.person) for one in each.identifiers))
        for each in described
        if each.identifiers
    ]


def _as_of(text: str | None) -> datetime | None:
    try:
        return None if text is None else rfc3339.parse(text).astimezone(UTC)
    except rfc3339.BadTime as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None


def _fail(lines: list[str]) -> None:
    for line in lines:
        sys.stderr.write(line + "\n")
    raise typer.Exit(1)


def _tell_refused(reading: History) -> None:
    refused = reading.refused
    for reason, count in refused.reasons.most_common():
        sys.stderr.write(f"refused {count} lines: {reason}\n")
    for example in refused.examples:
        sys.stderr.write(f"  {example}\n")


def _write_verdicts(path: Path, tested: Backtest, reading: History) -> None:
    with path.open("wb") as file:
        for version in tested.catalogue:
            for verdict in tested.verdicts(version, reading.barrier):
                file.write(orjson.dumps(verdict_line(version, verdict, reading.ids)) + b"\n")


def _table(reports: list[Report]) -> Table:
    title = f"as of {reports[0].as_of:%Y-%m-%d %H:%M:%S} UTC, {reports[0].events:,} events"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("promise", no_wrap=True)
    lines = [report.as_json() for report in reports]
    names = [name for name in _COLUMNS if name != "standing" or any(line["standing"] for line in lines)]
    for name in (*names, "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(line["promise"], *_cells(names, line), style="bold" if line["segments"] else None)
        for segment in line["segments"]:
            table.add_row(f"  {segment['segment']}", *_cells(names, segment))
    return table


def _cells(names: list[str], line: dict[str, int]) -> list[str]:
    decided = line["kept"] + line["broken"]
    share = f"{line['kept'] / decided:.1%}" if decided else ""
    return [f"{line[name]:,}" if name in line else "" for name in map(_COLUMNS.__getitem__, names)] + [share]


class _Showing:
    """A progress bar on standard error, once it takes longer than patience and someone is watching."""

    def __init__(self, path: Path) -> None:
        self._total = None if path.suffix == ".gz" else path.stat().st_size
        self._started = time.monotonic()
        self._bar: Progress | None = None
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def advance(self, read_bytes: int) -> None:
        """Show how far reading has come."""
        if self._bar is None:
            if time.monotonic() - self._started < _PATIENCE or not sys.stderr.isatty():
                return
            columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("reading", total=self._total)
            self._bar.start()
            self._stop = self._bar.stop
        self._bar.update(self._bar.task_ids[0], completed=read_bytes)
