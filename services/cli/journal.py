"""A backtest over what the running system was sent: asked for over REST, looked at while it runs, and forgotten afterwards."""

import time
from collections.abc import Iterable
from datetime import UTC
from typing import Any, Final
from uuid import uuid4

import typer

from deploy.errors import StackError
from services.chassis import rfc3339
from services.cli.client import Client, running
from services.cli.reports.progress import Stages
from services.promises.language.declarations import Document

_PATH: Final = "/v1/backtests"
_KINDS: Final = ("Promise", "Calendar")
_UNDER_WAY: Final = ("waiting", "running")
_A_LOOK_SECONDS: Final = 0.5


def span(text: str) -> dict[str, str | None]:
    """Read `FROM..TO`; either may be left out."""
    since, dots, until = text.partition("..")
    try:
        read = {name: rfc3339.parse(each).astimezone(UTC).isoformat() if each else None for name, each in (("from", since), ("to", until))}
    except rfc3339.BadTime as error:
        raise typer.BadParameter(str(error), param_hint="--journal") from None
    if not dots:
        raise typer.BadParameter("say it as FROM..TO; either time may be left out, as in 2026-01-01T00:00:00Z..", param_hint="--journal")
    return read


def judged(documents: Iterable[Document], within: dict[str, str | None]) -> list[dict[str, Any]]:
    """Return the line of each promise; whatever ends this, the system keeps nothing of it."""
    sent = {"documents": [each.raw for each in documents if each.kind in _KINDS], **within}
    with Client(running()) as client, Stages() as stages:
        asked = client.post("promises", _PATH, json=sent, headers={"Idempotency-Key": str(uuid4())})
        place = f"{_PATH}/{asked['id']}"
        try:
            found = _ended(client, place, stages)
        finally:
            client.call("DELETE", "promises", place)
    if found["state"] == "done":
        return list(found["items"])
    raise StackError(found["problem"] or "the process that ran this backtest has ended; ask for it again")


def _ended(client: Client, place: str, stages: Stages) -> dict[str, Any]:
    total = None
    while True:
        found: dict[str, Any] = client.get("promises", place)
        if found["state"] not in _UNDER_WAY:
            return found
        if found["total"] != total:
            total = found["total"]
            stages.begin("reading the journal", total)
        stages.advance(found["read"])
        time.sleep(_A_LOOK_SECONDS)
