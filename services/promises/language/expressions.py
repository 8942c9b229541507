"""Conditions written in CEL: checked when a promise is read, and a run-time error is an error, never `false`.

JSON has numbers, CEL has several kinds of them that do not mix: where an expression does arithmetic, all its numbers are doubles.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]

from services.chassis.documents import one_of
from services.promises.domain import UnjudgeableError
from services.promises.language import schemas
from services.promises.language.customers import attributes

VARIABLES: Final = ("type", "source", "subject", "time")
MOST_CHARACTERS: Final = 4096
CONTAINER: Final = "event"
"""CEL has a `type` of its own that may not be declared again, so variables stand inside a container."""
_TYPES: Final = {
    schemas.NUMBER: cel.Type.DOUBLE,
    schemas.TEXT: cel.Type.STRING,
    schemas.BOOLEAN: cel.Type.BOOL,
    schemas.LIST: cel.Type.List(cel.Type.DYN),
}
_TOKEN: Final = re.compile(
    r"""(?P<text>[rR]?(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))|(?P<comment>//[^\n]*)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<number>0[xX][0-9a-fA-F]+u?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?u?)|(?P<space>\s+)|(?P<sign>.)""",
    re.DOTALL,
)
_ERROR: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_OVERLOAD: Final = re.compile(r"found no matching overload for '(.+?)' applied to '(?:\S+\.)?\((.*)\)'")
_UNDECLARED: Final = re.compile(r"undeclared reference to '(\w+)[\w.]*'.*")
_MISPLACED: Final = re.compile(r"Syntax error: (?:(?:mismatched|extraneous) input|token recognition error at:) '(.*?)'(?: expecting .*)?$")
_HAS: Final = re.compile(r"\bhas\s*\(\s*[\w.]+\s*\)")
_MIXING: Final = {"int", "uint", "double", "dyn", "*error*"}
_WORDS: Final = {
    "int": "a whole number",
    "uint": "a whole number",
    "double": schemas.WORDS[schemas.NUMBER],
    "string": schemas.WORDS[schemas.TEXT],
    "bool": schemas.WORDS[schemas.BOOLEAN],
    "null_type": "null",
    "dyn": "something",
}


class ConditionError(UnjudgeableError):
    """An event cannot be judged for this promise: it is quarantined for it, and the condition never reads as false."""


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

    def environment(self, typed: Mapping[str, Any] | None = None) -> Any:
        """Return CEL's environment, with types for what is known of some fields."""
        variables = {f"{CONTAINER}.{name}": type_ for name, type_ in {**self.variables, **(typed or {})}.items()}
        return cel.NewEnv(variables=variables, container=CONTAINER, functions=list(self.functions))


OF_EVENTS: Final = Words(
    dict.fromkeys(VARIABLES, cel.Type.STRING) | {"data": cel.Type.DYN, "customer": cel.Type.DYN},
    names=(*VARIABLES, "data", "customer"),
)


def check(text: str, fields: schemas.Fields | None = None) -> None:
    """Raise `BadConditionError` unless the text is a condition in CEL, of these fields where their types are known."""
    check_words(text, OF_EVENTS, {".".join(path): type_ for path, type_ in (fields or {}).items()})


def check_words(text: str, words: Words, types: Mapping[str, str], strict: Words | None = None) -> None:
    """Raise `BadConditionError` unless the text is a condition of these words.

    Types are checked with `strict`, where all are declared; that kinds of numbers do not mix is no error, since they do when it runs.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadConditionError(f"a condition in CEL has at most {MOST_CHARACTERS} characters, and this has {len(text)}")
    typed = {name: _TYPES[type_] for name, type_ in types.items() if type_ in _TYPES}
    # a field of a known type is a variable of its own, and `has` asks for a member of what it is in
    text = text.rstrip()
    without_has = _HAS.sub(lambda found: "true".ljust(len(found[0])), text)
    strictly = _complain(text, _problems((strict or words).environment(typed), without_has), words, mixing=False)
    rewritten = as_doubles(text)
    runs = _complain(rewritten, _problems(words.environment(), rewritten), words, mixing=True)
    type_ = (strictly or runs).return_type()
    if type_ not in (cel.Type.BOOL, cel.Type.DYN):
        raise BadConditionError(f"a condition must be true or false, and this is {_word(type_.name().lower())}")


def compiled(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the condition as a function of an event in JSON's own types; it raises `ConditionError`."""
    program, narrowed = _program(text), _members("data", text)
    shaped = doubled if does_arithmetic(text) else _as_it_is

    def holds(event: Mapping[str, Any]) -> bool:
        known = {f"event.{name}": event[name] for name in VARIABLES if name in event}
        data = event.get("data") or {}
        if narrowed is not None and type(data) is dict:
            data = {name: data[name] for name in narrowed if name in data}
        known["event.data"] = shaped(data)
        known["event.customer"] = shaped(attributes(event))
        return truth(program, known, text)

    return holds


def truth(program: Any, known: Mapping[str, Any], text: str) -> bool:
    """Evaluate a program; raise `ConditionError` for whatever is not true or false."""
    try:
        result = program.eval(data=known)
    except RuntimeError as error:  # so it says that its budget of iterations is used up
        raise ConditionError(f"`{text}`: {error}") from None
    # other errors come back as values, and the truth of an error is True
    if result.type() != cel.Type.BOOL:
        raise ConditionError(f"`{text}`: {result.value()}")
    return bool(result.value())


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


def _as_it_is(value: Any) -> Any:
    return value


def _members(name: str, text: str) -> tuple[str, ...] | None:
    """Return which members of a variable an expression reads, None where it reads it as a whole."""
    found, members = [*tokens(text), Token("end", "", 0), Token("end", "", 0)], set()
    for index, each in enumerate(found[:-2]):
        if each.text != name or each.kind != "word" or (index and found[index - 1].text == "."):
            continue
        dot, member = found[index + 1], found[index + 2]
        if dot.text != "." or member.kind != "word":
            return None
        members.add(member.text)
    return tuple(sorted(members))


@lru_cache(maxsize=1024)
def _program(text: str) -> Any:
    return OF_EVENTS.environment().compile(as_doubles(text))


def _problems(environment: Any, text: str) -> Any:
    """Return the program, or what its compiler says of the text."""
    try:
        return environment.compile(text)
    except RuntimeError as error:
        return str(error)


def _complain(text: str, outcome: Any, words: Words, *, mixing: bool) -> Any:
    if not isinstance(outcome, str):
        return outcome
    found = _ERROR.findall(outcome)
    for line, column, message in found:
        overload = _OVERLOAD.match(message)
        if overload is not None and not mixing and set(overload[2].split(", ")) <= _MIXING:
            continue
        raise BadConditionError(_told(text, int(line), int(column), message, words), (int(line), int(column)))
    if not found:
        raise BadConditionError(f"this is not a condition in CEL: {outcome.splitlines()[0]}")
    return None


def _told(text: str, line: int, column: int, message: str, words: Words) -> str:
    shown = text.split("\n")[line - 1]
    readable = _readable(message, words, is_call=shown[column - 1 : column] == "(")
    return f"this is not a condition in CEL: {readable}\n    {shown}\n    {' ' * (column - 1)}^"


def _readable(message: str, words: Words, *, is_call: bool) -> str:
    message = message.removesuffix(" [INVALID_ARGUMENT]")
    if overload := _OVERLOAD.match(message):
        return f"`{overload[1].strip('_').replace('_', ' ')}` does not go with {' and '.join(map(_word, overload[2].split(', ')))}"
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


def _word(type_: str) -> str:
    return _WORDS.get(type_, f"a {type_}")
