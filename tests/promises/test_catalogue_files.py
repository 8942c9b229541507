"""The ready catalogue: every file says what a customer understands, and its sample comes to what was worked out by hand.

The verdicts beside each sample (`promises/samples/*.txt`) were read off `PROMISES.md`, not off this program.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli import backtest, lint
from services.promises import language
from services.promises.language.declarations import Document, Promise
from tests.promises import stories

CATALOGUE = stories.CATALOGUE
FILES = sorted(CATALOGUE.glob("*.yaml"))
PATTERNS = (
    "response",
    "precedence",
    "absence",
    "limit",
    "conformance",
    "settlement",
    "recurrence",
    "milestones",
    "all_of",
    "sequence_of",
)
AROUND = (
    "broken_by",
    "cancel",
    "reset",
    "pause",
    "resume",
    "excuse",
    "targets",
    "escalate_target",
    "holder",
    "grace",
    "warn",
    "segment",
)
INSIDE = ("strictly", "count", "open", "correlate", "by", "within", "until", "no_sooner_than", "settle", "in", "from", "end")
BROKEN = {"late", "never"}

app = typer.Typer()
lint.register(app)
backtest.register(app)


def documents(path: Path) -> list[Document]:
    return language.read(path.read_text(), path.name)


def promises() -> list[tuple[Promise, dict[str, Any]]]:
    found = [each for path in FILES for each in documents(path)]
    return [(each.declares, each.raw["spec"]) for each in found if isinstance(each.declares, Promise)]


def backtested(name: str, folder: Path) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """The line of each promise by its name, and the line of each commitment."""
    verdicts, history = folder / "verdicts.jsonl", stories.SAMPLES / f"{name}.jsonl"
    options = ["--events", str(history), "--json", "--as-of", stories.story(name).as_of, "--verdicts", str(verdicts)]
    result = CliRunner().invoke(app, ["backtest", str(CATALOGUE / f"{name}.yaml"), *options])
    assert result.exit_code == 0, result.output
    lines = [json.loads(each) for each in result.stdout.splitlines()]
    return {each["promise"]: each for each in lines}, [json.loads(each) for each in verdicts.read_text().splitlines()]


@pytest.mark.parametrize("name", stories.names())
def test_every_commitment_of_a_sample_comes_to_what_was_worked_out_by_hand(name: str, tmp_path: Path) -> None:
    told = stories.story(name)
    _, verdicts = backtested(name, tmp_path)
    found = {(each["promise"], each["trigger"]["id"]): (each["judgement"], each["due"]) for each in verdicts}
    assert len(found) == len(verdicts)
    wanted = {(each.promise, each.trigger): each for each in told.expected}
    differing = [
        f"{promise} of {trigger}: wanted {each.judgement} (due {each.due}), found {found.get((promise, trigger))}; {each.why}"
        for (promise, trigger), each in wanted.items()
        if not agrees(each, *found.get((promise, trigger), ("nothing", None)))
    ]
    assert differing + [f"{each}: opened, and nothing was owed" for each in found.keys() - wanted.keys()] == []


def agrees(expected: stories.Expected, judgement: str, due: str | None) -> bool:
    wanted = "broken" if expected.judgement in BROKEN else "on_track" if expected.judgement == "standing" else expected.judgement
    return wanted == judgement and expected.due in {None, due}


@pytest.mark.parametrize("name", stories.names())
def test_the_counts_of_a_sample_are_those_of_its_commitments(name: str, tmp_path: Path) -> None:
    lines, _ = backtested(name, tmp_path)
    for promise, line in lines.items():
        told = [each.judgement for each in stories.story(name).expected if each.promise == promise]
        said, broken = Counter(told), [each for each in told if each in {*BROKEN, "broken"}]
        counted = {each: line[each] for each in ("commitments", "kept", "standing", "broken", "excused", "withdrawn", "open")}
        assert counted == {
            "commitments": len(told),
            "kept": said["kept"] + said["standing"],
            "standing": said["standing"],
            "broken": len(broken),
            "excused": said["excused"],
            "withdrawn": said["withdrawn"],
            "open": said["on_track"] + said["at_risk"] + said["paused"],
        }, promise
        if "broken" not in broken:
            assert (line["late"], line["never"]) == (said["late"], said["never"]), promise


@pytest.mark.parametrize("name", stories.names())
def test_a_sample_has_all_that_can_become_of_a_commitment(name: str) -> None:
    said = {each.judgement for each in stories.story(name).expected}
    assert {"kept", "excused", "withdrawn", "on_track"} <= said
    assert said & BROKEN


@pytest.mark.parametrize("name", stories.names())
def test_a_sample_is_what_its_story_says(name: str) -> None:
    """Breaks if a story was changed and `python -m tests.promises.stories` was not run."""
    assert (stories.SAMPLES / f"{name}.jsonl").read_bytes() == stories.story(name).lines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_the_catalogue_is_free_of_findings(path: Path) -> None:
    history = stories.SAMPLES / f"{path.stem}.jsonl"
    for events in ([], ["--events", str(history)]) if history.exists() else ([],):
        result = CliRunner().invoke(app, ["lint", str(path), *events])
        assert result.exit_code == 0, result.output


def test_the_files_of_the_catalogue_are_free_of_findings_beside_each_other() -> None:
    result = CliRunner().invoke(app, ["lint", *map(str, FILES)])
    assert result.exit_code == 0, result.output


def test_a_customer_promise_says_where_it_is_published_what_it_aims_at_and_what_follows_a_failure() -> None:
    for promise, spec in promises():
        wanted = {"dimension", "component", "supports"}
        if promise.audience == "customer":
            wanted = {"published", "encounter", "dimension", "component", "principle", "objective", "recovery"}
        assert wanted - spec.keys() <= ({"component"} if promise.audience == "internal" else set()), promise.name


def test_the_catalogue_uses_every_pattern_and_every_modifier() -> None:
    specs = [spec for _, spec in promises()]
    assert {pattern for spec in specs for pattern in PATTERNS if pattern in spec} == set(PATTERNS)
    assert {key for spec in specs for key in AROUND if key in spec} == set(AROUND)
    assert "other" in [spec.get("resume") for spec in specs]
    used = set().union(*(words(spec) for spec in specs))
    assert set(INSIDE) - used == set()
    kinds = {each.kind for path in FILES for each in documents(path)}
    assert {"Promise", "EventType", "Calendar", "Source", "Principle"} <= kinds


def words(value: Any) -> set[str]:
    """Every key in a value, however deep."""
    match value:
        case dict():
            return set(value).union(*(words(each) for each in value.values()))
        case list():
            return set().union(*(words(each) for each in value))
    return set()


@pytest.mark.parametrize("word", [*PATTERNS, *AROUND])
def test_a_table_of_the_page_on_promises_names_every_pattern_and_modifier(word: str) -> None:
    rows = [line for line in page().splitlines() if line.startswith("|") and f"`{word}`" in line]
    assert rows, f"no table of docs/promises.md names `{word}`"


@pytest.mark.parametrize("word", [*INSIDE, "terms"])
def test_the_page_on_promises_tells_of_every_other_word(word: str) -> None:
    assert f"`{word}" in page() or f" {word}: " in page()


def page() -> str:
    return (CATALOGUE.parent / "docs" / "promises.md").read_text()
