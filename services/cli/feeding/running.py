"""History sent on: a file or a query to its end, from where the last run came to. Run again, it doubles nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson

from services.chassis.cloudevents import Event
from services.cli.client import Client
from services.cli.console import Showing
from services.cli.emit import send_batch
from services.cli.feeding.reading import Read
from services.cli.feeding.showing import Judge, Judged
from services.journey.feeds.document import Feed

MOST_EVENTS: Final = 500
_SAMPLE: Final = 64 * 1024
BACKFILL: Final = "backfill"
"""Extension attribute of an event that belongs to a backfill."""


@dataclass(slots=True)
class Position:
    """How far a feed has come: `mark` is where to go on, in what `input` names; the others count, and account for every record."""

    input: str
    mark: str = ""
    finished: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    backfill: str | None = None
    """The key of the backfill that this run is in the middle of."""
    refusals: int = 0
    """Bytes of the file of refused records that stand for this position."""


class Run:
    """One run of one feed; its position and its refused records lie in a folder of the data folder."""

    def __init__(self, feed: Feed, folder: Path, fingerprint: str, *, again: bool = False) -> None:
        """From where the last run of this feed on this input came to, or `again` from its beginning."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self.refusals = folder / f"{feed.name}.json", folder / f"{feed.name}.refused.jsonl"
        self._source = feed.source
        self._backfill: str | None = None
        known = _known(self._path, fingerprint) or Position(fingerprint)
        self.position = Position(fingerprint, backfill=known.backfill) if again else known
        with self.refusals.open("ab") as kept:
            kept.truncate(self.position.refusals)

    def begin(self, client: Client, reason: str) -> None:
        """Open a backfill, or go on in the one that the last run did not come to the end of."""
        self.position.backfill = self.position.backfill or str(uuid4())
        self._save()
        asked = {"source": self._source, "reason": reason}
        headers = {"Idempotency-Key": f"feed:{self.position.backfill}"}
        self._backfill = str(client.post("journey", "/v1/backfills", json=asked, headers=headers)["id"])

    def end(self, client: Client) -> None:
        """Say that the history is complete: what it brought is judged."""
        if self._backfill is not None:
            client.post("journey", f"/v1/backfills/{self._backfill}/end")
        self.position.backfill = None
        self._save()

    def _encoded(self, event: Event) -> bytes:
        return orjson.dumps(event.attributes if self._backfill is None else event.attributes | {BACKFILL: self._backfill})

    def batch(self, client: Client, found: list[Judged], mark: str, *, finished: bool = False) -> None:
        """Send what comes out of some records, keep what is refused, then move on."""
        numbered = {number: each for number, each in enumerate(found) if each.event is not None and each.becomes == "event"}
        lines = [(number, self._encoded(each.event)) for number, each in numbered.items() if each.event is not None]
        refused: list[tuple[int, str]] = []
        accepted = send_batch(client, lines, refused) if lines else 0
        kept = [_told(each.read, each.reason, each.detail) for each in found if each.becomes == "refused"]
        kept += [_told(numbered[number].read, "refused-at-intake", why) for number, why in refused]
        others = {name: sum(each.becomes == name for each in found) for name in ("skipped", "duplicate")}
        for name, count in {"accepted": accepted, "refused": len(kept), **others}.items():
            self.position.counts[name] = self.position.counts.get(name, 0) + count
        self._keep(kept)
        self.position.mark, self.position.finished = mark, finished
        self._save()

    def _keep(self, refused: list[dict[str, str]]) -> None:
        with self.refusals.open("ab") as kept:
            kept.writelines(orjson.dumps(each) + b"\n" for each in refused)
            kept.flush()
            self.position.refusals = kept.tell()

    def _save(self) -> None:
        """Whole or not at all."""
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(asdict(self.position)))
        fresh.replace(self._path)


def _told(read: Read, reason: str, detail: str) -> dict[str, str]:
    """Where a refused record lies and why, and nothing of what is in it: it lies where it came from, and no erasure reaches this file."""
    return {"place": read.place, "reason": reason, "detail": detail}


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
