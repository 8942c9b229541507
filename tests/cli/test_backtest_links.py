"""A backtest over a file goes by what trusted sources say in it of who is whom."""

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


def judged(events: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    (folder / "promises.yaml").write_text(DOCUMENTS)
    done = run("backtest", folder / "promises.yaml", "--events", write(folder / "events.jsonl", events), "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found | {"said": done.stderr}
