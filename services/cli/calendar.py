"""`calendar due` and `calendar elapsed`: what a calendar makes of the lines on standard input, one JSON object each."""

import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from services.chassis import rfc3339
from services.chassis.documents import one_of
from services.cli import files
from services.promises.calendars import Calendar
from services.promises.calendars.durations import Timekeeping

Files = Annotated[
    list[Path],
    typer.Option("--calendars", metavar="FILE", exists=True, dir_okay=False, readable=True, help="A file of calendars; again for more."),
]
Line = dict[str, Any]
_SECOND: Final = timedelta(seconds=1)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Ask calendars.")
    group.command()(due)
    group.command()(elapsed)
    app.add_typer(group, name="calendar")


def due(calendars: Files) -> None:
    """Read lines with `calendar`, `start` and `within`, and write them with `due`.

    `within` is any duration; business days with `"end": "closing"` are due at closing. A calendar in the customer's zone wants `zone`.
    """
    clocks = _read(calendars)

    def answer(line: Line) -> Line:
        time = _named(clocks, line)
        within = time.duration(_text(line, "within"), _zone(time, line), closing=line.get("end") == "closing")
        line["due"] = _written(within.after(_instant(line, "start")))
        return line

    _answer_each(sys.stdin.buffer, answer)


def elapsed(calendars: Files) -> None:
    """Read lines with `calendar`, `start` and `end`, and write them with the `seconds` of working time between."""
    clocks = _read(calendars)

    def answer(line: Line) -> Line:
        time = _named(clocks, line)
        assert time.calendar is not None
        opened = time.calendar.working_time(time.zone_of(_zone(time, line)))
        spent = opened.elapsed(_instant(line, "start"), _instant(line, "end"))
        line["seconds"] = spent / _SECOND if spent.microseconds else spent // _SECOND
        return line

    _answer_each(sys.stdin.buffer, answer)


def _read(paths: list[Path]) -> dict[str, Timekeeping]:
    found = ((each.name, each.declares) for each in files.read(paths))
    calendars = {name: Timekeeping(None, each) for name, each in found if isinstance(each, Calendar)}
    if not calendars:
        files.fail(f"{path}:1:1: there is no `kind: Calendar` in this file" for path in paths)
    return calendars


def _answer_each(lines: Iterable[bytes], answer: Callable[[Line], Line]) -> None:
    """Write the answer to each line; what cannot be answered is told with its number, and the command fails in the end."""
    write, failed = sys.stdout.buffer.write, False
    for number, text in enumerate(lines, start=1):
        if text.isspace():
            continue
        try:
            write(orjson.dumps(answer(_object(text)), option=orjson.OPT_APPEND_NEWLINE))
        except orjson.JSONDecodeError as error:
            failed = _tell(number, f"this is not JSON: {error}")
        except OverflowError:
            failed = _tell(number, "this leads past the year 9999")
        except (ValueError, TypeError) as error:
            failed = _tell(number, str(error))
    sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _object(text: bytes) -> Line:
    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise TypeError("this is not a JSON object")
    return found


def _tell(number: int, why: str) -> bool:
    sys.stderr.write(f"line {number}: {why}\n")
    return True


def _named(clocks: dict[str, Timekeeping], line: Line) -> Timekeeping:
    name = _text(line, "calendar")
    found = clocks.get(name)
    if found is None:
        raise ValueError(f"there is no calendar `{name}`; {one_of(name, clocks)}")
    return found


def _zone(time: Timekeeping, line: Line) -> str | None:
    """Return the customer's zone where the calendar goes by it; elsewhere a `zone` is any other key."""
    theirs = time.calendar is not None and time.calendar.zone is None
    return _text(line, "zone") if theirs and "zone" in line else None


def _text(line: Line, key: str) -> str:
    found = line.get(key)
    if not isinstance(found, str):
        raise TypeError(f"`{key}` is missing" if found is None else f"`{key}` must be a text, and this is {found!r}")
    return found


def _instant(line: Line, key: str) -> datetime:
    text = _text(line, key)
    try:
        return rfc3339.parse(text)
    except rfc3339.BadTime as error:
        raise ValueError(f"`{key}` {error}, and this is `{text[:50]}`") from error


def _written(moment: datetime) -> str:
    return moment.isoformat().removesuffix("+00:00") + "Z"
