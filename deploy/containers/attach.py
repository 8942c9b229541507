"""Note where a stack of docker-compose.yml listens, so that `makegood` speaks to it as it does to a local one.

`MAKEGOOD_DATA=FOLDER python -m deploy.containers.attach` on the machine where it is up, with the environment that it was started
with. Nothing is started or stopped; `makegood down` only forgets the note. For stacks whose tokens this machine signs (MAKEGOOD_KEYS).
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from deploy.errors import StackError
from deploy.local import state
from deploy.local.postgres import ADMIN, with_owners
from deploy.local.programs import API, SERVICES
from deploy.local.stack import DATABASE, KAFKA, POSTGRES
from deploy.local.state import State

SERVICE = "com.docker.compose.service"
FORMAT = f'{{{{.Label "{SERVICE}"}}}}\t{{{{.Ports}}}}'
PUBLISHED = re.compile(r"127\.0\.0\.1:(\d+)->\d+/tcp")
KEYS = ".local/keys"


def noted(listed: str, environment: Mapping[str, str]) -> State:
    """Return the stack that `docker ps` listed, a container a line: its service, a tab, its ports. Raises where a part is missing."""
    clock = environment.get("MAKEGOOD_CLOCK") or "live"
    ports = {service: found[1] for service, _, told in map(_parted, listed.splitlines()) if (found := PUBLISHED.search(told))}
    wanted = [KAFKA, POSTGRES, *(f"{each.name}-{role}" for each in SERVICES for role in each.roles_on(clock))]
    if missing := [name for name in wanted if name not in ports]:
        raise StackError(f"not up, or not to be reached from here: {', '.join(missing)}. `docker compose ps` tells what runs.")
    health = {
        f"{each.name}-{role}": f"http://127.0.0.1:{ports[f'{each.name}-{role}']}" for each in SERVICES for role in each.roles_on(clock)
    }
    return State(
        clock,
        kafka=f"127.0.0.1:{ports[KAFKA]}",
        database=_databases(ports[POSTGRES], environment),
        apis={each.name: health[f"{each.name}-{API}"] for each in SERVICES},
        health=health,
        keys=str(Path(environment.get("MAKEGOOD_KEYS") or KEYS).resolve()),
        ready=True,
    )


def attach(data: Path, environment: Mapping[str, str]) -> State:
    """Note the project's stack in a data folder, which must not be a local stack's own. Raises `StackError` where it cannot be found."""
    if (found := state.read(data)) and found.pids:
        raise StackError(f"a local stack runs on {data}; give another folder (MAKEGOOD_DATA)")
    project = environment.get("COMPOSE_PROJECT_NAME") or Path.cwd().name
    command = ("docker", "ps", "--filter", f"label=com.docker.compose.project={project}", "--format", FORMAT)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"Docker does not tell what runs: {done.stderr.strip()}")
    running = noted(done.stdout, environment)
    data.mkdir(parents=True, exist_ok=True)
    state.write(data, running)
    return running


def _databases(port: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Where each role connects, with the passwords that the stack was started with."""
    names = {role: role for role in with_owners(each.name for each in SERVICES)} | {"admin": ADMIN}
    passwords = {role: quote(environment.get(f"{name.upper()}_PASSWORD", ""), safe="") for role, name in names.items()}
    return {role: f"postgresql://{name}:{passwords[role]}@127.0.0.1:{port}/{DATABASE}" for role, name in names.items()}


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition("\t")


if __name__ == "__main__":
    try:
        for name, address in attach(state.data_folder(), os.environ).apis.items():
            print(f"  {name:<10} {address}")
    except StackError as error:
        sys.exit(str(error))
