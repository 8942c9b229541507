"""What customers say, as promises that their word breaks: `promises/feedback.yaml`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.data_sets import event
from tests.judged import PROMISES, run, write

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "data", "judgement"),
    [
        ("complaint.received", {"complaint_id": "c1"}, "broken"),
        ("complaint.filed", {"complaint_id": "c1"}, "broken"),
        ("survey.answered", {"score": 4}, "broken"),
        ("survey.answered", {"score": 5}, "kept"),
        ("feedback.given", {"tone": -0.8}, "broken"),
        ("feedback.given", {"tone": 0.1, "told": "direct", "expressed": "explicit"}, "kept"),
        ("feedback.given", {"tone": -0.8, "told": "indirect"}, None),
        ("feedback.given", {"tone": -0.8, "expressed": "implicit"}, None),
    ],
)
def test_a_harsh_word_breaks_a_promise_and_a_kind_one_does_not(
    type_: str, data: dict[str, Any], judgement: str | None, tmp_path: Path
) -> None:
    said = write(tmp_path / "said.jsonl", [event("shop", "s1", type_, "crm:1", NOON, data)])
    verdicts = tmp_path / "verdicts.jsonl"
    told = run("backtest", PROMISES / "feedback.yaml", "--events", said, "--json", "--verdicts", verdicts)
    assert told.exit_code == 0, told.output
    assert [orjson.loads(line)["judgement"] for line in verdicts.read_bytes().splitlines()] == ([judgement] if judgement else [])
