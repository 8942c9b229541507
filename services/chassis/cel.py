"""Expressions in CEL (https://cel.dev): how they are read, what is said of one that cannot be, and its numbers.

JSON has numbers, CEL has several kinds of them that do not mix: where an expression does arithmetic, all its numbers are doubles.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]

from services.chassis.documents import one_of

MOST_CHARACTERS: Final = 4096
CONTAINER: Final = "event"
"""CEL has a `type` of its own that may not be declared again, so variables stand inside a container."""
_TOKEN: Final = re.compile(
    r"""(?P<text>[rR]?(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))|(?P<comment>//[^\n]*)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<number>0[xX][0-9a-fA-F]+u?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?u?)|(?P<space>\s+)|(?P<sign>.)""",
    re.DOTALL,
)
_ERROR: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_OVERLOAD: Final = re.compile(r"found no matching overload for '(.+?)' applied to '(?:\S+\.)?\((.*)\)'")
_UNDECLARED: Final = re.compile(r"undeclared reference to '(\w+)[\w.]*'.*")
_MISPLACED: Final = re.compile(r"Syntax error: (?:(?:mismatched|extraneous) input|token recognition error at:) '(.*?)'(?: expecting .*)?$")
_MIXING: Final = {"int", "uint", "double", "dyn", "*error*"}
_WORDS: Final = {
    "int": "a whole number",
    "uint": "a whole number",
    "double": "a number",
    "string": "a text",
    "bool": "true or false",
    "null_type": "null",
    "dyn": "something",
}


class BadConditionError(ValueError):
    """A condition as written cannot be read; the message says what would be right, `place` in which line and column of a text."""

    def __init__(self, message: str, place: tuple[int, int] | None = None) -> None:
        """Say what is wrong, and where."""
        self.place = place
        super().__init__(message)


class Token(NamedTuple):
    """A piece of an expression: its kind, its text and where it begins."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Words:
    """What an expression may speak of."""

    variables: Mapping[str, Any]
    functions: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    hint: str = ""
    """How its functions are said."""
    what: str = "a condition in CEL"
    """What an expression of these words is."""

    def environment(self, typed: Mapping[str, Any] | None = None) -> Any:
        """Return CEL's environment, with types for what is known of some fields."""
        variables = {f"{CONTAINER}.{name}": type_ for name, type_ in {**self.variables, **(typed or {})}.items()}
        return cel.NewEnv(variables=variables, container=CONTAINER, functions=list(self.functions))


def tokens(text: str) -> Iterator[Token]:
    """Yield the pieces of an expression, without spaces and comments."""
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind not in ("space", "comment"):
            yield Token(kind, found[0], found.start())


def does_arithmetic(text: str) -> bool:
    """Whether numbers are put together; an expression that asks for whole ones has them as JSON has them."""
    signs = {each.text for each in tokens(text) if each.kind in ("sign", "word")}
    return bool(signs & set("+-*/")) and not signs & {"%", "int", "uint"}


def as_doubles(text: str) -> str:
    """Return an expression that does arithmetic with its numbers written as doubles of any type; the index of a list stays."""
    if not does_arithmetic(text):
        return text
    found, parts, end = list(tokens(text)), [], 0
    for index, each in enumerate(found):
        if each.kind == "number" and each.text[-1] not in "uU" and each.text[:2].lower() != "0x" and not _is_index(found, index):
            decimal = each.text if set(each.text) & set(".eE") else f"{each.text}.0"
            parts += [text[end : each.start], f"dyn({decimal})"]
            end = each.start + len(each.text)
    return "".join([*parts, text[end:]])


def _is_index(found: list[Token], index: int) -> bool:
    """Whether a number stands as in `list[0]`."""
    around = ["", "", *(each.text for each in found), ""]
    owner, bracket, closing = around[index], around[index + 1], around[index + 3]
    return bracket == "[" and closing == "]" and owner != "in" and (owner[-1:].isalnum() or owner[-1:] in ("_", ")", "]"))


def doubled(value: Any) -> Any:
    """Return a JSON value with all its numbers as doubles."""
    kind = type(value)
    if kind is int:
        return float(value)
    if kind is dict:
        return {name: doubled(each) for name, each in value.items()}
    if kind is list:
        return [doubled(each) for each in value]
    return value


def problems(environment: Any, text: str) -> Any:
    """Return the program, or what its compiler says of the text."""
    try:
        return environment.compile(text)
    except RuntimeError as error:
        return str(error)


def complain(text: str, outcome: Any, words: Words, *, mixing: bool) -> Any:
    """Return the program that a text became; raise `BadConditionError` with what its compiler says, in plain words.

    With `mixing` false, None for one in which only kinds of numbers do not go together.
    """
    if not isinstance(outcome, str):
        return outcome
    found = _ERROR.findall(outcome)
    for line, column, message in found:
        overload = _OVERLOAD.match(message)
        if overload is not None and not mixing and set(overload[2].split(", ")) <= _MIXING:
            continue
        raise BadConditionError(_told(text, int(line), int(column), message, words), (int(line), int(column)))
    if not found:
        raise BadConditionError(f"this is not {words.what}: {outcome.splitlines()[0]}")
    return None


def _told(text: str, line: int, column: int, message: str, words: Words) -> str:
    shown = text.split("\n")[line - 1]
    readable = _readable(message, words, is_call=shown[column - 1 : column] == "(")
    return f"this is not {words.what}: {readable}\n    {shown}\n    {' ' * (column - 1)}^"


def _readable(message: str, words: Words, *, is_call: bool) -> str:
    message = message.removesuffix(" [INVALID_ARGUMENT]")
    if overload := _OVERLOAD.match(message):
        return f"`{overload[1].strip('_').replace('_', ' ')}` does not go with {' and '.join(map(word, overload[2].split(', ')))}"
    if undeclared := _UNDECLARED.match(message):
        name = undeclared[1]
        if name in words.names and words.hint:
            return f"`{name}` is not said so, but {words.hint}"
        return f"there is no function `{name}`" if is_call else f"there is no `{name}`; {one_of(name, words.names)}"
    if misplaced := _MISPLACED.match(message):
        piece = misplaced[1].strip()
        if piece == "=":
            return "`=` does not belong here; equal is `==`"
        return "something is missing at its end" if piece == "<EOF>" else f"`{piece}` does not belong here"
    return message.removeprefix("Syntax error: ")


def word(type_: str) -> str:
    """A type of CEL's, as people say it."""
    return _WORDS.get(type_, f"a {type_}")
