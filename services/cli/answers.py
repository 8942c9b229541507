"""`performance`, `explain`, `timeline`: what the running system knows, for people and for other tools."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Table

from deploy.errors import StackError
from services.cli import console, narration
from services.cli.client import Client, running

_OBJECTIVES: Final = ("interval", "objective")
"""What the API says beside the fields of a backtest."""
_COUNTS: Final = ("commitments", "kept", "broken", "late", "never", "excused", "withdrawn", "open")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(performance)
    app.command()(explain)
    app.command()(timeline)


def performance(
    promise: Annotated[str | None, typer.Argument(metavar="[PROMISE]", help="Its name; all of them when left out.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a promise, with the fields of a backtest.")] = False,
) -> None:
    """Show how promises have been kept, all versions of a promise together."""
    path = "/v1/performance" if promise is None else f"/v1/promises/{promise}/performance"
    with Client(running()) as client:
        found = client.get("promises", path)["items"]
    if as_json:
        for line in found:
            counted = {name: value for name, value in line.items() if name not in _OBJECTIVES}
            sys.stdout.write(orjson.dumps(counted).decode() + "\n")
    elif found:
        console.output().print(_performance(found))
    else:
        console.messages().print("nothing is promised yet: `makegood publish FILE` publishes promises")


def _performance(lines: Sequence[Mapping[str, Any]]) -> Table:
    title = f"as of {lines[0]['as_of']}, {lines[0]['events']:,} events"
    names = [name for name in _COUNTS if name != "excused" or any(line["excused"] for line in lines)]
    table = console.table("promise", numbers=[*names, "share"], title=title)
    for line in lines:
        table.add_row(line["promise"], *_cells(names, line), style="bold" if line["segments"] else None)
        for segment in line["segments"]:
            table.add_row(f"  {segment['segment']}", *_cells(names, segment))
    return table


def _cells(names: Sequence[str], line: Mapping[str, int]) -> list[str]:
    decided = line["kept"] + line["broken"]
    share = f"{line['kept'] / decided:.1%}" if decided else ""
    return [f"{line[name]:,}" if name in line else "" for name in names] + [share]


def explain(commitment: Annotated[UUID, typer.Argument(help="A commitment's id; `makegood timeline` shows them.")]) -> None:
    """Say why a commitment is judged as it is: what was owed, each piece of evidence, and all that was said of it."""
    with Client(running()) as client:
        account = client.get("promises", f"/v1/commitments/{commitment}/explanation")
    out = console.output()
    out.print(f"[bold]{account['promise']}[/bold], version {account['version']}, owed by {account['owner']}")
    out.print(f"  {account['statement']}", markup=False)
    out.print(f"\n{account['judgement'].upper()}: {account['in_words']}", markup=False)
    for name, value in _about(account):
        out.print(f"  {name:<12} {value}", markup=False)
    out.print(f"  {'kept by':<12} {account['would_have_kept']}", markup=False)
    _print_evidence(out, account)
    _print_time(out, account)
    _print_beside(out, account)
    out.print("\nWhat was said of it:")
    for said in account["said"]:
        was = f", which was {said['was']} before" if said["was"] else ""
        barrier = f", at the barrier {said['barrier']}" if said["barrier"] else ""
        out.print(f"  {said['as_of']}  {said['said']}{was} ({said['reason']}){barrier}", markup=False)
    if account["rejudgements"]:
        out.print("\nJudged a second time, beside it:")
    for second in account["rejudgements"]:
        out.print(f"  {second['at']}  {_second(second)}", markup=False)


def _second(verdict: Mapping[str, Any]) -> str:
    calendar = verdict["calendar"]
    under = f"version {verdict['version']}" + (f" and calendar {calendar['name']} version {calendar['version']}" if calendar else "")
    due = f", due {verdict['due']}" if verdict["due"] else ""
    return f"{verdict['judgement'].upper()} under {under}{due} ({verdict['reason']}); asked for by {verdict['by']}: {verdict['why']}"


def _about(account: Mapping[str, Any]) -> list[tuple[str, object]]:
    correlation = account["correlation"]
    named = correlation if isinstance(correlation, str) else orjson.dumps(correlation).decode()
    lines = [
        ("commitment", account["commitment"]),
        ("customer", account["customer"]),
        ("about", named),
        ("due", account["due"]),
        ("said when", account["may_be_said_at"]),
    ]
    return [(name, value) for name, value in lines if value is not None]


def _print_evidence(out: Console, account: Mapping[str, Any]) -> None:
    out.print("\nEvidence, in order of time:")
    for each in sorted(account["evidence"], key=lambda one: str(one["time"])):
        decided = "   <- decided it" if each["event"] == account["decided_by"] else ""
        late = "" if each["arrival"] == each["time"] else f", arrived {each['arrival']}"
        out.print(f"  {each['time']}  {each['type']} ({', '.join(each['is'])}){late}{decided}", markup=False)


def _print_time(out: Console, account: Mapping[str, Any]) -> None:
    """Where the time went, stretch by stretch and holder by holder."""
    if account["told"]:
        out.print(f"\nWhere the time went, {_counted(account['clock']['counted_by'])}:")
    for line in account["told"]:
        out.print(f"  {line}", markup=False)
    for each in account["clock"]["holders"]:
        out.print(f"  in all {each['told']} with {each['holder']}", markup=False)


def _counted(by: Mapping[str, Any]) -> str:
    """What the time was counted by: zone, calendar, and the versions of both and of the holidays."""
    zone = f"by the clocks of {by['zone'] or 'UTC'}"
    versions = {"version": by["calendar_version"], "holidays": by["holidays_version"], "zones": by["zones_version"]}
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return f"by the calendar {by['calendar']} ({told}) {zone}" if by["calendar"] else zone


def _print_beside(out: Console, account: Mapping[str, Any]) -> None:
    """Which internal promises held the clock, and what was not read."""
    if account["links"]:
        out.print("\nWho inside held the clock:")
    for link in account["links"]:
        out.print(f"  {link['from']} to {link['to']}  {link['told']}", markup=False)
    if account["unread"]:
        out.print("\nWhat was not read:")
    for each in account["unread"]:
        out.print(f"  {each['since']}  {each['what']}, {'until ' + each['until'] if each['until'] else 'and still not'}", markup=False)


def timeline(
    identifier: Annotated[str, typer.Argument(help="As systems write it (crm:4711), or the customer's key.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line an entry.")] = False,
) -> None:
    """Show what happened to a customer and what was made of it, oldest first."""
    with Client(running()) as client:
        customer = key_of(client, identifier)
        entries = list(client.pages("journey", f"/v1/customers/{customer}/timeline", limit=1000))
    if as_json:
        for each in entries:
            sys.stdout.write(orjson.dumps(each).decode() + "\n")
        return
    out = console.output()
    out.print(f"customer {customer}, {console.count(entries, 'entry').replace('entrys', 'entries')}")
    for each in entries:
        out.print(narration.line(each, narration.plain(each)), markup=False)


def key_of(client: Client, identifier: str) -> UUID:
    """Return the key of the customer that an identifier leads to; a key leads to itself."""
    try:
        return UUID(identifier)
    except ValueError:
        found = client.get("journey", "/v1/customers", identifier=identifier)["items"]
    if not found:
        raise StackError(f"nobody is known as {identifier}; write it as the systems that send events do, as in crm:4711")
    return UUID(found[0]["key"])
