"""How far a long piece of work has come, on standard error, once it takes longer than people's patience."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE: Final = 2.0
"""Seconds."""


class Stages:
    """One piece of work after the other: a bar and the time left in a terminal, else a line now and then."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._what, self._total = "", 0
        self._began = self._told = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def begin(self, what: str, total: int) -> None:
        """Go on to another piece of work, of so many steps; 0: nobody knows."""
        self._end()
        self._what, self._total, self._began = what, total, time.monotonic()
        self._told = self._began

    def advance(self, done: int) -> None:
        """Show how far it has come."""
        now = time.monotonic()
        if self._bar is None and now - self._told < _PATIENCE:
            return
        if sys.stderr.isatty():
            bar = self._bar or self._open()
            bar.update(bar.task_ids[0], completed=done)
            return
        self._told = now
        sys.stderr.write(f"{self._what}: {self._in_words(done, now - self._began)}\n")

    def _in_words(self, done: int, took: float) -> str:
        if not self._total or not done:
            return f"{done:,}"
        share = min(done / self._total, 1.0)
        return f"{share:.0%}, about {took / share - took:,.0f} s left"

    def _open(self) -> "Progress":
        # loading it takes longer than judging a month
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        bar = self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(self._what, total=self._total or None)
        bar.start()
        return bar

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
