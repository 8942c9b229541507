"""`demo`: the lost passport and a month of real flights through a whole system, which is then left up."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import typer
from rich.table import Table

from deploy.errors import StackError
from deploy.local import stack as local
from deploy.local import state
from deploy.local.programs import WORKBENCH
from deploy.local.state import State
from services.cli import console, flights, publish, recount, replay, story, telling
from services.cli.client import Client
from services.cli.recount import Counted
from services.cli.stack import refuse, tell, teller
from services.cli.status import wait_for_rest

MONTH: Final = 1
PROMISES: Final = Path(__file__).parents[2] / "promises"
ON_TIME, NEVER_EARLY = "flight-on-time", "flight-never-early"
_MARK: Final = "demo.json"
"""In a data folder: what is in it was made by a demo and may be made anew."""
_WAIT_SECONDS: Final = 300.0
_INTERRUPTED: Final = 130


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(demo)


def demo() -> None:
    """Play the story of the lost passport and a month of real flights on a system of its own, and leave it up."""
    data = state.data_folder()
    say = teller()
    try:
        equal = run(data, say)
    except KeyboardInterrupt:
        console.messages().print("stopped, and nothing was left running")
        raise typer.Exit(_INTERRUPTED) from None
    if not equal:
        refuse(f"the system and the SQL do not agree; it is left up on {data} to be looked at")


def run(data: Path, say: Callable[[str], None]) -> bool:
    """Play all of it; return whether the system's numbers are the SQL's. What fails is stopped."""
    begin_anew(data, say)
    running = local.up(data, "replay", say)
    try:
        published: list[str] = []
        publish.publish_to(running, [PROMISES], published.append)
        say(f"{console.count(published, 'document')} published: promises, and the types of event that they are about")
        say("the lost passport, September 2012: days pass in seconds\n")
        telling.tell(running, print)
        print()
        equal = fly(running, data, say)
    except BaseException:
        local.down(data, say)
        raise
    tell(running, data)
    _tell_what_next(running, data)
    return equal


def begin_anew(data: Path, say: Callable[[str], None]) -> None:
    """Stop and remove what an earlier demo left; refuse to touch anything else's data."""
    mark = data / _MARK
    if (data / "settings.json").exists() and not mark.exists():
        raise StackError(
            f"the data in {data} were not made by a demo, and a demo begins with fresh data. "
            "Give it a folder of its own: MAKEGOOD_DATA=FOLDER makegood demo"
        )
    local.down(data, say)
    local.wipe(data)
    data.mkdir(parents=True, exist_ok=True)
    mark.write_text('{"made_by": "makegood demo"}\n')


def fly(running: State, data: Path, say: Callable[[str], None]) -> bool:
    """Replay a month of flights, and show what came of them beside the same numbers by SQL over the file."""
    events = data / f"flights-2013-{MONTH:02}.jsonl"
    with events.open("wb") as file:
        file.writelines(orjson.dumps(each) + b"\n" for each in flights.touchpoints(MONTH))
    began = time.monotonic()
    sent, _ = replay.replay(running, events)
    say(f"{sent:,} touchpoints of real flights are in Kafka; waiting until all is judged")
    with Client(running) as client:
        wait_for_rest(client, running, _WAIT_SECONDS)
        say(f"judged: {sent / (time.monotonic() - began):,.0f} touchpoints/s, the cases of broken promises included\n")
        judged = {name: client.get("promises", f"/v1/promises/{name}/performance")["items"][0] for name in (ON_TIME, NEVER_EARLY)}
    by_carrier, never_early = recount.flights(MONTH)
    rows = _beside(judged[ON_TIME]["segments"], by_carrier)
    rows += [
        (_judged("all", judged[ON_TIME]), _sum(by_carrier)),
        (_judged(never_early.name, judged[NEVER_EARLY]), never_early),
    ]
    console.output().print(_table(rows))
    return all(found == expected for found, expected in rows)


def _beside(segments: list[dict[str, Any]], by_carrier: list[Counted]) -> list[tuple[Counted, Counted]]:
    """Each carrier's numbers beside those of the SQL; a carrier that one of the two lacks stands beside nothing."""
    counted = {each.name: each for each in by_carrier}
    found = {str(each["segment"]): _judged(str(each["segment"]), each) for each in segments}
    return [
        (found.get(name, Counted(name, 0, 0, 0, 0)), counted.get(name, Counted(name, 0, 0, 0, 0))) for name in sorted({*counted, *found})
    ]


def _judged(name: str, line: dict[str, Any]) -> Counted:
    return Counted(name, line["commitments"], line["kept"], line["broken"], line["withdrawn"])


def _sum(counted: list[Counted]) -> Counted:
    commitments, kept, broken, withdrawn = (sum(numbers) for numbers in list(zip(*counted, strict=True))[1:])
    return Counted("all", commitments, kept, broken, withdrawn)


def _table(rows: list[tuple[Counted, Counted]]) -> Table:
    names = ("kept", "broken", "withdrawn")
    title = "January 2013: flight-on-time by carrier, then flight-never-early, as judged and by SQL over the file"
    table = console.table("carrier", numbers=["flights", *names, *(f"{name} (SQL)" for name in names), "kept share"], title=title)
    table.add_column("")
    for found, expected in rows:
        decided = found.kept + found.broken
        share = f"{found.kept / decided:.1%}" if decided else ""
        numbers = [f"{each:,}" for each in (*found[1:], *expected[2:])]
        table.add_row(found.name, *numbers, share, "equal" if found == expected else "DIFFERENT")
    return table


def _tell_what_next(running: State, data: Path) -> None:
    here = "" if data == Path(state.DEFAULT_DATA).resolve() else f"MAKEGOOD_DATA={data} "
    lines = (
        (f"timeline {story.CUSTOMER}", "what happened to the customer of the story"),
        ("performance", "how every promise was kept"),
        ("status", "where every lane stands"),
        (f"timeline {_AN_UNLUCKY_FLIGHT}", "a flight that broke its promise, and the case that it opened"),
    )
    print("\nTry next (.venv/bin/makegood):")
    for command, what in lines:
        print(f"  {here}makegood {command:<22} {what}")
    print("  make up                         a system of your own, on the live clock")
    print(f"\nThe workbench, with the people of the story to sign in as: {running.apis[WORKBENCH]}")


_AN_UNLUCKY_FLIGHT: Final = "152"
