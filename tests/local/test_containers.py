"""What Docker would run is read, not run: that it is whole, pinned, and of one mind with the local stack."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.local.programs import SERVICES, Surroundings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PINNED = re.compile(r"[a-z/]+:\d+\.\d+\.?[\w.-]*")


@pytest.fixture
def compose() -> Any:
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")


def test_every_image_is_pinned(compose: Any) -> None:
    images = [each["image"] for each in compose["services"].values()] + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_every_role_of_every_service_runs(compose: Any) -> None:
    commands = [each["command"] for each in compose["services"].values() if "command" in each]
    wanted = [[each.module, role] for each in SERVICES for role in ("migrate", *each.roles)]
    assert [command for command in wanted if command not in commands] == []


def test_every_process_is_told_what_the_local_stack_tells_it(compose: Any) -> None:
    around = Surroundings("live", "", {each.name: "" for each in SERVICES}, Path(), Path())
    by_image = set(re.findall(r"MAKEGOOD_HTTP_\w+", DOCKERFILE)) | {"MAKEGOOD_LOG_LEVEL"}
    for service in SERVICES:
        told = {name for name in around.environment(service) if name.startswith("MAKEGOOD_")}
        for role in service.roles:
            environment = compose["services"][f"{service.name}-{role}"]["environment"]
            assert told - by_image <= set(environment)


def test_everything_waited_for_is_there(compose: Any) -> None:
    services = compose["services"]
    assert {needed for each in services.values() for needed in each.get("depends_on", {})} <= set(services)


def test_no_process_in_the_image_is_root() -> None:
    assert re.search(r"^USER (?!0|root)\S+", DOCKERFILE.rpartition("FROM ")[2], re.MULTILINE)


@pytest.mark.parametrize("name", ["requirements-services", "requirements", "requirements-dev", "requirements-node"])
def test_a_lock_pins_every_package_by_hash_and_names_no_address(name: str) -> None:
    lock = (ROOT / "deploy" / f"{name}.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in lock
