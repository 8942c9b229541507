"""The services' processes: which there are, how each is started, and when each is ready."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from deploy.local import processes
from deploy.local.issuer import AUDIENCE, ISSUER
from deploy.local.postgres import owner_of
from deploy.local.processes import Command, ProcessDiedError, Started

READY_SECONDS = 180
ANSWER_SECONDS = 3
"""Longer than a process gives its database and its broker to answer."""
MIGRATE_SECONDS = 120
API = "api"
MIGRATE = "migrate"
OWNERS = (MIGRATE, "retain")
"""What the owner of a service's schema does: its own role may not."""
WORKBENCH = "workbench"
OIDC_CLIENT = "makegood-workbench"
SIGNED_IN = "/sign-in/done"
"""Where on the workbench people come back to from the provider."""
IDENTITY = "identity"
CALENDAR = "branch-hours"
"""By whose working time the workbench tells what is left, once it is published (promises/bank-branch.yaml)."""
ASSETS = Path(sys.prefix) / "browser" / "served"
"""The browser files, where the set-up of a checkout puts them (deploy/browser.py)."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: the module that is run, and the roles that run for as long as the stack does."""

    name: str
    module: str
    roles: tuple[str, ...] = ("consume", API)
    live: tuple[str, ...] = ()
    """Further roles, which have something to do on the live clock only."""
    speaks_to: tuple[str, ...] = ()
    """Services whose APIs it calls, for people who sign in."""

    def roles_on(self, clock: str) -> tuple[str, ...]:
        """Return the roles that run on a clock."""
        return self.roles + (self.live if clock == "live" else ())

    def argv(self, role: str) -> tuple[str, ...]:
        """Return the command line of a role."""
        return (sys.executable, "-m", self.module, role)


SERVICES = (
    Service("journey", "services.journey", live=("feed",)),
    Service("promises", "services.promises"),
    Service("recovery", "services.recovery", live=("tell",)),
    Service(WORKBENCH, "services.workbench", roles=(API,), speaks_to=("journey", "promises", "recovery")),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every process of the stack is told."""

    clock: str
    kafka: str
    databases: Mapping[str, str]
    jwks: Path
    logs: Path
    apis: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    """The address of the OpenID provider."""

    def environment(self, service: Service, role: str = "", port: int = 0) -> dict[str, str]:
        """Return the settings of a service's process in a role; what the user set besides stays in force."""
        return {
            "MAKEGOOD_LOG_LEVEL": "INFO",
            **{key: value for key, value in os.environ.items() if key.startswith("MAKEGOOD_")},
            "MAKEGOOD_ENV": "local",
            "MAKEGOOD_CLOCK": self.clock,
            "MAKEGOOD_KAFKA": self.kafka,
            "MAKEGOOD_DATABASE": self.databases[owner_of(service.name) if role in OWNERS else service.name],
            "MAKEGOOD_HTTP_HOST": "127.0.0.1",
            "MAKEGOOD_HTTP_PORT": str(port),
            "MAKEGOOD_JWKS": str(self.jwks),
            "MAKEGOOD_ISSUER": ISSUER,
            "MAKEGOOD_AUDIENCE": AUDIENCE,
            "PYTHONUNBUFFERED": "1",
            **(self._for_people(service) if service.speaks_to else {}),
        }

    def _for_people(self, service: Service) -> dict[str, str]:
        """What a service needs that people sign in to: the APIs behind it, who says who they are, and where it is itself."""
        return {
            **{f"MAKEGOOD_{name.upper()}_URL": self.apis.get(name, "") for name in (*service.speaks_to, service.name)},
            "MAKEGOOD_OIDC_URL": self.identity,
            "MAKEGOOD_OIDC_CLIENT": OIDC_CLIENT,
            "MAKEGOOD_ASSETS": str(ASSETS),
            "MAKEGOOD_CALENDAR": os.environ.get("MAKEGOOD_CALENDAR", CALENDAR),
        }


def migrate(service: Service, around: Surroundings) -> None:
    """Bring the service's schema up to date."""
    name = f"{service.name}-{MIGRATE}"
    log = around.logs / f"{name}.log"
    with log.open("wb") as output:
        done = subprocess.run(
            service.argv(MIGRATE),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **around.environment(service, MIGRATE)},
            timeout=MIGRATE_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        raise ProcessDiedError(name, f"failed ({done.returncode})", log)


def task(service: Service, name: str, arguments: list[str], around: Surroundings) -> Iterator[str]:
    """Run a task of a service to its end; yields what it prints, line by line. Raises where it fails."""
    log = around.logs / f"{service.name}-{name}.log"
    command = [*service.argv(name), *arguments]
    with log.open("wb") as errors:
        environment = {**os.environ, **around.environment(service, name)}
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True)
        with running as process:
            assert process.stdout is not None
            yield from process.stdout
    if running.returncode not in (0, 3):
        raise ProcessDiedError(f"{service.name}-{name}", f"failed ({running.returncode})", log)


def command(service: Service, role: str, around: Surroundings, port: int) -> Command:
    """Return how a service's process is started."""
    name = f"{service.name}-{role}"
    return Command(name, service.argv(role), around.logs / f"{name}.log", around.environment(service, role, port))


def identity(around: Surroundings, port: int) -> Command:
    """Return how the local OpenID provider is started; it sends people back to the workbench."""
    redirect = f"{around.apis[WORKBENCH]}{SIGNED_IN}"
    options = ("--port", str(port), "--client", OIDC_CLIENT, "--redirect", redirect, "--keys", str(around.jwks.parent))
    argv = (sys.executable, "-m", "deploy.local.identity", *options)
    return Command(IDENTITY, argv, around.logs / f"{IDENTITY}.log", {"MAKEGOOD_ENV": "local", "PYTHONUNBUFFERED": "1"})


def wait_ready(started: Mapping[str, tuple[Command, Started, int]]) -> None:
    """Wait until every process answers 200 on /readyz; raise with its log when one dies or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    for run, process, port in started.values():
        left = max(1.0, deadline - time.monotonic())
        processes.wait_until(lambda port=port: ready(port), process, run, left)  # type: ignore[misc]


def ready(port: int) -> bool:
    """Ask a process on loopback whether it is ready."""
    return not lacks(port)


def lacks(port: int) -> str:
    """Ask a process on loopback what it lacks to be ready, and whose fault that is; nothing where it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return "" if answer.status == HTTPStatus.OK else _told(answer.status, answer.read())
    except (OSError, HTTPException) as error:
        return f"nothing ({type(error).__name__})"
    finally:
        connection.close()


def _told(status: int, body: bytes) -> str:
    try:
        problem = json.loads(body)
        return " ".join([f"{status}:", problem["detail"], *(each["detail"] for each in problem["errors"])])
    except (ValueError, KeyError, TypeError):
        return str(status)
