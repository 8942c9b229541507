"""`docs/promises.md` says what is so: its table of modifiers, and every example with its due times, judgements and counts."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.promises.language.modifiers import GOES_WITH
from services.promises.language.patterns import PATTERNS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "examples"
COMMAND = re.compile(r"`makegood backtest docs/examples/(\w+)\.yaml --events docs/examples/(\w+)\.jsonl`")
ROW = re.compile(r"^\| `(\w+)` \| .* \| ([-\d :]*?) ?\| (\w+) \|$", re.MULTILINE)
COUNTED = re.compile(r"(?:for `([\w-]+)`)?: ((?:\w+ \d+(?:, |))+)")


class Example(NamedTuple):
    """One worked example of the page."""

    name: str
    text: str


def sections() -> list[Example]:
    """The parts of the page from one command to the next."""
    starts = list(COMMAND.finditer(PAGE))
    assert all(each[1] == each[2] for each in starts)
    ends = [*(each.start() for each in starts[1:]), len(PAGE)]
    return [Example(each[1], PAGE[each.end() : end]) for each, end in zip(starts, ends, strict=True)]


def backtest(name: str, verdicts: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the command of the page prints as JSON, and its verdicts."""
    files = [str(EXAMPLES / f"{name}.yaml"), "--events", str(EXAMPLES / f"{name}.jsonl"), "--json", "--verdicts", str(verdicts)]
    result = CliRunner().invoke(app, ["backtest", *files])
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()], [orjson.loads(line) for line in verdicts.read_bytes().splitlines()]


def shown(due: str | None) -> str:
    """A due time as the page writes it."""
    return "" if due is None else f"{datetime.fromisoformat(due):%m-%d %H:%M}"


@pytest.mark.parametrize("example", sections(), ids=lambda each: each.name)
def test_an_example_comes_to_what_the_page_says(example: Example, tmp_path: Path) -> None:
    table, _, counted = example.text.partition("Counted")
    reports, verdicts = backtest(example.name, tmp_path / "verdicts.jsonl")
    found = [(each["correlation"], shown(each["due"]), each["judgement"]) for each in verdicts]
    assert sorted(found) == sorted(ROW.findall(table))
    said = COUNTED.findall(counted.split("\n\n")[0].replace("\n", " "))
    assert len(said) == len(reports)
    for (promise, counts), report in zip(said, reports, strict=True):
        assert promise in ("", report["promise"])
        for name, number in (each.split() for each in counts.split(", ")):
            assert report[name] == int(number), (promise, name)


def test_every_pattern_and_every_modifier_has_a_section_with_an_example() -> None:
    named: set[str] = set()
    for section in re.split(r"^#+ ", PAGE, flags=re.MULTILINE):
        if COMMAND.search(section):
            named |= set(re.findall(r"`(\w+)`", section.splitlines()[0]))
    assert set(PATTERNS) | set(GOES_WITH) | {"strictly"} <= named


def test_every_example_is_on_the_page_and_is_what_is_shown_there() -> None:
    assert sorted({each.name for each in sections()}) == sorted(each.stem for each in EXAMPLES.glob("*.yaml"))
    blocks = re.findall(r"```yaml\n((?:(?!```).)*)```\n(?:(?!```yaml).)*?" + COMMAND.pattern, PAGE, re.DOTALL)
    assert len(blocks) == len(sections())
    for block, name, _ in blocks:
        written = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
        indented = "".join(f"  {line}\n" for line in block.splitlines())
        assert indented in written or block in written, name


def test_the_table_of_modifiers_is_the_one_that_errors_are_made_of() -> None:
    header = "| | " + " | ".join(f"`{each}`" for each in PATTERNS) + " |\n|---|" + "---|" * len(PATTERNS) + "\n"
    rows = "".join(f"| `{key}` | {' | '.join(goes.values())} |\n" for key, goes in GOES_WITH.items())
    assert header + rows in PAGE
