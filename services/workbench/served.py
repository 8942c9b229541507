"""The files that pages load, our own and the installed ones: below an address that changes with any of them, so that browsers keep them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BASE: Final = "/assets"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_DIGITS: Final = 12


class Served(StaticFiles):
    """Files of some folders, each below the digest of them all: what a style sheet names stands beside it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Of these folders; where two have a name, the first."""
        super().__init__(directory=folders[0])
        self.all_directories = list(folders)
        self.digest = _digest(folders)

    def address(self, name: str) -> str:
        """Where a page finds a file."""
        return f"{BASE}/{self.digest}/{name}"

    def get_path(self, scope: Scope) -> str:
        """The path below the digest; below an old one what is there now is no longer what was asked for."""
        digest, _, name = super().get_path(scope).partition("/")
        return name if digest == self.digest else ""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """A file, to be kept for good."""
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        answer.headers["Cache-Control"] = _FOR_GOOD
        return answer


def _digest(folders: Sequence[Path]) -> str:
    found = hashlib.sha256()
    for path in sorted(each for folder in folders for each in folder.iterdir() if each.is_file()):
        found.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:_DIGITS]
