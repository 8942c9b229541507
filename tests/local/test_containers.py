"""What Docker would run is read, not run: that it is whole, pinned, shut in, and of one mind with the local stack."""

import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy import health
from deploy.containers import attach
from deploy.errors import StackError
from deploy.local.programs import SERVICES, Surroundings
from deploy.local.state import State

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PINNED = re.compile(r"[a-z/-]+:v?\d+\.\d+\.?[\w.-]*")
CORE = {"kafka", "postgres", "topics"}
OBSERVED_BY = {"collector", "prometheus", "tempo", "grafana"}
COME_AND_GO = {"topics", *(f"{each.name}-migrate" for each in SERVICES)}
"""Containers that do what they are for and end."""


@pytest.fixture
def compose() -> Any:
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")


def ours(compose: Any) -> dict[str, Mapping[str, Any]]:
    """The containers of our own image, by name."""
    return {name: each for name, each in compose["services"].items() if each["image"].startswith("makegood:")}


def test_every_image_is_pinned(compose: Any) -> None:
    images = [each["image"] for each in compose["services"].values()] + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_our_image_is_of_this_version(compose: Any) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {each["image"] for each in ours(compose).values()} == {f"makegood:{version}"}


def test_every_role_of_every_service_runs(compose: Any) -> None:
    commands = [each["command"] for each in compose["services"].values() if "command" in each]
    wanted = [[each.module, role] for each in SERVICES for role in ("migrate", *each.roles, *each.live)]
    assert [command for command in wanted if command not in commands] == []


def test_every_process_is_told_what_the_local_stack_tells_it(compose: Any) -> None:
    around = Surroundings("live", "", {each.name: "" for each in SERVICES}, Path(), Path())
    by_image = set(re.findall(r"MAKEGOOD_HTTP_\w+", DOCKERFILE)) | {"MAKEGOOD_LOG_LEVEL"}
    for service in SERVICES:
        told = {name for name in around.environment(service) if name.startswith("MAKEGOOD_")}
        for role in service.roles:
            environment = compose["services"][f"{service.name}-{role}"]["environment"]
            assert told - by_image <= set(environment)


def test_everything_waited_for_is_there_in_the_same_profiles(compose: Any) -> None:
    services = compose["services"]
    for each in services.values():
        for needed in each.get("depends_on", {}):
            assert set(each["profiles"]) <= set(services[needed]["profiles"])


def test_core_is_the_system_and_full_is_what_observes_it_too(compose: Any) -> None:
    by_profile = {
        profile: {name for name, each in compose["services"].items() if profile in each["profiles"]} for profile in ("core", "full")
    }
    assert by_profile["core"] == CORE | set(ours(compose))
    assert by_profile["full"] == by_profile["core"] | OBSERVED_BY


def test_nothing_gains_privileges_and_our_processes_can_write_nowhere(compose: Any) -> None:
    services = compose["services"]
    assert [name for name, each in services.items() if each.get("security_opt") != ["no-new-privileges:true"]] == []
    shut_in = set(ours(compose)) | OBSERVED_BY
    assert [name for name in sorted(shut_in) if (services[name].get("read_only"), services[name].get("cap_drop")) != (True, ["ALL"])] == []
    assert [name for name, each in services.items() if each.get("privileged") or each.get("user") == "root" or "cap_add" in each] == []


def test_nothing_is_published_beyond_loopback(compose: Any) -> None:
    published = [port for each in compose["services"].values() for port in each.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_process_that_stays_is_asked_whether_it_is_ready(compose: Any) -> None:
    """By the check of the image; breaks if a container overrides it with nothing, or one that ends were called unhealthy."""
    assert re.search(r'^HEALTHCHECK .*CMD \["/makegood/bin/python", "-m", "deploy.health"\]$', DOCKERFILE, re.MULTILINE)
    asked = {name for name, each in ours(compose).items() if "healthcheck" not in each}
    assert asked == set(ours(compose)) - COME_AND_GO
    assert all(compose["services"][name]["healthcheck"]["test"] for name in ("kafka", "postgres"))


def test_what_is_mounted_from_the_checkout_is_there(compose: Any) -> None:
    mounted = [volume.split(":")[0] for each in compose["services"].values() for volume in each.get("volumes", [])]
    from_here = [path for path in mounted if path.startswith("./")]
    assert len(from_here) > len(OBSERVED_BY)
    assert [path for path in from_here if not (ROOT / path).exists()] == []


def test_no_process_in_the_image_is_root_and_none_needs_a_shell() -> None:
    assert re.search(r"^USER (?!0|root)\S+", DOCKERFILE.rpartition("FROM ")[2], re.MULTILINE)
    commands = re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", DOCKERFILE, re.MULTILINE)
    assert len(commands) == 2
    assert [command for command in commands if not command.startswith("[")] == []


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on loopback whose /readyz answers with this; gives its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_says_what_readiness_says(status: int, code: int) -> None:
    with answering(status) as port:
        done = subprocess.run([sys.executable, "-m", "deploy.health"], env={"MAKEGOOD_HTTP_PORT": str(port)}, cwd=ROOT, check=False)
    assert done.returncode == code
    assert not health.ready(port), "nobody listens there any more"


def listed(*left_out: str) -> str:
    """As `docker ps` tells of a stack on the live clock, in the form that it is asked for."""
    roles = [f"{each.name}-{role}" for each in SERVICES for role in each.roles_on("live")]
    names = ["kafka", "postgres", *roles, "topics"]
    published = {name: f"8080/tcp, 127.0.0.1:{31000 + number}->8080/tcp" for number, name in enumerate(names)} | {"topics": ""}
    return "".join(f"{name}\t{ports}\n" for name, ports in published.items() if name not in left_out)


def test_a_stack_in_containers_is_noted_as_a_local_one_is() -> None:
    found = attach.noted(listed(), {"JOURNEY_PASSWORD": "a/b", "MAKEGOOD_KEYS": "/keys"})
    assert isinstance(found, State)
    assert (found.clock, found.kafka, found.keys, found.pids) == ("live", "127.0.0.1:31000", "/keys", {})
    assert found.database["journey"] == "postgresql://journey:a%2Fb@127.0.0.1:31001/makegood"
    assert set(found.apis) == {each.name for each in SERVICES}
    assert found.health["journey-api"] == found.apis["journey"]
    assert set(found.health) == {f"{each.name}-{role}" for each in SERVICES for role in each.roles_on("live")}


def test_a_stack_of_which_a_part_is_missing_is_not_noted() -> None:
    with pytest.raises(StackError, match="postgres, recovery-tell"):
        attach.noted(listed("postgres", "recovery-tell"), {})
    with pytest.raises(StackError, match="postgres"):
        attach.noted(listed("postgres", "recovery-tell"), {"MAKEGOOD_CLOCK": "replay"})


@pytest.mark.parametrize("name", ["requirements-services", "requirements", "requirements-dev", "requirements-node"])
def test_a_lock_pins_every_package_by_hash_and_names_no_address(name: str) -> None:
    lock = (ROOT / "deploy" / f"{name}.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in lock
