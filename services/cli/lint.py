"""`lint`: what is wrong with promise files, and what a careful reader would say of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from services.chassis import rfc3339
from services.cli import files, lines
from services.cli.files import Files
from services.promises.language.declarations import Document, Promise
from services.promises.lint import Seen, opinions


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(lint)


def lint(
    files_: Files,
    events: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="CloudEvents, JSON Lines.")] = None,
) -> None:
    """Check promise files; every finding is `file:line:column: what is wrong, and what would be right`."""
    found = files.read_with_places(files_)
    seen = None if events is None else _seen(events, [each for _, each in found])
    findings = opinions(found, datetime.now(UTC), seen)
    if findings:
        files.fail(map(str, findings))
    Console(stderr=True).print(f"{len(found)} documents in {len(files_)} files, nothing found")


def _seen(events: Path, documents: list[Document]) -> Seen:
    """Read a history; a line that is no event shows nothing, and `backtest` tells of it."""
    seen = Seen(each.declares for each in documents if isinstance(each.declares, Promise))
    with lines.opened(events) as file:
        for line in file:
            try:
                event = orjson.loads(line)
                seen.add(event, rfc3339.parse(event.get("recordedtime") or event["time"]))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
    return seen
