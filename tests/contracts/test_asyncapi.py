"""The AsyncAPI document, read by the parser of those who keep the standard."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts import asyncapi, generate

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the parser in it, installed from the lock beside this test."""
    folder = tmp_path_factory.mktemp("asyncapi") / "node"
    shutil.copytree(Path(__file__).parent / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return folder


def _validate(parser: Path, document: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["node", "validate.mjs"], cwd=parser, input=json.dumps(document), text=True, capture_output=True, check=False)


def test_the_asyncapi_document_is_valid(parser: Path) -> None:
    answer = _validate(parser, json.loads((generate.FOLDER / "asyncapi.json").read_text()))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_parser_sees_a_reference_that_leads_nowhere(parser: Path) -> None:
    """Breaks if the check above would let anything pass."""
    document = asyncapi.document(generate.VERSION)
    document["components"]["messages"]["MakeNothing"] = {"payload": {"$ref": "#/components/schemas/Nothing"}}
    assert _validate(parser, document).returncode == 1
