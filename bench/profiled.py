"""`python -m bench.profiled FOLDER MODULE ROLE`: runs a service's process and samples where its CPU time goes.

A timer of the process's own CPU time interrupts it every few milliseconds and the Python stack is noted. Time inside a
C function counts for the Python line that called it. The cost is a few per cent, alike for all functions, which cProfile's
is not. A profile begins on SIGUSR1 and is written on SIGUSR2, so that starting and warming up are left out.
"""

import re
import runpy
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

INTERVAL = 0.004
TOP = 25
_INSTALLED = re.compile(r".*/lib/python[\d.]+/(site-packages/)?")


@dataclass(slots=True)
class Samples:
    """How often each function was seen at work itself (`own`), or it or what it called (`whole`).

    `lines` are those of our own code, each with what it called outside of it.
    """

    count: int = 0
    own: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)

    def take(self, frame: FrameType | None) -> None:
        """Note one stack."""
        if frame is None:
            return
        self.count += 1
        self.own[_function(frame)] += 1
        seen: set[str] = set()
        line = ""
        above: FrameType | None = frame
        while above is not None:
            seen.add(_function(above))
            if not line and _file(above).startswith("services/"):
                line = f"{_file(above)}:{above.f_lineno} {above.f_code.co_qualname}"
            above = above.f_back
        self.lines[line or "none of ours"] += 1
        self.whole.update(seen)

    def report(self) -> str:
        """The functions and lines that take most."""
        parts = [f"{self.count} samples, one every {INTERVAL * 1000:g} ms of CPU"]
        tables = (
            ("of itself", self.own),
            ("with what it calls", self.whole),
            ("by line of our own code, with what it calls outside", self.lines),
        )
        for title, counts in tables:
            parts.append(f"\n{title}:")
            parts += [f"  {number / max(self.count, 1):6.1%}  {name}" for name, number in counts.most_common(TOP)]
        return "\n".join(parts) + "\n"


def _file(frame: FrameType) -> str:
    path = _INSTALLED.sub("", frame.f_code.co_filename)
    return path.removeprefix(f"{Path.cwd()}/")


def _function(frame: FrameType) -> str:
    return f"{_file(frame)} {frame.f_code.co_qualname}"


def main() -> None:
    """Run the module as its own command line would; write what was seen to `FOLDER/SERVICE-ROLE.txt`."""
    folder, module, role = sys.argv[1:]
    path = Path(folder) / f"{module.removeprefix('services.')}-{role}.txt"
    samples = Samples()

    def write(*_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(samples.report())

    signal.signal(signal.SIGPROF, lambda _, frame: samples.take(frame))
    signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL))
    signal.signal(signal.SIGUSR2, write)
    sys.argv = [module, role]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
