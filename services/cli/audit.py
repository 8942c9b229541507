"""`audit`: whether every act that was ever done in a case stands as it was written."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from deploy.errors import StackError
from services.cli import console
from services.cli.client import Client, running
from services.cli.console import Waiting
from services.recovery.audit import Entry, first_break
from services.recovery.domain.case import Happened

_PAGE: Final = 200


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    group = typer.Typer(help="The audit trail of cases.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("verify")(verify)
    app.add_typer(group, name="audit")


def verify(
    case: Annotated[UUID | None, typer.Option(help="One case only; all of them where it is left out.")] = None,
) -> None:
    """Compute the hash chain over every act of every case again, on this side of the API; exit 1 where one was changed or dropped."""
    acts, cases, broken = 0, 0, list[str]()
    with Client(running()) as client, Waiting() as waiting:
        for identity in [str(case)] if case else _cases(client):
            audit = client.get("recovery", f"/v1/cases/{identity}/audit")
            cases, acts = cases + 1, acts + len(audit["acts"])
            broken += wrong(audit)
            waiting.tell(f"{cases:,} cases verified, {acts:,} acts")
        for identity in [] if case else _mass_failures(client):
            audit = client.get("recovery", f"/v1/mass-failures/{identity}/audit")
            acts += len(audit["acts"])
            broken += wrong(audit | {"case": f"mass failure {identity}"})
    if broken:
        raise StackError("the audit trail is not whole:\n" + "\n".join(broken))
    console.output().print(f"{cases:,} cases, {acts:,} acts: every one stands as it was written")


def wrong(audit: Mapping[str, Any]) -> list[str]:
    """What is wrong with the trail of one case, as it came over REST; nothing where it is whole."""
    entries = entries_of(audit["acts"])
    place = first_break(entries)
    if place is not None:
        return [f"{audit['case']}: act {place} is not what was written, or was put in or taken out before it"]
    if len(entries) != audit["version"] or (entries and entries[-1].digest.hex() != audit["digest"]):
        return [f"{audit['case']}: the case says that its last act is number {audit['version']}, and the trail ends with {len(entries)}"]
    return []


def entries_of(acts: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The rows of a trail as they came over REST."""
    return [
        Entry(
            each["number"],
            Happened(each["kind"], each["by"], datetime.fromisoformat(each["at"]), each["content"], each["payload"]),
            bytes.fromhex(each["payload_digest"]),
            bytes.fromhex(each["digest"]),
        )
        for each in acts
    ]


def _mass_failures(client: Client) -> Iterator[str]:
    return (each["id"] for each in client.pages("recovery", "/v1/mass-failures", limit=_PAGE))


def _cases(client: Client) -> Iterator[str]:
    return (each["id"] for each in client.pages("recovery", "/v1/cases", limit=_PAGE))
