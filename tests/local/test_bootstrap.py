"""The set-up of a checkout, when it cannot be done."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "services" / "workbench" / "assets"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing installed, whose locks name one package that no index has."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__", "local"))
    shutil.copytree(ASSETS, tmp_path / ASSETS.relative_to(ROOT))
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "deploy" / "requirements.lock").write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    return tmp_path


def make(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=checkout,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_that_cannot_be_had_is_named_with_what_to_do(checkout: Path) -> None:
    no_index = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}
    done = make(checkout, "runtime", f"PYTHON={sys.executable}", **no_index)
    assert done.returncode != 0
    assert "no-such-thing==1.0 could not be installed" in done.stderr
    assert "HTTPS_PROXY" in done.stderr
    assert not (checkout / ".venv" / "installed-runtime").exists()


def test_without_a_fitting_python_it_says_so(checkout: Path) -> None:
    done = make(checkout, "runtime", "CANDIDATES=no-such-python")
    assert done.returncode != 0
    assert "No Python from 3.11 on was found" in done.stderr


def test_down_in_a_fresh_checkout_has_nothing_to_do(checkout: Path) -> None:
    assert make(checkout, "down").returncode == 0


def test_help_lists_every_command(checkout: Path) -> None:
    listed = make(checkout, "help").stdout
    for command in ("demo", "test", "check", "up", "down", "bench", "schemas", "image"):
        assert f"make {command} " in listed
