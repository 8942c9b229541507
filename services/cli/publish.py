"""`publish`: promises and event types out of files into the running system."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.errors import StackError
from deploy.local.state import State
from services.chassis.documents import Finding, ProblemsFoundError
from services.cli import console
from services.cli.client import Client, RefusedError, running
from services.promises import language
from services.promises.declarations import Document

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_ORDER: Final = ("EventType", "Promise")
"""Event types first: they say whose the events are that promises are about."""


class FindingsError(StackError):
    """The documents are not right yet; each line says where, what, and what would be right."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Tell all of them."""
        super().__init__("nothing was published:\n" + "\n".join(map(str, findings)))


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(publish)


def publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, readable=True, help="Files, or folders of them.")],
) -> None:
    """Publish promises and event types; what is published already, unchanged, stays the version it is."""
    publish_to(running(), files, console.output().print)


def publish_to(stack: State, places: Iterable[Path], say: Callable[[str], None] = print) -> None:
    """Publish every document in these files and folders; nothing where one of them is not right."""
    found = read(files_of(places))
    for _, document in found:
        if document.kind not in _ORDER:
            say(f"not published yet: {document.kind} {document.name}; this release takes {' and '.join(_ORDER)}")
    refused = []
    with Client(stack) as client:
        for kind in _ORDER:
            for file, document in found:
                if document.kind != kind:
                    continue
                try:
                    say(_SEND[kind](client, document.raw))
                except RefusedError as error:
                    refused.append(f"{file}:{document.line}:1: {document.name}: {error}")
    if refused:
        raise StackError("refused:\n" + "\n".join(refused))


def files_of(places: Iterable[Path]) -> list[Path]:
    """Return the documents' files: folders stand for what is in and below them, by name."""
    found: dict[Path, None] = {}
    for place in places:
        inside = sorted(each for each in place.rglob("*") if each.suffix in _SUFFIXES) if place.is_dir() else [place]
        if not inside:
            raise StackError(f"there is no {', '.join(sorted(_SUFFIXES))} file in {place}")
        found |= dict.fromkeys(inside)
    return list(found)


def read(files: Iterable[Path]) -> list[tuple[Path, Document]]:
    """Read all documents; raise with every finding of all files, not only of the first."""
    found: list[tuple[Path, Document]] = []
    findings: list[Finding] = []
    for file in files:
        try:
            found += [(file, each) for each in language.read(file.read_text(encoding="utf-8"), str(file))]
        except UnicodeDecodeError:
            findings.append(Finding(str(file), 1, 1, "this is not UTF-8 text"))
        except ProblemsFoundError as problems:
            findings += problems.findings
    if findings:
        raise FindingsError(findings)
    return found


def _event_type(client: Client, document: dict[str, Any]) -> str:
    answer = client.post("journey", "/v1/event-types", json=document)
    return f"event type {answer['type']}, version {answer['version']}"


def _promise(client: Client, document: dict[str, Any]) -> str:
    answer = client.post("promises", "/v1/promises", json=document)
    since = f"from {answer['effective_from']} on" if answer["effective_from"] else "from the beginning"
    return f"promise {answer['name']}, version {answer['version']}, in force {since}"


_SEND: Final = {"EventType": _event_type, "Promise": _promise}
