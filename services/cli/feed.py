"""`feed try`, `feed run`, `feed list`: what a feed would make of what a company has, its history sent on, and how feeds stand."""

import asyncio
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.text import Text

from deploy.errors import StackError
from deploy.local import state
from services.chassis.documents import one_of
from services.cli import console, files
from services.cli.client import Client, running
from services.cli.console import Showing
from services.cli.feeding import reading, showing
from services.cli.feeding.reading import Read
from services.cli.feeding.running import Run, Sending, behind, fingerprint
from services.cli.feeding.showing import Judge
from services.journey.domain import WINDOW, EventType, EventTypes
from services.journey.feeds import document
from services.journey.feeds.document import Feed, Lines, Sql
from services.promises.language import declarations

_DEFAULT: Final = 20
_MOST: Final = 100_000
File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A file with a Feed document.")]
Name = Annotated[str | None, typer.Option("--name", help="Which feed, where the file holds several.")]
Input = Annotated[
    Path | None,
    typer.Option("--input", metavar="PATH", exists=True, dir_okay=False, readable=True, help="Read this file instead of the document's."),
]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Feeds: what you have already, as touchpoints.")
    group.command("try")(try_)
    group.command()(run)
    group.command("list")(list_)
    app.add_typer(group, name="feed")


def try_(
    file: File,
    name: Name = None,
    input_: Input = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many records to look at.")] = _DEFAULT,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where the topic is; default: the running system's Kafka.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a record.")] = False,
    any_age: Annotated[bool, typer.Option("--any-age", help="Nothing is too old, as in `feed run --backfill`.")] = False,
) -> None:
    """Show what would come out and what would be refused; nothing is sent, committed or kept. Exit 1 when anything is refused."""
    feed, judge = _feed(file, name)
    judge.window = None if any_age else WINDOW
    found = [judge.of(each) for each in _sample(feed, file, input_, limit, kafka)]
    if as_json:
        for line, _ in showing.as_json(found):
            sys.stdout.buffer.write(line + b"\n")
    else:
        showing.table(found)
    if any(each.becomes == "refused" for each in found):
        raise typer.Exit(1)


def run(
    file: File,
    name: Name = None,
    input_: Input = None,
    again: Annotated[bool, typer.Option("--again", help="From the beginning, not from where the last run came to.")] = False,
    backfill: Annotated[
        str | None, typer.Option(metavar="REASON", help="It is history, of any age: judged when all of it is there, and it opens no case.")
    ] = None,
) -> None:
    """Send a file or the rows of a query on, to the end; interrupted, the next run goes on from there. Run twice, it doubles nothing."""
    feed, judge = _feed(file, name)
    if not isinstance(feed.origin, Lines | Sql):
        raise StackError(f"{feed.name} reads a {feed.kind}: it runs by itself once it is published, `makegood publish {file}`")
    path = _path(feed, file, input_) if isinstance(feed.origin, Lines) else None
    origin = f"{feed.origin.dsn} {feed.origin.query}" if isinstance(feed.origin, Sql) else fingerprint(path or file)
    with Client(running()) as client, Showing("records read") as shown:
        work = Run(feed, state.data_folder() / "feeds", origin, again=again)
        if backfill is not None or work.position.backfill is not None:
            judge.window = None
            work.begin(client, backfill or "as begun")
        sending = Sending(client, work, judge, shown)
        if path is not None:
            for each in behind(reading.of_file(feed, path), work.position.mark):
                sending.take(each)
        else:
            asyncio.run(_query(feed, sending, work.position.mark or None))
        sending.finish()
        work.end(client)
    _tell(work)


def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON line a feed.")] = False) -> None:
    """Show the published feeds: how far each has come, how far it lags, and what keeps it from reading."""
    with Client(running()) as client:
        found = client.get("journey", "/v1/feeds")["items"]
    if as_json:
        for each in found:
            sys.stdout.buffer.write(orjson.dumps(each) + b"\n")
        return
    numbers = ("lag", "forwarded", "refused", "skipped")
    shown = console.table("feed", "source", "reads", "read until", "caught up", "trouble", numbers=numbers)
    for each in found:
        figures = [each["lag"], *(each["counts"].get(name, 0) for name in numbers[1:])]
        what = "paused" if each["paused"] else each["topic"] or each["kind"]
        words = (each["name"], each["source"], what, *(each[name] or "" for name in ("read_until", "caught_up", "trouble")))
        shown.add_row(*map(Text, words), *("" if figure is None else f"{figure:,}" for figure in figures))
    console.output().print(shown)


def _feed(file: Path, name: str | None) -> tuple[Feed, Judge]:
    """Return the feed of a file, and who judges by the event types and sources beside it; ends the command with what is wrong."""
    documents = files.read([file])
    found = document.read(file.read_text(encoding="utf-8"), str(file))
    named = {each.name: each for each in found}
    if name is not None and name not in named:
        raise StackError(f"{file} has no feed `{name}`; {one_of(name, named)}")
    if name is None and len(found) != 1:
        raise StackError(f"{file} holds {console.count(found, 'feed')}; say which with --name")
    types = [each.declares for each in documents if isinstance(each.declares, declarations.EventType)]
    trusted = [str(each.raw["spec"]["source"]) for each in documents if each.kind == "Source" and each.raw["spec"].get("trusted")]
    return named[name] if name is not None else found[0], Judge(EventTypes(map(_event_type, types)), trusted)


def _event_type(declared: declarations.EventType) -> EventType:
    return EventType(declared.type, tuple((each.name, each.path, each.person) for each in declared.identifiers))


def _sample(feed: Feed, file: Path, input_: Path | None, limit: int, kafka: str | None) -> list[Read]:
    if isinstance(feed.origin, Lines) or input_ is not None:
        return list(islice(reading.of_file(feed, _path(feed, file, input_)), limit))
    if isinstance(feed.origin, Sql):
        return asyncio.run(_rows(feed, limit))
    if feed.kind == "webhook":
        raise StackError("a webhook comes when it comes; --input names a file of bodies to try, one a line")
    return reading.of_topic(feed, kafka or running().kafka, limit)


def _path(feed: Feed, file: Path, input_: Path | None) -> Path:
    """The document's path is relative to the document."""
    return input_ or file.parent / (feed.origin.path if isinstance(feed.origin, Lines) else "")


async def _rows(feed: Feed, limit: int) -> list[Read]:
    found: list[Read] = []
    rows = reading.of_query(feed)
    async for each in rows:
        found.append(each)
        if len(found) == limit:
            break
    await rows.aclose()  # type: ignore[attr-defined]
    return found


async def _query(feed: Feed, sending: Sending, after: str | None) -> None:
    async for each in reading.of_query(feed, after):
        sending.take(each)


def _tell(work: Run) -> None:
    counts = work.position.counts
    err = console.messages()
    told = [
        f"{counts.get(name, 0):,} {name}"
        for name in ("accepted", "duplicate", "skipped", "refused")
        if name == "accepted" or counts.get(name)
    ]
    err.print(f"to its end: {', '.join(told)}")
    if counts.get("refused"):
        err.print(f"what was refused, and why, is in {work.refusals}", markup=False)
        raise typer.Exit(1)
