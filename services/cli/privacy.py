"""`export`, `erase`, `retention`: everything that is known of somebody, forgetting them, and letting go of what is old."""

import sys
import time
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
import typer

from deploy.errors import StackError
from services.chassis.settings import Clock
from services.cli import console, tasks
from services.cli.answers import key_of
from services.cli.client import Client, RefusedError, running
from services.cli.console import Waiting

_SERVICES: Final = ("journey", "promises", "recovery")
_RETAINING: Final = ("journey", "recovery")
_A_LOOK_SECONDS: Final = 0.5
Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="As systems write it (crm:4711), or the customer's key.")]


class Reason(StrEnum):
    """Why somebody is forgotten."""

    request = "request"
    objection = "objection"
    consent_withdrawn = "consent-withdrawn"
    unlawful = "unlawful"
    no_longer_needed = "no-longer-needed"
    required_by_law = "required-by-law"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(export)
    app.command()(erase)
    app.command()(retention)


def export(
    customer: Customer,
    output: Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write it there; default: standard output.")] = None,
) -> None:
    """Tell everything that all services keep of a customer, as JSON Lines; each service's part begins and ends with what is in it."""
    with Client(running()) as client:
        key = key_of(client, customer)
        parts = [_part(client, service, key) for service in _SERVICES]
    counts = {service: _counted(service, part) for service, part in zip(_SERVICES, parts, strict=True)}
    if output is None:
        sys.stdout.buffer.writelines(parts)
    else:
        output.write_bytes(b"".join(parts))
    told = ", ".join(f"{sum(found.values()):,} of {service}" for service, found in counts.items())
    console.messages().print(f"customer {key}, records: {told}")


def _part(client: Client, service: str, key: UUID) -> bytes:
    """The export of one service; nothing where it has never heard of the customer."""
    try:
        return client.call("GET", service, f"/v1/customers/{key}/export").content
    except RefusedError as refused:
        if refused.status == HTTPStatus.NOT_FOUND and service != _SERVICES[0]:
            return b""
        raise


def _counted(service: str, part: bytes) -> dict[str, int]:
    """How many records of which kind an export says that it holds; raises where it is cut or was changed on its way."""
    if not part:
        return {}
    *lines, last = part.splitlines(keepends=True)
    end = orjson.loads(last).get("end", {})
    if end.get("sha256") != sha256(b"".join(lines)).hexdigest():
        raise StackError(f"the export of {service} is not whole: ask for it again")
    found: dict[str, int] = end["records"]
    return found


def erase(
    customer: Customer,
    reason: Annotated[Reason, typer.Option(help="Why; one of these words, so that the audit itself names nobody.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    wait: Annotated[bool, typer.Option(help="Return when every service has erased its part.")] = True,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait; then exit 1, it goes on by itself.")] = 600,
) -> None:
    """Forget a customer, under all keys of that person, in all services. It cannot be undone."""
    with Client(running()) as client:
        key = key_of(client, customer)
        known = client.get("journey", f"/v1/customers/{key}")
        if not yes:
            names = console.plural(len(known["identifiers"]), "identifier")
            typer.confirm(f"Forget {customer} for good, under {names} and {console.plural(len(known['keys']), 'key')}?", abort=True)
        found = client.post("journey", f"/v1/customers/{key}/erasure", json={"reason": reason.value})
        if wait:
            found = _erased(client, key, timeout)
    out = console.output()
    for each in found["keys"]:
        done = ", ".join(f"{service} {each[service] or 'not yet'}" for service in _SERVICES)
        out.print(f"{each['customer']}  {each['emptied']:,} events and facts emptied; {done}", markup=False)
    out.print(f"{found['state']}: asked for by {found['by']} at {found['asked_at']}", markup=False)


def _erased(client: Client, key: UUID, seconds: float) -> Any:
    until = time.monotonic() + seconds
    with Waiting() as waiting:
        while True:
            found = client.get("journey", f"/v1/customers/{key}/erasure")
            if found["state"] == "done":
                return found
            left = sorted({service for each in found["keys"] for service in _SERVICES if each[service] is None})
            if time.monotonic() > until:
                raise StackError(f"{' and '.join(left)} has not erased its part after {seconds:g} s; it goes on by itself: ask again")
            waiting.tell(f"waiting for {' and '.join(left)}")
            time.sleep(_A_LOOK_SECONDS)


def retention(
    days: Annotated[int, typer.Option(min=32, help="Of what is known of repeats, of settled refusals and of what was told.")] = 32,
    history: Annotated[
        int | None, typer.Option(min=32, metavar="DAYS", help="Keep so many of touchpoints and timelines, too; it cannot be undone.")
    ] = None,
) -> None:
    """Let go of what is old enough, in bounded batches beside whatever goes on; to be run once a day."""
    stack = running()
    if stack.clock == Clock.REPLAY:
        raise StackError("a system on the replay clock holds history, all of which is old")
    shown = console.table("service", "table", "older than", numbers=["rows"])
    for service in _RETAINING:
        further = ["--history", str(history)] if history is not None and service == "journey" else []
        for line in tasks.lines(stack, service, "retain", ["--days", str(days), *further]):
            found = orjson.loads(line)
            shown.add_row(service, found["table"], found["before"], f"{found['rows']:,}")
    console.output().print(shown)
