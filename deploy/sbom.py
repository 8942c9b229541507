"""What the installed services are made of: a CycloneDX 1.6 document with each package's version, licence and hashes.

`python -m deploy.sbom LOCK` writes it to standard output: the packages that the lock names, as they are installed here. A package
that is locked for another platform is not installed, and left out; one that is installed in another version stops it.
"""

import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from deploy.errors import StackError

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def document(lock: Path) -> dict[str, Any]:
    """Return the document of what a lock names. Raises `StackError` where something else is installed."""
    own = distribution("makegood")
    components = [each for name, version, hashes in _pinned(lock) if (each := _component(name, version, hashes))]
    about = {"type": "application", "bom-ref": "makegood", "name": "makegood", "version": own.version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
        "dependencies": [{"ref": "makegood", "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _pinned(lock: Path) -> list[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if pinned := PINNED.match(line):
            found.append((pinned[1], pinned[2], []))
        if found:
            found[-1][2].extend(HASH.findall(line))
    return found


def _component(name: str, version: str, hashes: list[str]) -> dict[str, Any] | None:
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return None
    if installed.version != version:
        raise StackError(f"{name} is locked as {version} and installed as {installed.version}; run `make development`")
    address = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    described = {"type": "library", "bom-ref": address, "name": name, "version": version, "purl": address}
    return described | {
        "licenses": _licences(installed),
        "properties": [{"name": "makegood:locked:sha256", "value": each} for each in hashes],
    }


def _licences(installed: Distribution) -> list[dict[str, Any]]:
    """Return what a package says of its licence: an SPDX expression, or the words of its classifiers or of its field."""
    told: Any = installed.metadata
    expression = told.get("License-Expression") or ""
    if EXPRESSION.fullmatch(expression):
        return [{"expression": expression}]
    classified = [each.rpartition(" :: ")[2] for each in told.get_all("Classifier") or [] if each.startswith("License ::")]
    named = classified or [(told.get("License") or expression).strip().partition("\n")[0][:100]]
    return [{"license": {"name": each}} for each in named if each and each != "OSI Approved"]


def main() -> None:
    """Write the document; on standard error, which packages say nothing of their licence."""
    found = document(Path(sys.argv[1]))
    json.dump(found, sys.stdout, indent=2)
    print()
    if silent := [each["name"] for each in found["components"] if not each["licenses"]]:
        print(f"without a word on their licence: {', '.join(silent)}", file=sys.stderr)


if __name__ == "__main__":
    main()
