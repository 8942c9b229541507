"""What the system's processes use: CPU seconds and memory of each, PostgreSQL's backends by role."""

import re
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass

import psutil

from deploy.local.state import State

MIB = 1024 * 1024
_BACKEND = re.compile(r"postgres: (?P<kind>[a-z]+( [a-z]+)?)")
_ROLE_OF_SESSION = re.compile(r"postgres: (?P<role>\w+) \w+ [\d.]+\(\d+\)")
Birth = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Use:
    """What has been used since the processes began, and by whom."""

    at: float
    seconds: Counter[str]
    machine: float
    """CPU seconds of the whole machine, whoever used them."""

    def since(self, before: "Use") -> dict[str, float]:
        """CPU seconds by process between two looks."""
        return {name: used for name in self.seconds if (used := self.seconds[name] - before.seconds[name]) > 0}


class Watch:
    """Looks at all processes of a stack; look often, since backends end and take their account with them."""

    def __init__(self, running: State) -> None:
        """A watch over a stack that runs."""
        self._processes = {name: each for name in running.pids if (each := running.started(name).process())}
        self._last: dict[str, dict[Birth, float]] = defaultdict(dict)
        self.peak: dict[str, float] = {}
        """Resident memory in MiB, the most that was seen of any process of that name."""

    def look(self) -> Use:
        """Note what everybody uses now."""
        for name, process in self._processes.items():
            self._note(name, process)
            if name == "postgres":
                for child in process.children():
                    self._note(None, child)
        seconds = Counter({name: sum(each.values()) for name, each in self._last.items()})
        whole = psutil.cpu_times()
        return Use(time.monotonic(), seconds, sum(whole) - whole.idle - getattr(whole, "iowait", 0.0) - getattr(whole, "guest", 0.0))

    def _note(self, name: str | None, process: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            named = name or backend_name(process.cmdline())
            used = process.cpu_times()
            self._last[named][process.pid, process.create_time()] = used.user + used.system
            self.peak[named] = max(self.peak.get(named, 0.0), process.memory_info().rss / MIB)


def backend_name(command_line: list[str]) -> str:
    """What a PostgreSQL process is: a session of some role, or one of the server's own workers."""
    title = " ".join(command_line)
    if session := _ROLE_OF_SESSION.match(title):
        return f"postgres: {session['role']}"
    kind = _BACKEND.match(title)
    return f"postgres: {kind['kind']}" if kind else "postgres: other"
