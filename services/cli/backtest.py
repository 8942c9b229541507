"""`backtest`: promises before anyone publishes them, without any server; nothing of it is kept but the files that were asked for."""

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from services.chassis import rfc3339
from services.cli import history
from services.cli.files import Files, fail, read_with_places
from services.cli.history import History
from services.cli.reports import costs
from services.cli.reports.compare import Pair, pairs, to_compare
from services.cli.reports.costs import Costs
from services.cli.reports.periods import Periods, periods
from services.cli.reports.progress import Stages
from services.journey import domain as journey
from services.promises.backtest import Backtest, Report, Verdict, verdict_line
from services.promises.blindness import Source
from services.promises.compile import OURSELVES, Catalogue, Compiled
from services.promises.language.declarations import Document, EventType, Promise

_A_STEP = 5_000


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(backtest)


@dataclass(frozen=True, slots=True)
class Tested:
    """What a history came to."""

    reading: History
    backtest: Backtest
    reports: list[Report]
    pairs: list[Pair]
    costs: Costs
    periods: Periods | None
    """None where nothing is told by periods."""


def backtest(
    files: Files,
    events: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="CloudEvents, JSON Lines.")] = None,
    journal: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Instead: what the running system was sent.")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="The barrier; default: the latest arrival.")] = None,
    verdicts: Annotated[Path | None, typer.Option(metavar="FILE", help="One JSON line a commitment.")] = None,
    compare: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE2", help="What these would change.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="REPORT", help="A page with charts, complete in itself.")] = None,
    *,
    effective: Annotated[bool, typer.Option("--effective", help="Honour `effective_from`.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a promise.")] = False,
) -> None:
    """Judge what promises would have come to on stored history."""
    placed = read_with_places(files)
    documents = [document for _, document in placed]
    others = [] if compare is None else [document for _, document in read_with_places([compare])]
    if wrong := costs.problems(placed):
        fail(map(str, wrong))
    if not _promises(documents):
        raise typer.BadParameter("there is no promise in these files")
    if journal is not None or events is None:
        given = {
            "--events": events,
            "--as-of": as_of,
            "--verdicts": verdicts,
            "--compare": compare,
            "--html": html,
            "--effective": effective,
        }
        _judge_journal(documents, journal, [name for name, value in given.items() if value], as_json=as_json)
        return
    with _uncollected(), Stages() as stages:
        tested = _tested(stages, documents, others, events, _as_of(as_of), effective=effective, told=html is not None or not as_json)
        _tell_refused(tested.reading)
        if verdicts is not None:
            _write_verdicts(verdicts, tested, stages)
        if html is not None:
            _write_page(html, tested, events.name, "" if compare is None else compare.name, stages)
        if as_json:
            _print_lines(tested, compared=compare is not None)
        else:
            _print_tables(tested, "" if compare is None else compare.name)


def _judge_journal(documents: list[Document], within: str | None, others: list[str], *, as_json: bool) -> None:
    from services.cli import console, journal  # noqa: PLC0415 - what speaks to a system takes a second to load
    from services.cli.reports import table  # noqa: PLC0415

    if within is None:
        raise typer.BadParameter("say which history: `--events FILE`, or `--journal FROM..TO` for the running system's own")
    if others:
        raise typer.BadParameter(f"`--journal` does not go with {', '.join(others)}")
    lines = journal.judged(documents, journal.span(within))
    known = costs.costs(documents)
    if as_json:
        _write([_with_cost(line, known) for line in lines])
    else:
        table.show_lines(console.output(), lines, known, {})


def _tested(
    stages: Stages, documents: list[Document], others: list[Document], events: Path, until: datetime | None, *, effective: bool, told: bool
) -> Tested:
    sets = [_promises(documents), _promises(others)]
    ones, other_ones = [[Compiled(each, effective_from=each.effective_from if effective else None) for each in some] for some in sets]
    everything = documents + others
    catalogue = Catalogue([*ones, *other_ones])
    stages.begin("reading", events.stat().st_size)
    reading, tested = history.read(
        lambda: History(events, _identifying(everything), until, _trusted(everything), _heard_from(everything)),
        lambda: Backtest(catalogue),
        stages.advance,
    )
    if reading.barrier == history.NEVER:
        _tell_refused(reading)
        fail([f"{events}: there is no event in it"])
    chosen = periods(reading.latest - reading.earliest) if told else None
    stages.begin("judging", tested.strands)
    reports = tested.reports(reading.barrier, None if chosen is None else chosen.of, stages.advance)
    first, second = reports[: len(ones)], reports[len(ones) :]
    stages.begin("comparing", to_compare(first, second))
    compared = pairs(tested, first, second, reading.barrier, stages.advance) if others else []
    return Tested(reading, tested, first, compared, costs.costs(documents), chosen)


def _promises(documents: Iterable[Document]) -> list[Promise]:
    return [each.declares for each in documents if isinstance(each.declares, Promise)]


def _print_lines(tested: Tested, *, compared: bool) -> None:
    lines = [_with_cost(each.as_json(), tested.costs) for each in tested.reports]
    if compared:
        held = {pair.name: pair.as_json() for pair in tested.pairs}
        lines = [line | {"compared": held[line["promise"]]} for line in lines]
        lines += [{"added": pair.name, **(pair.as_json() or {})} for pair in tested.pairs if pair.one is None]
        lines += [each.as_json() for pair in tested.pairs for each in pair.differences]
    _write(lines)


def _write(lines: Iterable[dict[str, Any]]) -> None:
    for line in lines:
        sys.stdout.write(orjson.dumps(line).decode() + "\n")


def _with_cost(line: dict[str, Any], known: Costs) -> dict[str, Any]:
    cost = known.known.get(line["promise"])
    return line if cost is None else line | {"cost": cost.as_json(line["broken"])}


def _print_tables(tested: Tested, compared: str) -> None:
    # loading it takes longer than judging a month
    from services.cli import console  # noqa: PLC0415
    from services.cli.reports import table  # noqa: PLC0415

    out = console.output()
    assert tested.periods is not None
    table.show(out, tested.reports, tested.periods, tested.costs)
    if compared:
        table.show_pairs(out, tested.pairs, compared)


def _write_page(path: Path, tested: Tested, events: str, compared: str, stages: Stages) -> None:
    from services.cli.reports import figures, page  # noqa: PLC0415 - as above

    assert tested.periods is not None
    found = [figures.figures(each, _shown(tested, each, stages, f"describing {each.version.name}")) for each in tested.reports]
    told = page.Told(events, found, tested.periods, tested.costs, tested.pairs, compared)
    path.write_text(page.page(told), encoding="utf-8")


def _write_verdicts(path: Path, tested: Tested, stages: Stages) -> None:
    with path.open("wb") as file:
        for each in tested.reports:
            for verdict in _shown(tested, each, stages, f"writing {each.version.name}"):
                file.write(orjson.dumps(verdict_line(each.version, verdict)) + b"\n")


def _shown(tested: Tested, report: Report, stages: Stages, what: str) -> Iterator[Verdict]:
    """Judge every commitment of a promise, and show how far it has come."""
    stages.begin(what, report.commitments)
    for number, verdict in enumerate(tested.backtest.verdicts(report.version, tested.reading.barrier)):
        yield verdict
        if number % _A_STEP == 0:
            stages.advance(number)


@contextmanager
def _uncollected() -> Iterator[None]:
    # millions of small values that all stay: looking for cycles among them costs more than a third of the time
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()


def _identifying(documents: Iterable[Document]) -> list[journey.EventType]:
    described = [each.declares for each in documents if isinstance(each.declares, EventType)]
    return [
        journey.EventType(each.type, tuple((one.name, one.path, one.person) for one in each.identifiers), each.about_many)
        for each in described
        if each.identifiers
    ]


def _trusted(documents: Iterable[Document]) -> frozenset[str]:
    """The sources that may say who is whom."""
    spoken = (each.raw["spec"] for each in documents if each.kind == "Source")
    return frozenset(str(spec["source"]) for spec in spoken if spec.get("trusted"))


def _heard_from(documents: Iterable[Document]) -> dict[str, Source]:
    """The declared sources; our own services are not heard in files."""
    sources = [each.declares for each in documents if isinstance(each.declares, Source)]
    return {each.name: each for each in sources if not each.name.startswith(OURSELVES)}


def _as_of(text: str | None) -> datetime | None:
    try:
        return None if text is None else rfc3339.parse(text).astimezone(UTC)
    except rfc3339.BadTime as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None


def _tell_refused(reading: History) -> None:
    refused = reading.refused
    for reason, count in refused.reasons.most_common():
        sys.stderr.write(f"refused {count} {'line' if count == 1 else 'lines'}: {reason}\n")
    for example in refused.examples:
        sys.stderr.write(f"  {example}\n")
