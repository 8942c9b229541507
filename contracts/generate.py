"""Writes what is generated from the contracts: `python -m contracts.generate`, or `--check` to see whether it is up to date.

Schemas and examples of every event, AsyncAPI, each service's OpenAPI document, and the reference pages of the documentation. The
services are asked by name and only if they are there, so that the contracts depend on none of them: `services/NAME/api.py` answers
`openapi() -> dict`, `services/NAME/settings.py` has its settings, and `services/cli/commands.py` its commands.
"""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from contracts import access, asyncapi, reference
from contracts.catalogue import EVENTS
from contracts.envelope import EventType

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parent
GENERATED: Final = ("contracts/schemas", "contracts/examples", "contracts/openapi", "docs/reference")
"""Folders that hold nothing else."""
SETTINGS: Final = ("chassis", "chassis.brokers", "journey", "promises", "recovery", "workbench")
VERSION: Final = "1.0.0"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """Every generated file, by its path below the repository's root."""
    described = {name: each for name in asyncapi.SERVICES if (each := _openapi(name))}
    found: dict[str, Any] = {"contracts/asyncapi.json": asyncapi.document(VERSION)}
    for event in EVENTS:
        found[f"contracts/schemas/{event.name}.json"] = schema(event)
        found[f"contracts/examples/{event.name}.json"] = event.example
    found |= {f"contracts/openapi/{name}.json": each for name, each in described.items()}
    written = {path: json.dumps(found[path], indent=2, ensure_ascii=False) + "\n" for path in sorted(found)}
    return written | {
        "contracts/access.md": access.as_page(),
        "docs/reference/events.md": reference.events_page(),
        "docs/reference/api.md": reference.operations_page(described),
        "docs/reference/settings.md": reference.settings_page(_settings()),
        "docs/reference/metrics.md": reference.metrics_page(),
        "docs/reference/commands.md": reference.commands_page(
            reference.Command(*each) for each in importlib.import_module("services.cli.commands").commands()
        ),
    }


def schema(event: EventType) -> dict[str, Any]:
    """The JSON Schema of the whole event in structured mode."""
    generated = event.model().model_json_schema(mode="serialization")
    return {"$schema": DIALECT, "$id": f"urn:makegood:schema:{event.name}:{event.version}", **generated}


def _openapi(service: str) -> dict[str, Any] | None:
    """What the service says of its HTTP side; None as long as it has none."""
    name = f"services.{service}.api"
    if importlib.util.find_spec(name) is None:
        return None
    openapi = getattr(importlib.import_module(name), "openapi", None)
    return None if openapi is None else openapi()


def _settings() -> Iterator[type[BaseModel]]:
    """Every model of settings, where it is declared."""
    for name in SETTINGS:
        module = importlib.import_module(f"services.{name}" if "." in name else f"services.{name}.settings")
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, BaseModel) and each.__module__ == module.__name__:
                yield each


def stale() -> list[str]:
    """The paths of files that differ from what would be generated, are missing, or should not be there."""
    wanted = documents()
    present = {path.relative_to(ROOT).as_posix() for name in GENERATED for path in ROOT.glob(f"{name}/*")}
    differing = {path for path, text in wanted.items() if _read(ROOT / path) != text}
    return sorted(differing | (present - wanted.keys()))


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def write() -> list[str]:
    """Bring the files up to date; the paths that were changed."""
    wanted = documents()
    changed = stale()
    for path in changed:
        target = ROOT / path
        if path not in wanted:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(wanted[path], encoding="utf-8")
    return changed


def main(arguments: list[str]) -> int:
    """0 when everything is, or now is, up to date."""
    if arguments == ["--check"]:
        for path in (changed := stale()):
            print(f"{path} is not what the contracts say; run: python -m contracts.generate")
        return 1 if changed else 0
    if arguments:
        print("usage: python -m contracts.generate [--check]")
        return 2
    for path in write():
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
