"""The browser files: what is served is what was looked at, under licences that allow it, and nothing else is loaded."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.browser import SERVED
from deploy.local.programs import ASSETS as INSTALLED

LOCK = SERVED.with_name("package-lock.json")
LICENCES = {"MIT": "Permission is hereby granted, free of charge", "BSD-0-Clause": "Permission to use, copy, modify, and/or distribute"}
"""By the name in the lock, words that the licence itself holds."""


def packages() -> dict[str, dict[str, Any]]:
    """The packages of the lock by name, without the project itself."""
    found = json.loads(LOCK.read_text())["packages"]
    return {path.removeprefix("node_modules/"): each for path, each in found.items() if path}


def listed() -> dict[str, dict[str, str]]:
    """What is served, as the committed list says."""
    files: dict[str, dict[str, str]] = json.loads(SERVED.read_text())
    return files


def package_of(path: str) -> str:
    return next(name for name in packages() if path.startswith(f"{name}/"))


def run(into: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "deploy.browser", "runtime", "--into", str(into))
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_what_is_served_is_what_the_list_names_byte_for_byte() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in INSTALLED.iterdir()}
    assert found == {name: each["sha256"] for name, each in listed().items()}


def test_every_package_is_locked_by_its_hash_and_by_no_address() -> None:
    assert [name for name, each in packages().items() if not each["integrity"].startswith("sha512-")] == []
    assert "://" not in LOCK.read_text()


def test_every_file_that_is_served_has_its_licence_beside_it() -> None:
    """Breaks when a package comes in whose licence nobody read, or goes out without it."""
    of = {name: package_of(each["from"]) for name, each in listed().items()}
    licences = {package: (INSTALLED / name).read_text() for name, package in of.items() if name.endswith(".LICENSE")}
    assert licences.keys() == set(of.values())
    for package, text in licences.items():
        assert LICENCES[packages()[package]["license"]] in text


def test_what_is_for_tests_alone_is_not_served() -> None:
    assert [name for name, each in packages().items() if each.get("dev")] == ["axe-core"]
    assert "axe-core" not in {package_of(each["from"]) for each in listed().values()}


def test_a_style_sheet_or_script_that_is_served_loads_nothing_from_elsewhere() -> None:
    """Breaks when a new version fetches a font or a picture from somebody's server."""
    pattern = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])(?!data:)[^)"']+""")
    assert {path.name: found for path in INSTALLED.glob("*.css") if (found := pattern.findall(path.read_text()))} == {}


@pytest.mark.node
def test_a_second_run_does_nothing_until_the_lock_changes(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert (first.returncode, "installing the browser files" in first.stdout) == (0, True), first.stderr
    again = run(tmp_path, PATH="")
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.node
def test_without_a_network_it_says_what_stopped_and_what_to_do(tmp_path: Path) -> None:
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "cache"), "npm_config_fetch_retries": "0"}
    done = run(tmp_path / "browser", **nowhere)
    assert done.returncode != 0
    assert "The browser files could not be installed" in done.stderr
    assert "HTTPS_PROXY" in done.stderr
    assert re.search(r"(htmx.org|pico) failed, reason: connect ECONNREFUSED", done.stderr)
    assert not (tmp_path / "browser" / "installed-runtime").exists()
