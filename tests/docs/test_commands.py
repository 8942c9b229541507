"""What the pages tell a reader to type exists as it is typed: commands, their options, targets of make, modules, files and links."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.cli.__main__ import command_line
from services.cli.commands import walk

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md"), *ROOT.glob("services/*/README.md")]
)
COMMANDS: dict[str, Any] = dict(walk(typer.main.get_command(command_line(())), ()))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
FILE = re.compile(r"\.(yaml|jsonl)(\.gz)?$")
FOLDERS = ("contracts/", "deploy/", "docs/", "promises/", "services/", "tests/")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def typed(text: str) -> Iterator[list[str]]:
    """The words of each command in a page's shell blocks, without comments and without variables set before it."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        words = shlex.shlex(re.sub(r"(?m)(^|\s+)#\s.*$", "", block.replace("\\\n", " ")), posix=True, punctuation_chars="();<>|&\n")
        words.whitespace, words.commenters, words.whitespace_split = " \t", "", True
        for operator, command in groupby(words, lambda word: not word.strip("();<>|&\n")):
            if not operator:
                yield list(command)


def named(words: list[str]) -> tuple[Any, list[str]]:
    """The command of `makegood` that words name, and the words left for it; fails where there is none."""
    for count in (2, 1):
        if found := COMMANDS.get(" ".join(words[:count])):
            return found, words[count:]
    pytest.fail(f"there is no command: makegood {' '.join(words)}")


@each_page
def test_a_command_that_a_page_shows_can_be_typed_as_it_stands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a command, an option, an argument, a target or a module were renamed and a page still told the old one."""
    monkeypatch.chdir(tmp_path)
    for folder in FOLDERS:
        (tmp_path / folder).symlink_to(ROOT / folder)
    for program, *words in typed(page.read_text(encoding="utf-8")):
        if program.endswith("makegood") and "=" not in program:
            command, given = named(words)
            for own in given:
                if FILE.search(own) and not own.startswith(FOLDERS):  # a reader has files that the tree has not
                    (tmp_path / own).touch()
            command.make_context("makegood", given)  # parses, and runs nothing
        elif program == "make":
            assert {word for word in words if "=" not in word} <= TARGETS
        elif words[:1] == ["-m"]:
            assert find_spec(words[1]), words[1]


@each_page
def test_a_command_in_a_sentence_has_the_options_it_is_told_with(page: Path) -> None:
    for told in re.findall(r"`makegood ([^`]+)`", page.read_text(encoding="utf-8")):
        command, given = named(re.sub(r"[\[\]]", " ", told).split())
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in given if word.startswith("--")} <= known, told


@each_page
def test_a_file_that_a_page_names_is_there(page: Path) -> None:
    """Breaks if a file were moved and a page's command or link still led to where it was."""
    text = page.read_text(encoding="utf-8")
    in_commands = [ROOT / word for words in typed(text) for word in words if word.startswith(FOLDERS)]
    linked = [page.parent / place for place in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)]
    assert [path.as_posix() for path in in_commands + linked if not path.exists()] == []


def test_a_command_that_is_not_there_is_found_out() -> None:
    """Breaks if the tests above passed whatever a page said."""
    page = "```sh\nmake gone && makegood emit --type a \\\n  --data '{\"a\": 1}'  # tell\nmakegood emit --tipe a\n```\n"
    assert list(typed(page)) == [
        ["make", "gone"],
        ["makegood", "emit", "--type", "a", "--data", '{"a": 1}'],
        ["makegood", "emit", "--tipe", "a"],
    ]
    command, given = named(["emit", "--tipe", "a"])
    with pytest.raises(Exception, match="No such option: --tipe"):
        command.make_context("makegood", given)
    with pytest.raises(pytest.fail.Exception):
        named(["gone"])
