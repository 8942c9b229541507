"""`retire`, `rejudge`, `rebuild`: what becomes of a promise's versions, of verdicts under another one, and of the rows they stand in."""

import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import uuid4

import orjson
import typer

from deploy.errors import StackError
from services.cli import console, tasks
from services.cli.client import Client, RefusedError, running
from services.cli.replay import instant

POLL: Final = 0.3
"""Seconds."""
SHOWN: Final = 20
"""Changed commitments that are shown; `--json` tells of all."""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(retire)
    app.command()(rejudge)
    app.command()(rebuild)


class Kind(StrEnum):
    """What can be retired; the value is its REST path's."""

    PROMISE = "promise"
    JOURNEY_MAP = "journey-map"
    RELATIONSHIP = "relationship"
    PRINCIPLE = "principle"
    EVENT_TYPE = "event-type"
    SOURCE = "source"
    FEED = "feed"


def retire(
    name: Annotated[str, typer.Argument(help="Its name; of an event type its `type`, of a source its `source`.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Of a promise: from which trigger on; default: as soon as may be.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What it is.")] = Kind.PROMISE,
) -> None:
    """Make a promise to nobody any more; what is owed stays owed. Other documents are in force no more. Publishing takes it back."""
    if kind is Kind.PROMISE:
        _retire_promise(name, since)
        return
    if since is not None:
        raise typer.BadParameter("only a promise is retired from a time on; leave it out", param_hint="--from")
    with Client(running()) as client:
        _RETIRE.get(kind, _retire_named)(client, kind, name)
    console.output().print(f"{kind} {name} is retired", markup=False)


def _retire_named(client: Client, kind: Kind, name: str) -> None:
    client.call("PUT", "journey", f"/v1/{kind}s/{quote(name, safe='')}/retirement")


def _retire_event_type(client: Client, kind: Kind, name: str) -> None:  # noqa: ARG001
    client.call("PUT", "journey", "/v1/event-types/retirement", json={"type": name})


def _retire_source(client: Client, kind: Kind, name: str) -> None:  # noqa: ARG001
    """Promises first, as when it was declared: what journey passes on is to find it gone."""
    for service in ("promises", "journey"):
        try:
            client.call("PUT", service, "/v1/sources/retirement", json={"source": name})
        except RefusedError as error:
            untold = service == "promises" and error.status == HTTPStatus.NOT_FOUND
            if not untold:
                raise


_RETIRE: Final = {Kind.EVENT_TYPE: _retire_event_type, Kind.SOURCE: _retire_source}


def _retire_promise(promise: str, since: str | None) -> None:
    body = {} if since is None else {"effective_from": instant(since, "--from").isoformat()}
    with Client(running()) as client:
        answer = client.post("promises", f"/v1/promises/{promise}/retirement", json=body)
        _tell_journey(client, promise, answer["effective_from"])
    begins = answer["effective_from"]
    console.output().print(f"promise {promise} is retired from {begins or 'the beginning'} on; what is owed stays owed", markup=False)


def _tell_journey(client: Client, promise: str, since: str | None) -> None:
    try:
        client.call("PUT", "journey", f"/v1/promises/{promise}/retirement", json={"effective_from": since})
    except RefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND:  # it was never told of this promise
            raise


def rejudge(
    promise: Annotated[str, typer.Argument(help="Its name.")],
    *,
    version: Annotated[int, typer.Option(min=1, help="The version to judge by, as if it had always counted.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the verdicts.")] = "asked for on the command line",
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="The first trigger that counts.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Triggers from here on do not count.")] = None,
    open_cases: Annotated[bool, typer.Option("--open-cases", help="Have made good what only the second verdict calls broken.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line of what it came to, then one a changed commitment.")] = False,
) -> None:
    """Judge a promise's commitments a second time, under another version; the first verdicts stand, and nothing is rewritten."""
    times = {"from": since, "to": until}
    given = {name: instant(text, f"--{name}").isoformat() for name, text in times.items() if text is not None}
    asked = {"version": version, "reason": reason, "open_cases": open_cases} | given
    with Client(running()) as client:
        path = f"/v1/promises/{promise}/rejudgements"
        begun = client.post("promises", path, json=asked, headers={"Idempotency-Key": str(uuid4())})
        found = _finished(client, f"{path}/{begun['id']}")
        changed = client.pages("promises", f"{path}/{begun['id']}/changes")
        if as_json:
            for line in (found, *changed):
                sys.stdout.write(orjson.dumps(line).decode() + "\n")
            return
        shown = [each for each, _ in zip(changed, range(SHOWN), strict=False)]
    _tell(found, shown)


def _finished(client: Client, path: str) -> Mapping[str, Any]:
    with console.Showing("reading the journey") as showing:
        while True:
            found: dict[str, Any] = client.get("promises", path)
            if found["state"] == "done":
                return found
            if found["state"] in {"failed", "lost"}:
                raise StackError(found["problem"] or "the process that judged again has ended; ask for it again")
            showing.advance(found["read"], f"reading the journey, {found['total']:,} records")
            time.sleep(POLL)


def _tell(found: Mapping[str, Any], shown: list[Mapping[str, Any]]) -> None:
    out, outcome = console.output(), found["outcome"]
    calendar = f", calendar {found['calendar']['name']} version {found['calendar']['version']}" if found["calendar"] else ""
    out.print(f"{found['promise']} as judged under version {found['version']}{calendar}: {found['reason']}", markup=False)
    judged = console.plural(outcome["judged"], "commitment")
    out.print(f"  {judged}, {outcome['same']:,} with the same verdict, {outcome['changed']:,} with another", markup=False)
    for each in outcome["changes"]:
        out.print(f"  {each['number']:>8,}  {each['first'] or 'not opened'} -> {each['second']}", markup=False)
    for name, words in (("unread", "left as they are: their events are held no more"), ("cases", "told to recovery")):
        if outcome[name]:
            out.print(f"  {outcome[name]:>8,}  {words}", markup=False)
    if shown:
        table = console.table("commitment", "about", "first", "second", "due")
        for each in shown:
            about = each["correlation"] if isinstance(each["correlation"], str) else orjson.dumps(each["correlation"]).decode()
            table.add_row(each["commitment"], about, each["first"] or "not opened", each["judgement"], each["due"] or "")
        out.print(table)
    if outcome["changed"] > len(shown):
        out.print(f"  and {outcome['changed'] - len(shown):,} more: --json tells of all", markup=False)


def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a row is not as it is made again.")] = False,
    partition: Annotated[int | None, typer.Option(min=0, help="Of makegood.journey; all of them when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line a difference, and one a partition.")] = False,
) -> None:
    """Make the rows of commitments again out of evidence and facts; the system goes on meanwhile."""
    stack = running()
    arguments = (["--check"] if check else []) + ([] if partition is None else ["--partition", str(partition)])
    out, different = console.output(), 0
    for written in tasks.lines(stack, "promises", "rebuild", arguments):
        line = orjson.loads(written)
        different += line.get("different", 0)
        out.print(written.rstrip() if as_json else _told(line, check=check), markup=False, soft_wrap=True)
    if check and different:
        raise typer.Exit(1)


def _told(line: Mapping[str, Any], *, check: bool) -> str:
    if "partition" in line:
        rows = console.plural(line["rows"], "row")
        left = f", {line['unsupported']:,} left as they are: their evidence is gone" if line["unsupported"] else ""
        return f"partition {line['partition']}: {rows} made again, {line['different']:,} {'differ' if check else 'put right'}{left}"
    columns = (f"{name} is {each['stored']}, is to be {each['made']}" for name, each in line.get("columns", {}).items())
    return f"{line['commitment']}  {line['what']}  {'; '.join(columns)}".rstrip()
