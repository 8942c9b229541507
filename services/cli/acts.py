"""`acts`: what people did in cases, as makegood.recovery tells it; after a database was restored, what of it the system no longer knows."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final

import orjson
import typer

from contracts.topics import RECOVERY
from services.chassis import rfc3339
from services.chassis.peek import since as read_since
from services.cli import console
from services.cli.client import Client, RefusedError, running

_KIND: Final = "makegood.case."
_GONE: Final = (404, 410)
_KNOWN_ALREADY: Final = frozenset({"case", "customer", "state", "severity", "owner", "by"})
"""What stands in columns of its own, or in the case."""


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(acts)


def acts(
    *,
    since: Annotated[str, typer.Option(metavar="TIME", help="From when on (RFC 3339): the point to which the database was restored.")],
    every: Annotated[bool, typer.Option("--all", help="Those too that the system knows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line an act: the fact as it was sent.")] = False,
) -> None:
    """List what people did in cases since a time and the system no longer knows, from topic makegood.recovery: to be done again."""
    try:
        begin = rfc3339.parse(since).astimezone(UTC)
    except rfc3339.BadTime as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    stack = running()
    values = [each.value for each in asyncio.run(read_since(stack.kafka, RECOVERY, begin)) if each.value]
    with Client(stack) as client:
        trails = _Trails(client)
        found = [each for each in done_by_people(values, begin) if every or not trails.holds(each)]
    if as_json:
        for each in found:
            print(orjson.dumps(each).decode())
        return
    table = console.table("time", "case", "what", "by", "known of it")
    for each in found:
        data = each["data"]
        known = {name: value for name, value in data.items() if name not in _KNOWN_ALREADY}
        table.add_row(each["time"], data["case"], _kind(each), data["by"], orjson.dumps(known).decode() if known else "")
    console.output().print(table)


def done_by_people(values: Iterable[bytes], begin: datetime) -> list[dict[str, Any]]:
    """The facts of what people did from then on, each once however often it was sent, in the order of their times."""
    facts = (orjson.loads(value) for value in values if b'"by":' in value)
    found = {each["id"]: each for each in facts if each["type"].startswith(_KIND) and "by" in each["data"]}
    times = {id_: rfc3339.parse(each["time"]) for id_, each in found.items()}
    return [found[id_] for id_, at in sorted(times.items(), key=lambda each: (each[1], each[0])) if at >= begin]


class _Trails:
    """What the audit trails of cases hold, each asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._of_case = cache(self._read)

    def holds(self, fact: Mapping[str, Any]) -> bool:
        """Whether that was done in the case as the system has it: the same, by the same person, at the same time."""
        data = fact["data"]
        return (_kind(fact), data["by"], rfc3339.parse(fact["time"])) in self._of_case(data["case"])

    def _read(self, case: str) -> frozenset[tuple[str, str, datetime]]:
        try:
            trail = self._client.get("recovery", f"/v1/cases/{case}/audit")["acts"]
        except RefusedError as error:
            if error.status not in _GONE:
                raise
            return frozenset()
        return frozenset((each["kind"], each["by"], rfc3339.parse(each["at"])) for each in trail)


def _kind(fact: Mapping[str, Any]) -> str:
    return str(fact["type"]).removeprefix(_KIND)
