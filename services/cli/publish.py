"""`publish`: promises, and what they stand on, out of files into the running system."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer

from deploy.errors import StackError
from deploy.local.state import State
from services.chassis.documents import Finding
from services.cli import console
from services.cli.client import Client, RefusedError, running
from services.cli.files import read_all
from services.journey.principles import line_of
from services.promises import language
from services.promises.calendars import Calendar
from services.promises.language import Known
from services.promises.language.declarations import Document

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_ORDER: Final = ("Calendar", "EventType", "Source", "Feed", "Principle", "Playbook", "Promise", "JourneyMap", "Relationship")
"""What promises stand on first: when we work, whose the events are, who is to be heard from, what we stand for; maps last."""


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
    """Publish promises, calendars, event types, sources and principles; what is published already, unchanged, stays the version it is."""
    publish_to(running(), files, console.output().print)


def publish_to(stack: State, places: Iterable[Path], say: Callable[[str], None] = print) -> None:
    """Publish every document in these files and folders; nothing where one of them is not right."""
    refused = []
    with Client(stack) as client:
        found = _parents_first(read(files_of(places), _published(client), _principles(client)))
        for _, document in found:
            if document.kind not in _ORDER:
                say(f"not published yet: {document.kind} {document.name}; this release takes {', '.join(_ORDER)}")
        for kind in _ORDER:
            for file, document in found:
                if document.kind != kind:
                    continue
                try:
                    say(_SEND[kind](client, document))
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


def read(
    files: Iterable[Path], known: Known | None = None, principles: Mapping[str, str | None] = MappingProxyType({})
) -> list[tuple[Path, Document]]:
    """Read all documents, which may refer to each other; raise with every finding of all files, not only of the first."""
    found, findings = read_all(files, known, principles)
    if findings:
        raise FindingsError(findings)
    return [(Path(name), each) for name, documents in found.items() for each in documents]


def _published(client: Client) -> Known:
    """What these files may refer to without repeating it: the calendars that are published."""
    latest = {each["name"]: each["document"] for each in client.get("promises", "/v1/calendars")["items"]}
    read = [language.read(orjson.dumps(document).decode(), name)[0] for name, document in latest.items()]
    return Known({each.name: each.declares for each in read if isinstance(each.declares, Calendar)})


def _principles(client: Client) -> dict[str, str | None]:
    """The published principles that others may stand under, and what each stands under itself."""
    return {each["name"]: each["under"] for each in client.get("journey", "/v1/principles")["items"]}


def _parents_first(found: list[tuple[Path, Document]]) -> list[tuple[Path, Document]]:
    """In an order in which a principle comes behind the one it stands under."""
    above = {each.name: each.raw["spec"].get("under") for _, each in found if each.kind == "Principle"}
    return sorted(found, key=lambda each: len(line_of(each[1].name, above)) if each[1].kind == "Principle" else 0)


def _calendar(client: Client, document: Document) -> str:
    assert isinstance(document.declares, Calendar)
    answer = client.post("promises", "/v1/calendars", json=document.declares.published(document.raw))
    return f"calendar {answer['name']}, version {answer['version']}"


def _source(client: Client, document: Document) -> str:
    client.post("promises", "/v1/sources", json=document.raw)
    answer = client.post("journey", "/v1/sources", json=document.raw)
    return f"source {answer['source']}, version {answer['version']}"


def _to_journey(path: str, what: str, key: str = "name") -> Callable[[Client, Document], str]:
    """What publishes documents that journey alone goes by; `key` names the document in its answer."""

    def send(client: Client, document: Document) -> str:
        answer = client.post("journey", path, json=document.raw)
        return f"{what} {answer[key]}, version {answer['version']}"

    return send


def _playbook(client: Client, document: Document) -> str:
    answer = client.post("recovery", "/v1/playbooks", json=document.raw, headers={"Idempotency-Key": str(uuid4())})
    return f"playbook {answer['name']}, version {answer['version']}"


def _promise(client: Client, document: Document) -> str:
    answer = client.post("promises", "/v1/promises", json=document.raw)
    client.call("PUT", "journey", f"/v1/promises/{answer['name']}/versions/{answer['version']}", json=document.raw)
    since = f"from {answer['effective_from']} on" if answer["effective_from"] else "from the beginning"
    return f"promise {answer['name']}, version {answer['version']}, in force {since}"


_SEND: Final[dict[str, Callable[[Client, Document], str]]] = {
    "Calendar": _calendar,
    "EventType": _to_journey("/v1/event-types", "event type", "type"),
    "Source": _source,
    "Principle": _to_journey("/v1/principles", "principle"),
    "Playbook": _playbook,
    "Feed": _to_journey("/v1/feeds", "feed", "feed"),
    "Promise": _promise,
    "JourneyMap": _to_journey("/v1/journey-maps", "journey map"),
    "Relationship": _to_journey("/v1/relationships", "relationship"),
}
