"""Starting and ending processes of our own.

A process is known by its pid *and* the moment it was created, so that a pid that the system gave to somebody else
is never signalled.
"""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.errors import StackError

POLL = 0.02
TAIL_LINES = 15


class ProcessDiedError(StackError):
    """A process ended, or did not become ready, while it was being started."""

    def __init__(self, name: str, what: str, log: Path) -> None:
        """Tell what happened with the last lines of the process's own log."""
        super().__init__(f"{name} {what}. The last lines of {log}:\n{tail(log)}")


@dataclass(frozen=True, slots=True)
class Started:
    """A process that was started here, and the moment of its birth as `birth` tells it."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Started":
        """Note who holds a pid now."""
        return cls(pid, birth(pid))

    def process(self) -> psutil.Process | None:
        """Return the process while it lives; None when it is gone or its pid belongs to another."""
        try:
            process = psutil.Process(self.pid)
            return process if birth(self.pid) == self.created and not ended(process) else None
        except psutil.NoSuchProcess:
            return None


def birth(pid: int) -> float:
    """Return when a process was created: clock ticks since the machine's start, or seconds where there is no /proc.

    Not psutil's time of day: that one moves when the machine's clock is set, and the process would not be known again.
    """
    with suppress(OSError):
        # The name, in parentheses, may hold spaces; the 22nd field is the 20th behind it.
        return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return psutil.Process(pid).create_time()


Say = Callable[[str], None]  # tells a person what is being done
Record = Callable[[Started], None]  # notes a process down, so that it can be ended whatever happens


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the user is a uid to switch to (only root can), None for one's own."""

    name: str
    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: int | None = None


def spawn(command: Command) -> Started:
    """Start a process in a session of its own, so that a Ctrl-C meant for the caller does not reach it."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.folder,
            env={**os.environ, **command.environment},
            user=command.user,
            extra_groups=None if command.user is None else [],
            start_new_session=True,
        )
    started = Started.of(process.pid)
    # The child outlives this object on purpose; without this the interpreter warns about it at exit.
    process.returncode = 0
    return started


def wait_until(ready: Callable[[], bool], started: Started, command: Command, seconds: float) -> None:
    """Wait for a condition that a starting process brings about; raise with its log when it dies or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if started.process() is None:
            raise ProcessDiedError(command.name, "ended while starting", command.log)
        if time.monotonic() > deadline:
            raise ProcessDiedError(command.name, f"was not ready after {seconds:.0f} s", command.log)
        time.sleep(POLL)


def stop(processes: Iterable[Started], seconds: float, *, terminate: int = 15) -> None:
    """End processes: ask all of them, wait together, then kill those that are left."""
    living = [process for each in processes if (process := each.process())]
    for process in living:
        _signal(process, terminate)
    for process in _still_alive(living, seconds):
        _signal(process, 9)
    _still_alive(living, 10)


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while living := [process for process in processes if not ended(process)]:
        if time.monotonic() > deadline:
            return living
        time.sleep(POLL)
    return []


def ended(process: psutil.Process) -> bool:
    """Say whether a process runs no more; a zombie does not, and is reaped where it is our own child."""
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
    except psutil.NoSuchProcess:
        return True
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return True


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, indented; a note where there are none."""
    try:
        text = log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        text = []
    return "\n".join(f"    {line}" for line in text) or "    (it wrote nothing)"


def listens(port: int) -> bool:
    """Say whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port(preferred: int | None = None) -> int:
    """Return a free loopback port, the preferred one where it is free.

    Somebody else may take it before it is used: whoever starts a server on it must be ready to try again.
    """
    for candidate in (preferred, 0):
        if candidate is None:
            continue
        with socket.socket() as probe:
            # As servers do: a port whose last connections still linger counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    message = "this machine has no free loopback port"
    raise StackError(message)
