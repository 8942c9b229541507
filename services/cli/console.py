"""What people see: plain text where nobody watches, and progress on whatever takes longer than their patience."""

import sys
import time
from collections.abc import Iterable, Sized
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.table import Table

PATIENCE: Final = 2.0
"""Seconds."""
_WIDE: Final = 200


def output() -> Console:
    """Return the console for results; without a terminal nothing is cut off."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def messages() -> Console:
    """Return the console for everything that is no result."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _WIDE, highlight=False)


def table(*columns: str, numbers: Iterable[str] = (), title: str | None = None) -> Table:
    """Return an empty table: words to the left, numbers to the right."""
    found = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        found.add_column(name, no_wrap=True)
    for name in numbers:
        found.add_column(name, justify="right", no_wrap=True)
    return found


class Showing:
    """Progress on standard error, once it takes longer than patience: a bar in a terminal, else a line now and then."""

    def __init__(self, what: str, total: int | None = None) -> None:
        """Of so many steps, if it is known."""
        self._what, self._total = what, total
        self._shown_at = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, done: int, what: str | None = None) -> None:
        """Show how far it has come."""
        if what is not None:
            self._what = what
        if self._bar is None and time.monotonic() - self._shown_at < PATIENCE:
            return
        if sys.stderr.isatty():
            bar = self._bar or self._open()
            bar.update(bar.task_ids[0], completed=done, description=self._what)
            return
        self._shown_at = time.monotonic()
        of = "" if self._total is None else f" of {self._total:,}"
        messages().print(f"{self._what}: {done:,}{of}")

    def _open(self) -> Progress:
        counting = (BarColumn(), MofNCompleteColumn()) if self._total else (TextColumn("{task.completed:,}"),)
        bar = Progress(TextColumn("{task.description}"), *counting, TimeElapsedColumn(), console=messages(), transient=True)
        bar.add_task(self._what, total=self._total)
        bar.start()
        self._bar = bar
        return bar


class Waiting:
    """What is being waited for, on standard error, once it takes longer than patience."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._told_at = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, what: str) -> None:
        """Show what it is now."""
        if self._status is not None:
            self._status.update(what)
        elif time.monotonic() - self._told_at < PATIENCE:
            return
        elif sys.stderr.isatty():
            self._status = messages().status(what)
            self._status.start()
        else:
            self._told_at = time.monotonic()
            messages().print(what, markup=False)


def plural(number: int, one: str) -> str:
    """Return `1 event`, `2 events`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def count(things: Sized, one: str) -> str:
    """Return how many there are, as `plural`."""
    return plural(len(things), one)
