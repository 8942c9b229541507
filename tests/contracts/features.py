"""Reads the Gherkin of CloudEvents' conformance features: just as much of it as those files use."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / ".." / "shared" / "data" / "conformance" / "cloudevents"


def conformance_file(name: str) -> Path:
    """The file of that name, or a skip that says what is missing; in CI a missing file is a failure."""
    path = FOLDER / name
    if not path.exists():
        message = f"the CloudEvents conformance files are not beside this repository: {path}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


@dataclass(frozen=True)
class Step:
    """One line of a scenario with what is written under it."""

    text: str
    document: str = ""
    table: tuple[tuple[str, ...], ...] = ()

    def filled(self, row: dict[str, str]) -> "Step":
        def fill(text: str) -> str:
            return re.sub(r"<(\w+)>", lambda found: row.get(found[1], found[0]), text)

        table = tuple(tuple(fill(cell) for cell in cells) for cells in self.table)
        return Step(fill(self.text), fill(self.document), table)


@dataclass(frozen=True)
class Scenario:
    """A scenario, or one example row of an outline."""

    name: str
    steps: tuple[Step, ...]


def scenarios(text: str) -> Iterator[Scenario]:
    """Every scenario of the feature; an outline once for each of its example rows."""
    for part in re.split(r"^\s*Scenario(?: Outline)?:", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        body, _, examples = body.partition("Examples:")
        steps = tuple(_steps(body))
        header, *rows = _table(examples.splitlines()) or ((), ())
        for row in rows:
            filled = dict(zip(header, row, strict=True))
            name = Step(title.strip()).filled(filled).text
            yield Scenario(name, tuple(step.filled(filled) for step in steps))


def _steps(body: str) -> Iterator[Step]:
    step: Step | None = None
    lines = iter(body.splitlines())
    for line in lines:
        stripped = line.strip()
        if stripped == '"""':
            indent = line.index('"')
            document = "\n".join(each[indent:] for each in iter(lambda: next(lines), line))
            assert step is not None
            step = replace(step, document=document)
        elif stripped.startswith("|"):
            assert step is not None
            step = replace(step, table=(*step.table, *_table([line])))
        elif stripped:
            if step is not None:
                yield step
            step = Step(stripped)
    if step is not None:
        yield step


def _table(lines: list[str]) -> tuple[tuple[str, ...], ...]:
    rows = (line.strip() for line in lines)
    return tuple(tuple(cell.strip() for cell in row[1:-1].split("|")) for row in rows if row.startswith("|"))
