"""Writes what is generated from the contracts: `python -m contracts.generate`, or `--check` to see whether it is up to date.

Schemas and examples of every event, AsyncAPI, and each service's OpenAPI document. The services are asked by name and only if
they are there, so that the contracts depend on none of them: `services/NAME/api.py` answers `openapi() -> dict`.
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Final

from contracts import access, asyncapi
from contracts.catalogue import EVENTS
from contracts.envelope import EventType

FOLDER: Final = Path(__file__).parent
VERSION: Final = "1.0.0"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """Every generated file, by its path below `contracts/`."""
    found: dict[str, Any] = {"asyncapi.json": asyncapi.document(VERSION)}
    for event in EVENTS:
        found[f"schemas/{event.name}.json"] = schema(event)
        found[f"examples/{event.name}.json"] = event.example
    found |= {f"openapi/{name}.json": described for name in asyncapi.SERVICES if (described := _openapi(name))}
    written = {path: json.dumps(found[path], indent=2, ensure_ascii=False) + "\n" for path in sorted(found)}
    return written | {"access.md": access.as_page()}


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


def stale() -> list[str]:
    """The paths of files that differ from what would be generated, are missing, or should not be there."""
    wanted = documents()
    present = {path.relative_to(FOLDER).as_posix() for name in ("schemas", "examples", "openapi") for path in FOLDER.glob(f"{name}/*")}
    differing = {path for path, text in wanted.items() if _read(FOLDER / path) != text}
    return sorted(differing | (present - wanted.keys()))


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def write() -> list[str]:
    """Bring the files up to date; the paths that were changed."""
    wanted = documents()
    changed = stale()
    for path in changed:
        target = FOLDER / path
        if path not in wanted:
            target.unlink()
            continue
        target.parent.mkdir(exist_ok=True)
        target.write_text(wanted[path], encoding="utf-8")
    return changed


def main(arguments: list[str]) -> int:
    """0 when everything is, or now is, up to date."""
    if arguments == ["--check"]:
        for path in (changed := stale()):
            print(f"contracts/{path} is not what the contracts say; run: python -m contracts.generate")
        return 1 if changed else 0
    if arguments:
        print("usage: python -m contracts.generate [--check]")
        return 2
    for path in write():
        print(f"contracts/{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
