"""A backtest over a file goes by what trusted sources say in it of who is whom, and by what many hold."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.judged import run, write

DOCUMENTS = """
apiVersion: makegood/v1
kind: Source
metadata: {name: crm}
spec: {source: company/crm, heartbeat: 100 days, trusted: true}
---
apiVersion: makegood/v1
kind: Promise
metadata: {name: answered, owner: service}
spec:
  statement: We answer within a day.
  published: []
  response: {when: {type: asked}, expect: {type: answered}, within: 24 hours}
"""


def event(id_: str, type_: str, subject: str, hour: int, source: str = "shop", **data: Any) -> dict[str, Any]:
    time = f"2026-03-0{1 + hour // 24}T{hour % 24:02}:00:00Z"
    return {"specversion": "1.0", "id": id_, "source": source, "type": type_, "subject": subject, "time": time, "data": data}


ASKED, ANSWERED, LATER = event("a", "asked", "card:1", 0), event("b", "answered", "crm:1", 5), event("z", "other", "crm:2", 90)
LINK = event("l", "customer.linked", "crm:1", 50, "company/crm", identifiers=["card:1"])
UNDONE = event("u", "customer.unmerged", "crm:1", 60, "company/crm", identifiers=["card:1"])
OTHERS_WORD = LINK | {"source": "shop"}


@pytest.mark.parametrize(
    ("events", "kept"),
    [([ASKED, ANSWERED, LATER], 0), ([ASKED, ANSWERED, LINK, LATER], 1), ([LINK, LATER, ANSWERED, ASKED], 1),
     ([ASKED, ANSWERED, LINK, UNDONE, LATER], 0)],
)  # fmt: skip
def test_what_comes_under_another_name_of_the_same_person_keeps_a_promise(events: list[dict[str, Any]], kept: int, tmp_path: Path) -> None:
    """Breaks if a file's links are passed over, count by their place in it, or outlive what takes them back."""
    assert judged(events, tmp_path)["kept"] == kept


def test_whoever_is_not_trusted_joins_nobody_and_is_refused(tmp_path: Path) -> None:
    found = judged([ASKED, ANSWERED, OTHERS_WORD, LATER], tmp_path)
    assert (found["kept"], found["commitments"]) == (0, 1)
    assert "refused 1 line: untrusted-source" in found["said"]


def judged(events: list[dict[str, Any]], folder: Path, documents: str = DOCUMENTS) -> dict[str, Any]:
    (folder / "promises.yaml").write_text(documents)
    done = run("backtest", folder / "promises.yaml", "--events", write(folder / "events.jsonl", events), "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found | {"said": done.stderr}


FLIGHTS = """
apiVersion: makegood/v1
kind: EventType
metadata: {name: flight-delayed}
spec: {type: flight.delayed, about: many, identifiers: {flight: {path: subject, of: thing}}}
---
apiVersion: makegood/v1
kind: EventType
metadata: {name: seat-booked}
spec: {type: seat.booked, identifiers: {flight: {path: data.flight, of: thing}}}
---
apiVersion: makegood/v1
kind: Promise
metadata: {name: told, owner: service}
spec:
  statement: We tell you when your flight is late.
  published: []
  response: {when: {type: flight.delayed}, expect: {type: message.sent}, within: 5 hours}
"""


@pytest.mark.parametrize("backwards", [False, True])
def test_what_happens_to_a_thing_that_many_hold_is_promised_to_each_who_held_it_then(tmp_path: Path, *, backwards: bool) -> None:
    """Breaks if it were nobody's, or reached who came later, or hung on the order of lines."""
    events = [
        event("1", "seat.booked", "crm:1", 0, flight="f1"), event("2", "seat.booked", "crm:2", 1, flight="f1"),
        event("3", "seat.booked", "crm:3", 1, flight="f2"), event("4", "flight.delayed", "flight:f1", 5),
        event("5", "message.sent", "crm:2", 6), event("6", "seat.booked", "crm:4", 8, flight="f1"), event("7", "other", "crm:1", 20),
    ]  # fmt: skip
    found = judged(events[::-1] if backwards else events, tmp_path, FLIGHTS)
    assert (found["commitments"], found["kept"], found["broken"], found["said"]) == (2, 1, 1, "")
