"""A wall clock of a process's own, which jumps when it is told to (libfaketime); what is measured from start to end stays right."""

from pathlib import Path
from typing import Final

LIBRARIES: Final = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")
PRELOADED: Final = next((str(found) for each in LIBRARIES for found in Path("/").glob(each[1:])), "")


class Clock:
    """What a process is started with, and how its clock is set afterwards."""

    def __init__(self, folder: Path) -> None:
        """A clock that is right until it is set."""
        self._file = folder / "clock"
        self.set("+0")

    @property
    def environment(self) -> dict[str, str]:
        """What the process is told."""
        return {
            "LD_PRELOAD": PRELOADED,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def set(self, ahead: str) -> None:
        """Set it so far ahead (`+1d`) or back (`-1h`); it is seen within a second."""
        self._file.write_text(f"{ahead}\n")
