"""What the services are made of is told whole, with a licence of each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import sbom
from deploy.errors import StackError

LOCK = Path(__file__).parents[2] / "deploy" / "requirements-services.lock"
COPYLEFT = ("GPL", "AGPL", "SSPL", "Commons Clause", "BUSL")


def test_every_locked_package_that_is_installed_is_named_with_its_licence_and_hashes() -> None:
    found = sbom.document(LOCK)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    names = {each["name"] for each in found["components"]}
    assert {"fastapi", "aiokafka", "asyncpg", "joserfc"} <= names
    assert [each["name"] for each in found["components"] if not each["licenses"]] == []
    assert [each["name"] for each in found["components"] if not each["properties"]] == [], "a lock without hashes pins nothing"
    assert len({each["bom-ref"] for each in found["components"]}) == len(found["components"])


def test_no_package_of_the_services_asks_us_to_give_our_own_away() -> None:
    """Breaks when a dependency comes in under a licence that binds what stands on it; LGPL is used as it is, unchanged."""
    said = {each["name"]: json.dumps(each["licenses"]) for each in sbom.document(LOCK)["components"]}
    strict = {name: text for name, text in said.items() if any(each in text.replace("LGPL", "") for each in COPYLEFT)}
    assert strict == {}


def test_another_version_than_the_locked_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("fastapi==0.0.1 \\\n    --hash=sha256:" + "0" * 64 + "\nnot-installed-anywhere==1.0\n")
    with pytest.raises(StackError, match=r"fastapi is locked as 0\.0\.1"):
        sbom.document(tmp_path / "lock")


def test_the_document_is_written_as_json() -> None:
    done = subprocess.run([sys.executable, "-m", "deploy.sbom", str(LOCK)], cwd=LOCK.parents[1], capture_output=True, check=True)
    assert json.loads(done.stdout)["metadata"]["component"]["name"] == "makegood"
