"""What commands there are, as the reference page and the tests of the documentation read them."""

from collections.abc import Iterator
from typing import Any

import typer.main

from services.cli.__main__ import command_line


def commands() -> Iterator[tuple[str, str, str]]:
    """Each command's words, how it is given arguments and options, and what it does."""
    for name, found in walk(typer.main.get_command(command_line(())), ()):
        given = [_spelled(each) for each in found.params if each.name != "help"]
        yield name, " ".join(given), " ".join((found.help or "").split("\n\n")[0].split())


def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Each command that can be run, by its words."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words), command
        return
    for name, each in below.items():
        yield from walk(each, (*words, name))


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
        return name if parameter.required else f"[{name}]"
    longest: str = max(parameter.opts, key=len)
    given = longest if parameter.is_flag else f"{longest} {parameter.metavar or parameter.name.upper()}"
    return given if parameter.required else f"[{given}]"
