"""Seeds bugs into the judge and into business time, one at a time, and tells which of them no test notices.

`python -m tests.mutation [--sample N] [--seed S] [FILE...]` prints for each file the share of bugs that its tests find, and every bug that
gets past them. Each bug lives in a process of its own, forked after everything but our own code is imported. The same seed seeds the same
bugs, and the tests' own random examples are the same each time.
"""

import argparse
import ast
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutants import EQUIVALENT, Bug, bugs

ROOT: Final = Path(__file__).parents[1]
DOMAIN: Final = ("patterns", "around", "clock", "account", "absence", "response", "edges", "history", "properties")
CALENDARS: Final = ("calendars", "durations", "calendar_edges", "working_time")
OWN: Final = {
    "working_time": "working_time", "durations": "durations", "week": "calendars",
    "clocks": "calendar_edges", "ics": "calendar_edges", "days_off": "calendar_edges",
    "history": "domain_history", "anchoring": "domain_history",
}  # fmt: skip
"""The tests that are the likeliest to find a bug in a file."""
PATIENCE: Final = 30
"""Seconds of work after which a bug is one that makes the tests hang, and so is found."""
MEMORY: Final = 2 * 1024**3
"""Bytes, likewise."""
WANTED: Final = 0.9
HEAVY: Final = ("holidays", "icalendar", "recurring_ical_events", "ruamel.yaml", "whenever", "pydantic", "orjson", "cel_expr_python.cel")
OPTIONS: Final = ("-x", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(ROOT), "--noconftest", "--assert=plain")
"""Of pytest, which starts anew for every bug: nothing but the tests themselves."""


class Report(NamedTuple):
    """What became of the bugs of one file."""

    path: str
    seeded: int
    equivalent: int
    survivors: list[Bug]
    seconds: float

    @property
    def counted(self) -> int:
        """How many were bugs indeed."""
        return self.seeded - self.equivalent

    @property
    def found(self) -> int:
        """How many of them a test noticed."""
        return self.counted - len(self.survivors)


class _Seeded(MetaPathFinder, Loader):
    """Gives a module with a bug in it to whoever imports it."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self.module, self.path, self.code = module, path, code

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        return ModuleSpec(fullname, self, origin=str(self.path), is_package=self.path.name == "__init__.py")

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def is_noticed(path: Path, number: int | None, *, aloud: bool = False) -> bool:
    """Return whether a file's tests notice its bug of this number (None: no bug at all), in a process of its own."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    if not aloud:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
    found = 1
    try:
        if number is not None:
            tree = ast.parse(path.read_text())
            next(each for place, each in enumerate(bugs(tree)) if place == number).seed()
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
            relative = path.relative_to(ROOT)
            parts = relative.parent.parts if path.name == "__init__.py" else relative.with_suffix("").parts
            sys.meta_path.insert(0, _Seeded(".".join(parts), path, code))
        found = int(pytest.main([*OPTIONS, *tests_of(path)]))
    finally:
        os._exit(found)


def tests_of(path: Path) -> list[str]:
    """Return the tests that a bug in a file must not get past, the likeliest first and the slowest last."""
    names = [f"domain_{each}" for each in DOMAIN] if path.parent.name == "domain" else [*CALENDARS]
    own = OWN.get(path.stem)
    names.sort(key=lambda name: name != own if own else False)
    return [f"tests/promises/test_{name}.py" for name in names]


def judged(path: Path, numbers: list[int]) -> Report:
    """Seed these bugs into a file and see what its tests say."""
    started, survivors, equivalent = time.monotonic(), [], 0
    every = list(bugs(ast.parse(path.read_text())))
    for number in numbers:
        bug = every[number]
        if (path.name, bug.change) in EQUIVALENT:
            equivalent += 1
        elif not is_noticed(path, number):
            survivors.append(bug)
            sys.stdout.write(f"  {path.relative_to(ROOT)}:{bug.line}: {bug.change}\n")
            sys.stdout.flush()
    return Report(str(path.relative_to(ROOT)), len(numbers), equivalent, survivors, time.monotonic() - started)


def chosen(paths: list[Path], sample: int | None, seed: int) -> dict[Path, list[int]]:
    """Return the numbers of the bugs to seed into each file."""
    every = [(path, number) for path in paths for number in range(sum(1 for _ in bugs(ast.parse(path.read_text()))))]
    taken = every if sample is None else random.Random(seed).sample(every, min(sample, len(every)))
    return {path: sorted(number for where, number in taken if where == path) for path in paths}


def show(reports: list[Report]) -> float:
    """Print the table and return the share found."""
    survivors = [bug for each in reports for bug in each.survivors]
    seeded, equivalent = sum(each.seeded for each in reports), sum(each.equivalent for each in reports)
    total = Report("together", seeded, equivalent, survivors, sum(each.seconds for each in reports))
    sys.stdout.write(f"\n{'file':<45}{'bugs':>6}{'none':>6}{'found':>7}{'share':>8}{'seconds':>9}\n")
    for each in [*reports, total]:
        share = each.found / max(each.counted, 1)
        sys.stdout.write(f"{each.path:<45}{each.counted:>6}{each.equivalent:>6}{each.found:>7}{share:>8.1%}{each.seconds:>9.0f}\n")
    return total.found / max(total.counted, 1)


def _files(named: list[str]) -> Iterator[Path]:
    for each in named or ("services/promises/domain", "services/promises/calendars"):
        path = (ROOT / each).resolve()
        yield from sorted(path.glob("*.py")) if path.is_dir() else [path]


def main() -> int:
    """Tell of each file how many of its bugs are found; 1 where that is too few."""
    parser = argparse.ArgumentParser(description="Seeds bugs and tells which of them no test notices.")
    parser.add_argument("--sample", type=int, help="how many bugs, drawn over all files (default: every one)")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("file", nargs="*", help="files or folders (default: the judge and the calendars)")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    settings.register_profile(
        "mutation", derandomize=True, database=None, max_examples=40, phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck), deadline=None,
    )  # fmt: skip
    settings.load_profile("mutation")
    for name in HEAVY:
        import_module(name)
    todo = {path: numbers for path, numbers in chosen(list(_files(options.file)), options.sample, options.seed).items() if numbers}
    if any(is_noticed(path, None, aloud=True) for path in {path.parent: path for path in todo}.values()):
        sys.stdout.write("the tests fail without any bug\n")
        return 1
    return int(show([judged(path, numbers) for path, numbers in todo.items()]) < WANTED)


if __name__ == "__main__":
    sys.exit(main())
