"""Keeps count of what was done under faults and what came of it, row by row, over all runs of one version of the product.

A plugin of pytest (`-p tests.faults.tally`): what tests note by `record_property` is added up in `.local/faults.json`.
"""

import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.matrix import ROWS

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / ".local" / "faults.json"
DONE: Final = ("kills", "freezes", "server ends", "records")
FOUND: Final = ("lost", "doubled", "false", "disordered", "stalled", "failed")
Counts = dict[str, Counter[str]]
"""By row, what was counted."""


def version() -> str:
    """The version of the product: a digest of all that its processes run."""
    found = hashlib.sha256()
    for folder in ("services", "contracts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.relative_to(ROOT).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def read(of: str) -> Counts:
    """What was counted of a version so far."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return {row: Counter(counts) for row, counts in kept.get(of, {}).items()}


def add(of: str, counts: Counts) -> None:
    """Add to what was counted of a version before."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    before = read(of)
    kept[of] = {row: before.get(row, Counter()) + counts.get(row, Counter()) for row in before.keys() | counts.keys()}
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1))


def table(counts: Counts) -> str:
    """What was counted, as Markdown."""
    columns = ("tests", *DONE, *FOUND)
    lines = [f"| row | fault | {' | '.join(columns)} |", f"|--:|---|{'--:|' * len(columns)}"]
    total: Counter[str] = Counter()
    for number, row in ROWS.items():
        found = counts.get(str(number), Counter())
        total += found
        lines.append(f"| {number} | {row.fault} | {_cells(found, columns)} |")
    return "\n".join([*lines, f"| | all | {_cells(total, columns)} |"])


def _cells(found: Counter[str], columns: tuple[str, ...]) -> str:
    return " | ".join(f"{found[each]:,}" for each in columns)


class Tally:
    """Counts one run of pytest."""

    def __init__(self) -> None:
        """Nothing was run yet."""
        self.counts: Counts = {}
        self._version = version()
        self._rows = {node: str(number) for number, row in ROWS.items() for node in row.tests}
        self._began = time.monotonic()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Note which test belongs to which row, and leave out the rows that were not asked for."""
        for item in items:
            for mark in item.iter_markers("row"):
                self._rows[item.nodeid] = str(mark.args[0])
        if rows := config.getoption("--rows"):
            items[:] = [each for each in items if self._row(each.nodeid) in rows.split(",")]

    def _row(self, node: str) -> str | None:
        """The row of a test, which may be named by its file, itself, or itself with what it was given."""
        plain = node.partition("[")[0]
        return next((self._rows[each] for each in (node, plain, plain.partition("::")[0]) if each in self._rows), None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one test."""
        row = self._row(report.nodeid)
        if row is None or report.skipped or (report.when != "call" and report.passed):
            return
        found = self.counts.setdefault(row, Counter())
        found["tests"] += report.when == "call"
        noted = {name: value for name, value in report.user_properties if isinstance(value, int)}
        found.update({name: value for name, value in noted.items() if name in DONE + FOUND})
        if report.failed:
            found["stalled" if "NotInTimeError" in report.longreprtext else "failed"] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table of this run, and add it to what is kept."""
        add(self._version, self.counts)
        seconds = time.monotonic() - self._began
        terminalreporter.write_line(f"\nThis run, {seconds / 60:.1f} minutes:\n\n{table(self.counts)}")
        terminalreporter.write_line(f"\nAll runs of this version ({self._version}):\n\n{table(read(self._version))}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let rows be chosen."""
    parser.addoption("--rows", default="", help="only these rows of the matrix, separated by commas")


def pytest_configure(config: pytest.Config) -> None:
    """Count this run."""
    config.pluginmanager.register(Tally(), "tally")
