"""`emit`: touchpoints over HTTP, as a company system sends them, from a file, standard input or the command's own words."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import orjson
import typer

from deploy.errors import StackError
from deploy.local.state import State
from services.chassis.instants import text_of
from services.chassis.settings import Clock
from services.cli import console
from services.cli.client import Client, RefusedError, running
from services.cli.console import Showing
from services.cli.replay import standing_at

MOST_EVENTS: Final = 500
MOST_BYTES: Final = 2 * 1024 * 1024
_CANNOT_BE_TAKEN: Final = (400, 413, 422)
_BATCH: Final = {"Content-Type": "application/cloudevents-batch+json"}
_STDIN: Final = Path("-")
Numbered = tuple[int, bytes]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(emit)


def emit(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE|-]", help="CloudEvents, JSON Lines; - is standard input.")] = None,
    type_: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Send one event of this type instead.")] = None,
    subject: Annotated[str | None, typer.Option(help="Whom it is about, as in crm:4711.")] = None,
    data: Annotated[str, typer.Option(metavar="JSON", help="What happened.")] = "{}",
    time: Annotated[str | None, typer.Option(metavar="TIME", help="When it happened; default: now, as the system has it.")] = None,
) -> None:
    """Send touchpoints; exit 1 and say of each that was refused why, when any was."""
    if (file is None) == (type_ is None):
        raise typer.BadParameter("give either a file (- for standard input) or --type, not both")
    stack = running()
    with Client(stack) as client:
        if type_ is not None:
            line = orjson.dumps(_event(client, stack, type_, subject, _json(data), time))
            accepted, refused = send(client, [(1, line)])
        elif file == _STDIN:
            accepted, refused = send(client, enumerate(sys.stdin.buffer, start=1))
        else:
            assert file is not None
            accepted, refused = _send_file(client, file)
    conclude(str(file or "--type"), refused, f"{console.plural(accepted, 'event')} accepted, {len(refused):,} refused")


def conclude(where: str, refused: Sequence[tuple[int, str]], told: str) -> None:
    """Say of each event that was refused why, and what came of all; ends the command with 1 where any was."""
    err = console.messages()
    for number, why in refused:
        err.print(f"{where}:{number}: {why}", markup=False)
    err.print(told)
    if refused:
        raise typer.Exit(1)


def send(client: Client, lines: Iterable[Numbered]) -> tuple[int, list[tuple[int, str]]]:
    """Send lines in batches; return how many were accepted, and of each that was not its number and why."""
    accepted = 0
    refused: list[tuple[int, str]] = []
    with Showing("events accepted") as showing:
        for batch in _batches(_json_objects(lines, refused)):
            accepted += send_batch(client, batch, refused)
            showing.advance(accepted)
    return accepted, sorted(refused)


def _send_file(client: Client, file: Path) -> tuple[int, list[tuple[int, str]]]:
    try:
        with file.open("rb") as content:
            return send(client, enumerate(content, start=1))
    except OSError as error:
        raise StackError(f"{file} cannot be read: {error.strerror}") from error


def send_batch(client: Client, batch: list[Numbered], refused: list[tuple[int, str]]) -> int:
    """Send one batch; where some of it is refused, none was taken, and the others are sent without those."""
    while batch:
        try:
            body = b"[" + b",".join(line for _, line in batch) + b"]"
            return int(client.post("journey", "/v1/touchpoints", content=body, headers=_BATCH)["accepted"])
        except RefusedError as error:
            if error.status not in _CANNOT_BE_TAKEN:
                raise
            wrong = {fault["index"]: str(fault["detail"]) for fault in error.faults if "index" in fault}
            if not wrong and len(batch) > 1:
                middle = len(batch) // 2
                return send_batch(client, batch[:middle], refused) + send_batch(client, batch[middle:], refused)
            wrong = wrong or {0: str(error)}
            refused += [(batch[index][0], why) for index, why in wrong.items()]
            batch = [each for index, each in enumerate(batch) if index not in wrong]
    return 0


def _json_objects(lines: Iterable[Numbered], refused: list[tuple[int, str]]) -> Iterator[Numbered]:
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        try:
            if not isinstance(orjson.loads(text), dict):
                refused.append((number, "this is not a CloudEvent; each line is one JSON object"))
                continue
        except orjson.JSONDecodeError as error:
            refused.append((number, f"this is not JSON: {error}"))
            continue
        yield number, text


def _batches(lines: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    batch: list[Numbered] = []
    size = 0
    for number, line in lines:
        if batch and (len(batch) == MOST_EVENTS or size + len(line) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((number, line))
        size += len(line) + 1
    if batch:
        yield batch


def _event(client: Client, stack: State, type_: str, subject: str | None, data: Any, time: str | None) -> dict[str, Any]:
    if time is None:
        now = datetime.now(UTC) if stack.clock == Clock.LIVE else standing_at(client)
        if now is None:
            raise typer.BadParameter("this system's clock has not begun; say when it happened", param_hint="--time")
        time = text_of(now)
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "command-line",
        "type": type_,
        "time": time,
        "datacontenttype": "application/json",
        "data": data,
    }
    return event if subject is None else event | {"subject": subject}


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"this is not JSON: {error}", param_hint="--data") from None
