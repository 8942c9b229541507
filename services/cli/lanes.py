"""`lanes`: how far each lane of each service has come, the one that lags most first; a stuck one holds every verdict."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import orjson
import typer

from services.chassis import rfc3339
from services.chassis.instants import text_of
from services.chassis.settings import Clock
from services.cli import console
from services.cli.client import Client, running

SERVICES: Final = ("journey", "promises", "recovery")
FEEDS: Final = "feed:"
"""How the rows of what is read in topics of others begin; `GET /v1/feeds` tells of those."""


class Standing(NamedTuple):
    """Where a service stands in one partition; `age`: how long ago the arrival or barrier was that it has reached."""

    service: str
    lane: str
    number: int
    """Of the last effect."""
    outbox: int
    reached: datetime | None
    age: timedelta | None


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(lanes)


def lanes(
    *,
    stuck: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Exit 1 where one is further behind than this.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line a lane.")] = False,
) -> None:
    """Show the lanes of all services: last number, what is still to be published, arrival or barrier reached, and how long ago that was."""
    stack = running()
    with Client(stack) as client:
        found = {service: client.get(service, "/v1/status")["lanes"] for service in SERVICES}
    standings = standing(found, datetime.now(UTC) if stack.clock == Clock.LIVE else None)
    if as_json:
        for each in standings:
            age = None if each.age is None else each.age.total_seconds()
            print(orjson.dumps(each._asdict() | {"reached": each.reached, "age": age}).decode())
    else:
        table = console.table("service", "lane", numbers=("number", "outbox", "age"))
        table.add_column("arrival or barrier", no_wrap=True)
        for each in standings:
            table.add_row(each.service, each.lane, f"{each.number:,}", f"{each.outbox:,}", _age(each.age), _at(each.reached))
        console.output().print(table)
    if stuck is not None and behind(standings, stuck):
        raise typer.Exit(1)


def standing(found: Mapping[str, Iterable[Mapping[str, Any]]], now: datetime | None) -> list[Standing]:
    """Where all stand, the furthest behind first; `now` None: the clock is the lanes' own, and the furthest ahead says what time it is."""
    rows = [(service, each) for service, lanes in found.items() for each in lanes if not each["topic"].startswith(FEEDS)]
    times = [rfc3339.parse(each["arrival"]) if each["arrival"] else None for _, each in rows]
    now = now or max((each for each in times if each is not None), default=None)
    ages = [None if now is None or at is None else max(now - at, timedelta(0)) for at in times]
    standings = [
        Standing(service, f"{each['topic']}/{each['partition']}", each["effects"], each["outbox"], at, age)
        for (service, each), at, age in zip(rows, times, ages, strict=True)
    ]
    return sorted(standings, key=lambda each: (-(each.age or timedelta(0)), each.service, each.lane))


def behind(standings: Iterable[Standing], seconds: float) -> list[str]:
    """The lanes that are further behind than that; one that has not begun is not."""
    return [each.lane for each in standings if each.age is not None and each.age.total_seconds() > seconds]


def _age(age: timedelta | None) -> str:
    return "" if age is None else f"{age.total_seconds():,.1f} s"


def _at(reached: datetime | None) -> str:
    return "" if reached is None else text_of(reached)
