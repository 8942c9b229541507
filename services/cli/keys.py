"""`keys`: the keys that company systems come in with, made, listed, exchanged and revoked at each service."""

import sys
from datetime import datetime
from typing import Annotated, Final

import orjson
import typer

from deploy.errors import StackError
from services.cli import console
from services.cli.client import Client, running

SERVICES: Final = ("journey", "promises", "recovery")
At = Annotated[str, typer.Option("--at", metavar="SERVICE", help="journey, promises or recovery; each has keys of its own.")]
Prefix = Annotated[str, typer.Argument(metavar="PREFIX", help="What stands between `mg_` and the dot.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    keys = typer.Typer(no_args_is_help=True, help="Keys that company systems come in with.")
    for each in (make, rotate, revoke):
        keys.command()(each)
    keys.command("list")(show)
    app.add_typer(keys, name="keys")


def make(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The system that will hold it.")],
    scope: Annotated[list[str], typer.Option(metavar="OPERATION", help="What it opens, by operation id; again for each.")],
    at: At = "journey",
    days: Annotated[int | None, typer.Option(help="How long it is good for; without it, until it is revoked.")] = None,
) -> None:
    """Make a key; it is shown once, on standard output, and kept nowhere."""
    with Client(running()) as client:
        made = client.post(_known(at), "/v1/api-keys", json={"name": name, "scopes": scope, "days": days})
    _tell(made["key"], f"a key of {at} for {name}: keep it now, it is not shown again")


def rotate(
    prefix: Prefix, at: At = "journey", overlap_hours: Annotated[int, typer.Option(help="For so long the old one opens, too.")] = 24
) -> None:
    """Exchange the secret of a key; it is shown once, on standard output."""
    with Client(running()) as client:
        changed = client.post(_known(at), f"/v1/api-keys/{prefix}/rotate", json={"overlap_hours": overlap_hours})
    _tell(changed["key"], f"{changed['name']} may go on with the old one for {console.plural(overlap_hours, 'hour')}")


def revoke(prefix: Prefix, at: At = "journey") -> None:
    """Let a key open nothing any more."""
    with Client(running()) as client:
        client.call("DELETE", _known(at), f"/v1/api-keys/{prefix}")
    console.messages().print("revoked; every process has heard of it in five seconds")


def show(
    at: At = "journey", *, as_json: Annotated[bool, typer.Option("--json", help="One JSON line a key, with all of its fields.")] = False
) -> None:
    """List the keys of a service: who holds which, what it opens, and when it was used last."""
    with Client(running()) as client:
        found = list(client.pages(_known(at), "/v1/api-keys"))
    if as_json:
        for each in found:
            sys.stdout.write(orjson.dumps(each).decode() + "\n")
        return
    table = console.table("prefix", "held by", "opens", "last used", "stands")
    for each in found:
        until = each["expires"] and f"until {_day(each['expires'])}"
        stands = f"revoked {_day(each['revoked_at'])}" if each["revoked_at"] else until or "in force"
        table.add_row(each["prefix"], each["name"], ", ".join(each["scopes"]), each["last_used"] or "never", stands)
    console.output().print(table)


def _day(text: str) -> str:
    return datetime.fromisoformat(text).date().isoformat()


def _known(service: str) -> str:
    if service not in SERVICES:
        raise StackError(f"{service} has no keys; {', '.join(SERVICES)} have")
    return service


def _tell(key: str, note: str) -> None:
    sys.stdout.write(key + "\n")
    console.messages().print(note)
