"""What `makegood chaos` says of a load: nothing where all came out right, and each wrong by its name."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local import stack
from services.cli import chaos
from services.cli.chaos import Sent
from tests.judged import run

SENT = chaos.plan("7x1", random.Random(7), 4, 10)
KEPT = next(each for each, owed in SENT.owed.items() if owed == "kept")
BROKEN = next(each for each, owed in SENT.owed.items() if owed == "broken")
Rows = dict[str, list[dict[str, Any]]]


def right() -> Rows:
    """What a system that did everything right says over REST."""
    return {
        "touchpoints": [{"id": id_, "arrival": "2026-11-24T09:00:01Z"} for id_ in sorted(SENT.ids)],
        "commitments": [
            {"id": f"c-{each}", "correlation": each, "judgement": owed, "verdict": 1, "due": "2026-11-24T09:00:05Z"}
            for each, owed in SENT.owed.items()
        ],
        "cases": [{"failures": [{"commitment": f"c-{each}"} for each, owed in SENT.owed.items() if owed == "broken"]}],
    }


def found(rows: Rows) -> dict[str, list[str]]:
    seen = chaos.judged(SENT, rows["touchpoints"], rows["commitments"], rows["cases"])
    return {name: lines for name in ("lost", "doubled", "false") if (lines := getattr(seen, name))}


def commitment(rows: Rows, question: str) -> dict[str, Any]:
    return next(each for each in rows["commitments"] if each["correlation"] == question)


def test_what_came_out_right_is_called_so() -> None:
    assert found(right()) == {}


def test_a_correction_of_what_was_answered_too_late_is_no_false_word() -> None:
    """An answer that arrives after due may be preceded by `broken`; one that had arrived before may not."""
    rows = right()
    commitment(rows, KEPT)["verdict"] = 2
    answer = next(each for each in rows["touchpoints"] if each["id"] == f"{KEPT}/answered")
    assert list(found(rows)) == ["false"]
    answer["arrival"] = "2026-11-24T09:00:06Z"
    assert found(rows) == {}


WRONGS: dict[str, tuple[str, Callable[[Rows], object]]] = {
    "an event is missing": ("lost", lambda rows: rows["touchpoints"].pop()),
    "an event is there twice": ("doubled", lambda rows: rows["touchpoints"].append(rows["touchpoints"][0])),
    "a commitment is missing": ("lost", lambda rows: rows["commitments"].remove(commitment(rows, KEPT))),
    "a question has two commitments": (
        "doubled",
        lambda rows: rows["commitments"].append(commitment(rows, KEPT) | {"id": "another"}),
    ),
    "what was kept is called broken": ("false", lambda rows: commitment(rows, KEPT).update(judgement="broken")),
    "what was broken is called kept": ("false", lambda rows: commitment(rows, BROKEN).update(judgement="kept")),
    "what is broken was called otherwise": ("false", lambda rows: commitment(rows, BROKEN).update(verdict=2)),
    "a failure has no case": ("lost", lambda rows: rows["cases"].clear()),
    "a failure is in two cases": ("doubled", lambda rows: rows["cases"].append(rows["cases"][0])),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_whatever_is_wrong_is_named(wrong: str) -> None:
    kind, do = WRONGS[wrong]
    rows = right()
    do(rows)
    assert kind in found(rows)


def test_the_same_seed_plans_the_same_load() -> None:
    assert chaos.plan("7x1", random.Random(7), 4, 10) == SENT
    assert isinstance(SENT, Sent)
    assert set(SENT.owed.values()) == {"kept", "broken"}


@pytest.mark.slow
def test_services_that_are_killed_under_load_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command as a user gives it, on a system of its own."""
    data = Path(tmp_path_factory.mktemp("chaos"))
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    stack.up(data, "live", print)
    try:
        ended = run("chaos", "--seconds", "25", "--rate", "20")
    finally:
        stack.down(data, print)
    assert ended.exit_code == 0, ended.output
    assert "lost 0, doubled 0, said falsely 0" in ended.output
    assert " 0 kills" not in ended.output
