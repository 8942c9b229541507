"""What a data folder knows: the stack that runs on it (`state.json`), its passwords, ports and clock.

`state.json` is written anew after every process that is started, so that `down` finds them all even when `up` was
killed. It holds passwords: only its owner can read it.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import StackError
from deploy.local import postgres
from deploy.local.issuer import write_private
from deploy.local.processes import Started

DEFAULT_DATA = ".local"


@dataclass(slots=True)
class State:
    """A running stack: addresses, and which process is which."""

    clock: str
    kafka: str = ""
    database: dict[str, str] = field(default_factory=dict)
    apis: dict[str, str] = field(default_factory=dict)
    health: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    created: dict[str, float] = field(default_factory=dict)
    keys: str = ""
    ready: bool = False

    def note(self, name: str, started: Started) -> None:
        """Note a process down."""
        self.pids[name], self.created[name] = started.pid, started.created

    def started(self, name: str) -> Started:
        """Return a process that was noted down."""
        return Started(self.pids[name], self.created[name])

    def living(self) -> list[str]:
        """Return the names of those processes that still live."""
        return [name for name in self.pids if self.started(name).process()]

    def dead(self) -> list[str]:
        """Return the names of those processes that have ended."""
        return [name for name in self.pids if not self.started(name).process()]


def data_folder() -> Path:
    """Return the stack's folder: MAKEGOOD_DATA, or `.local` below the current folder."""
    return Path(os.environ.get("MAKEGOOD_DATA") or DEFAULT_DATA).resolve()


def read(data: Path) -> State | None:
    """Return what runs, or ran, on a data folder; None when it was never started or was stopped in order."""
    try:
        return State(**json.loads((data / "state.json").read_text()))
    except FileNotFoundError:
        return None


def write(data: Path, state: State) -> None:
    """Keep the state, for `down` and for everybody who wants to know the addresses."""
    write_private(data / "state.json", json.dumps(asdict(state), indent=2).encode())


def forget(data: Path) -> None:
    """Note that nothing runs."""
    (data / "state.json").unlink(missing_ok=True)


def passwords(data: Path, roles: tuple[str, ...]) -> dict[str, str]:
    """Return each database role's password, made the first time."""
    path = data / "secrets.json"
    known: dict[str, str] = _read(path)
    if missing := [role for role in (postgres.ADMIN, *roles) if role not in known]:
        known |= {role: postgres.new_password() for role in missing}
        write_private(path, json.dumps(known, indent=2).encode())
    return known


def settle_clock(data: Path, clock: str) -> None:
    """Bind the data folder to a clock the first time; refuse another one later."""
    path = data / "settings.json"
    bound = _read(path).get("clock", clock)
    if bound != clock:
        raise StackError(
            f"the data in {data} were made on the {bound} clock and cannot go on with the {clock} one. "
            f"Give another folder (MAKEGOOD_DATA), or remove this one to start anew."
        )
    path.write_text(json.dumps({"clock": clock}) + "\n")


def ports(data: Path) -> dict[str, int]:
    """Return the ports of the last start, to be used again where they are free."""
    return _read(data / "ports.json")


def keep_ports(data: Path, used: dict[str, int]) -> None:
    """Keep the ports for the next start."""
    (data / "ports.json").write_text(json.dumps(used, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return content
