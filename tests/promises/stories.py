"""The stories beside the sample histories of the catalogue: what happens, and what each commitment must come to.

A line `ID DAY CLOCK TYPE field=value ...` is an event of the customer named before by `for`, at a clock time of the story's zone;
a line `= PROMISE TRIGGER JUDGEMENT DUE : WHY` is a verdict, worked out by hand from `PROMISES.md`.
`python -m tests.promises.stories` writes the histories anew.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

CATALOGUE: Final = Path(__file__).parents[2] / "promises"
SAMPLES: Final = CATALOGUE / "samples"
_EXPECTED: Final = re.compile(r"= (\S+) (\S+) (\S+) (-|\S+ \S+) : (.+)")
_CLOCK: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")


@dataclass(frozen=True, slots=True)
class Expected:
    """What one commitment must come to: a judgement, or `late` and `never` for broken ones, or `standing`."""

    promise: str
    trigger: str
    judgement: str
    due: str | None
    why: str


@dataclass(slots=True)
class Story:
    """One sample history."""

    name: str
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    as_of: str = ""
    source: str = ""
    subject: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)

    def lines(self) -> bytes:
        """Return the history as JSON Lines, in order of arrival."""
        ordered = sorted(self.events, key=lambda each: str(each.get("recordedtime") or each["time"]))
        return b"".join(orjson.dumps(each) + b"\n" for each in ordered)

    def read(self, line: str) -> None:
        """Take one line."""
        word, _, rest = line.partition(" ")
        match word:
            case "zone":
                self.zone = ZoneInfo(rest)
            case "as-of":
                self.as_of = self.instant(rest)
            case "source":
                self.source = rest
            case "for":
                self.subject = rest
            case "every":
                self.events += self._repeated(rest)
            case "=":
                self.expected.append(self._expected(line))
            case _:
                key, day, clock, type_, *fields = line.split()
                self.events.append(self._event(key, self.instant(f"{day} {clock}"), type_, fields))

    def instant(self, clock: str) -> str:
        """Return a clock time of the story's zone as RFC 3339 text in UTC."""
        return _text(datetime.fromisoformat(clock).replace(tzinfo=self.zone))

    def _expected(self, line: str) -> Expected:
        found = _EXPECTED.fullmatch(line)
        assert found is not None, f"{self.name}: {line}"
        promise, trigger, judgement, due, why = found.groups()
        return Expected(promise, trigger, judgement, None if due == "-" else self.instant(due), why)

    def _event(self, key: str, time: str, type_: str, fields: list[str]) -> dict[str, Any]:
        named = dict(each.split("=", 1) for each in fields)
        own = {name: named.pop(f"@{name}", None) for name in ("subject", "arrived")}
        event = {"specversion": "1.0", "id": key, "source": self.source, "type": type_, "subject": own["subject"] or self.subject}
        arrived = {} if own["arrived"] is None else {"recordedtime": self.instant(own["arrived"])}
        return event | {"time": time} | arrived | {"data": {name: self._value(text) for name, text in named.items()}}

    def _value(self, text: str) -> Any:
        if _CLOCK.fullmatch(text):
            return self.instant(text)
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text

    def _repeated(self, rest: str) -> Iterator[dict[str, Any]]:
        """Read `12h from DAY CLOCK until DAY CLOCK TYPE field=value ...`."""
        hours, _, *words = rest.split()
        (day, clock, _, last_day, last_clock, type_), fields = words[:6], words[6:]
        at = datetime.fromisoformat(self.instant(f"{day} {clock}"))
        last = datetime.fromisoformat(self.instant(f"{last_day} {last_clock}"))
        number = 0
        while at <= last:
            number += 1
            yield self._event(f"{type_}-{number}", _text(at), type_, fields)
            at += timedelta(hours=int(hours.removesuffix("h")))


def story(name: str) -> Story:
    """Read the story of one file of the catalogue."""
    found = Story(name)
    for line in (SAMPLES / f"{name}.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            found.read(line.strip())
    return found


def names() -> list[str]:
    """Return the names of all stories."""
    return sorted(each.stem for each in SAMPLES.glob("*.txt"))


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    for each in names():
        (SAMPLES / f"{each}.jsonl").write_bytes(story(each).lines())
