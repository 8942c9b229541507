"""`backfill`: history of one source into a running system, between a start and an end in every lane."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import orjson
import typer

from services.cli import console
from services.cli.client import Client, running
from services.cli.emit import Numbered, conclude, send


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(backfill)


def backfill(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="CloudEvents, JSON Lines.")],
    source: Annotated[str, typer.Option(metavar="SOURCE", help="`source` of all of its events.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is brought in, for whoever asks later.")],
) -> None:
    """Bring history of any age into a running system: its commitments are judged once all of it is there, and open no case."""
    key = sha256(source.encode() + b"\0" + file.read_bytes()).hexdigest()
    with Client(running()) as client:
        asked = client.post(
            "journey", "/v1/backfills", json={"source": source, "reason": reason}, headers={"Idempotency-Key": f"file:{key}"}
        )
        if asked["ended_at"] is not None:
            print(f"this file was brought in already, for {asked['by']}, as {asked['id']}; it was complete at {asked['ended_at']}")
            return
        with file.open("rb") as content:
            accepted, refused = send(client, _belonging(enumerate(content, start=1), asked["id"]))
        client.post("journey", f"/v1/backfills/{asked['id']}/end")
    counts = f"{console.plural(accepted, 'event')} accepted, {len(refused):,} refused"
    conclude(str(file), refused, f"backfill {asked['id']}: {counts}; it is complete")


def _belonging(lines: Iterable[Numbered], backfill: str) -> Iterator[Numbered]:
    """The events of a file as those of a backfill; what is no event goes on as it is, to be told so."""
    for number, line in lines:
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield number, line
            continue
        yield number, orjson.dumps(event | {"backfill": backfill}) if isinstance(event, dict) else line
