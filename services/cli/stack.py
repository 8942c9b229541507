"""`up`, `down`, `token`, `doctor`: the system on one's own machine."""

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import StackError
from deploy.local import doctor as checks
from deploy.local import issuer, state
from deploy.local import stack as local
from deploy.local.programs import WORKBENCH
from deploy.local.state import State
from services.cli import publish as documents
from services.cli.client import workbench_line


class Clock(StrEnum):
    """Whose time moves the system."""

    live = "live"
    replay = "replay"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(up)
    app.command()(down)
    app.command()(token)
    app.command()(doctor)


def up(
    clock: Annotated[Clock, typer.Option(help="live: time passes as it does; replay: as the records say.")] = Clock.live,
    promises: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Publish the promises of this folder.")] = None,
) -> None:
    """Start Kafka, PostgreSQL and the services on this machine, and wait until they are ready."""
    data = state.data_folder()
    try:
        running = local.up(data, clock, teller())
        if promises is not None:
            publish(promises, running)
    except StackError as error:
        refuse(error)
    except KeyboardInterrupt:
        refuse("stopped, and nothing was left running")
    tell(running, data)


def publish(folder: Path, running: State) -> None:
    """Publish the promises of a folder to a running stack; where they are refused, the stack stays up."""
    try:
        documents.publish_to(running, [folder])
    except StackError as error:
        raise StackError(f"it is up, but not all of {folder} was published (`makegood publish` does that).\n{error}") from error


def down() -> None:
    """Stop what `up` started, the services first; leave no process behind."""
    data = state.data_folder()
    try:
        stopped = local.down(data, teller())
    except StackError as error:
        refuse(error)
    print("all is stopped" if stopped else f"nothing runs on {data}")


def token(
    role: Annotated[list[str], typer.Option(help="What the bearer may do; may be given more than once.")],
    name: Annotated[str, typer.Option(help="Who it is for, as people read it.")] = "local",
    team: Annotated[list[str] | None, typer.Option(help="A team of the bearer's; may be given more than once.")] = None,
    hours: Annotated[int, typer.Option(min=1, help="How long it is valid.")] = 12,
) -> None:
    """Print a token of the local stack's own issuer, for `Authorization: Bearer ...`."""
    keys = state.data_folder() / "keys"
    issuer.ensure_keys(keys)
    print(issuer.token(keys, subject=name, name=name, roles=role, teams=team or [], seconds=hours * issuer.HOUR))


def doctor() -> None:
    """Look over everything the local stack stands on, and say what to do about what is not well."""
    findings = checks.examine(state.data_folder())
    for finding in findings:
        print(f"{'ok ' if finding.good else '!! '} {finding.what}: {finding.found}")
        if not finding.good and finding.advice:
            print(f"     {finding.advice}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def tell(running: State, data: Path) -> None:
    """Say where everything is, and how to get in and out."""
    here = "" if data == Path(state.DEFAULT_DATA).resolve() else f"MAKEGOOD_DATA={data} "
    print(f"\nIt is up, on the {running.clock} clock; its data and logs are in {data}.")
    for name, address in running.apis.items():
        if name != WORKBENCH:
            print(f"  {name:<10} {address}/openapi.json")
    print(f"  {'Kafka':<10} {running.kafka}")
    print(workbench_line(running))
    print(f"\n  {here}makegood token --role agent   a token for its APIs\n  {here}makegood down                 stop it")


def teller() -> Callable[[str], None]:
    """Return something that prints each step with the seconds gone by."""
    began = time.monotonic()
    return lambda line: print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)


def refuse(reason: object) -> None:
    """End the command with a reason."""
    print(f"makegood: {reason}", file=sys.stderr)
    raise typer.Exit(1)
