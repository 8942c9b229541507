"""History sent on: a file or a query to its end, from where the last run came to. Run again, it doubles nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from services.chassis.cloudevents import encode
from services.cli.client import Client
from services.cli.console import Showing
from services.cli.emit import send_batch
from services.cli.feeding.reading import Read
from services.cli.feeding.showing import Judge, Judged
from services.journey.feeds.document import Feed

MOST_EVENTS: Final = 500
_SAMPLE: Final = 64 * 1024


@dataclass(slots=True)
class Position:
    """How far a feed has come: `mark` is where to go on, in what `input` names; the others count, and account for every record."""

    input: str
    mark: str = ""
    finished: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    refusals: int = 0
    """Bytes of the file of refused records that stand for this position."""


class Run:
    """One run of one feed; its position and its refused records lie in a folder of the data folder."""

    def __init__(self, feed: Feed, folder: Path, fingerprint: str, *, again: bool = False) -> None:
        """From where the last run of this feed on this input came to, or `again` from its beginning."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self.refusals = folder / f"{feed.name}.json", folder / f"{feed.name}.refused.jsonl"
        known = None if again else _known(self._path, fingerprint)
        self.position = known or Position(fingerprint)
        with self.refusals.open("ab") as kept:
            kept.truncate(self.position.refusals)

    def batch(self, client: Client, found: list[Judged], mark: str, *, finished: bool = False) -> None:
        """Send what comes out of some records, keep what is refused, then move on."""
        numbered = {number: each for number, each in enumerate(found) if each.event is not None and each.becomes == "event"}
        lines = [(number, encode(each.event)) for number, each in numbered.items() if each.event is not None]
        refused: list[tuple[int, str]] = []
        accepted = send_batch(client, lines, refused) if lines else 0
        kept = [each.as_json() | {"record": each.read.shown} for each in found if each.becomes == "refused"]
        kept += [
            numbered[number].as_json() | {"becomes": "refused", "reason": "refused-at-intake", "detail": why} for number, why in refused
        ]
        others = {name: sum(each.becomes == name for each in found) for name in ("skipped", "duplicate")}
        for name, count in {"accepted": accepted, "refused": len(kept), **others}.items():
            self.position.counts[name] = self.position.counts.get(name, 0) + count
        self._keep(kept)
        self.position.mark, self.position.finished = mark, finished
        self._save()

    def _keep(self, refused: list[dict[str, Any]]) -> None:
        with self.refusals.open("ab") as kept:
            kept.writelines(orjson.dumps(each) + b"\n" for each in refused)
            kept.flush()
            self.position.refusals = kept.tell()

    def _save(self) -> None:
        """Whole or not at all."""
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(asdict(self.position)))
        fresh.replace(self._path)


class Sending:
    """Takes records one by one, and sends them in batches."""

    def __init__(self, client: Client, run: Run, judge: Judge, showing: Showing) -> None:
        """On behalf of a run."""
        self._client, self._run, self._judge, self._showing = client, run, judge, showing
        self._waiting: list[Judged] = []
        self._done = sum(run.position.counts.values())

    def take(self, read: Read) -> None:
        """Take one more record."""
        self._waiting.append(self._judge.of(read))
        if len(self._waiting) >= MOST_EVENTS:
            self._send(finished=False)

    def finish(self) -> None:
        """Send what is left; the input has been read to its end."""
        self._send(finished=True)

    def _send(self, *, finished: bool) -> None:
        mark = self._waiting[-1].read.mark if self._waiting else self._run.position.mark
        self._run.batch(self._client, self._waiting, mark, finished=finished)
        self._done += len(self._waiting)
        self._waiting = []
        self._showing.advance(self._done)


def fingerprint(path: Path) -> str:
    """What tells a file from another one of the same name: how it begins. That more was appended makes it no other."""
    with path.open("rb") as file:
        first = file.readline(_SAMPLE)
    return f"{path.resolve()} {hashlib.sha256(first).hexdigest()}"


def behind(found: Iterator[Read], mark: str) -> Iterator[Read]:
    """Yield the records behind a line of a file."""
    last = int(mark or 0)
    return (each for each in found if int(each.mark) > last)


def _known(path: Path, input_: str) -> Position | None:
    try:
        found = Position(**orjson.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.input == input_ else None
