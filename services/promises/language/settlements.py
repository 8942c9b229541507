"""What a settlement must come to: a condition in CEL over its trigger and the events collected (PROMISES.md, "Patterns").

Numbers are doubles. Missing fields are skipped; the sum of none is 0, the greatest and the least of none are null, and a
comparison with null fails.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, isnan, nan
from typing import Any, Final, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]

from services.chassis.cel import BadConditionError, Token, Words, as_doubles, does_arithmetic, doubled, tokens
from services.promises.language import schemas
from services.promises.language.conditions import MISSING, path, reader
from services.promises.language.customers import attributes
from services.promises.language.expressions import ConditionError, check_words, truth

Event = Mapping[str, Any]
_NAMES: Final = ("trigger", "events", "sum", "count", "max", "min")
_TOTAL: Final = "total_of_all_"
_SEEN: Final = ("type", "source", "subject", "time", "data")
_NULL_COMPARED: Final = re.compile(r"No matching overloads found : _(?:<|>|<=|>=)_\((?:null_type, .*|.*, null_type)\)$")


@dataclass(frozen=True, slots=True)
class SettlementMust:
    """A condition over a trigger and the events that were collected, in order; raises `ConditionError`."""

    text: str

    def __call__(self, trigger: Event, events: Sequence[Event]) -> bool:
        """Return whether it holds."""
        prepared = _prepared(self.text)
        known = prepared.known(trigger, events)
        try:
            return truth(_program(prepared.text, nothing=None), known, self.text)
        except ConditionError as error:
            if not _NULL_COMPARED.search(str(error)):
                raise
        # a comparison with null fails, and what is not a number compares with none
        known = {name: _without_null(each) for name, each in known.items()}
        return truth(_program(prepared.text, nothing=nan), known, self.text)


class _Prepared(NamedTuple):
    """A condition in which what is said of all events is a variable, so that CEL need not be given them."""

    text: str
    totals: tuple[tuple[str, str], ...]
    """By name and field, in the order of the variables."""
    reads_events: bool
    reads_of_trigger: tuple[str, ...] | None
    """The fields of its data; None: more than that."""
    arithmetic: bool

    def known(self, trigger: Event, events: Sequence[Event]) -> dict[str, Any]:
        """Return CEL's variables."""
        shaped = doubled if self.arithmetic else lambda value: value
        if self.reads_of_trigger is not None:
            data = trigger.get("data") or {}
            trigger = {"data": {name: data[name] for name in self.reads_of_trigger if name in data}}
        known: dict[str, Any] = {f"event.{_TOTAL}{index}": _total(name, events, steps) for index, (name, steps) in enumerate(self.totals)}
        known["event.trigger"] = shaped(trigger)
        known["event.events"] = [shaped(each) for each in events] if self.reads_events else []
        return known


@lru_cache(maxsize=1024)
def _prepared(text: str) -> _Prepared:
    found, end = list(tokens(text)), 0
    parts: list[str] = []
    totals: list[tuple[str, str]] = []
    for index, each in enumerate(found):
        match [one.text for one in found[index : index + 6]]:
            case ["sum" | "max" | "min" as name, "(", "events", ",", steps, ")"] if found[index + 4].kind == "text":
                last = found[index + 5]
            case ["count" as name, "(", "events", ")", *_]:
                steps, last = "", found[index + 3]
            case _:
                continue
        parts += [text[end : each.start], f"{_TOTAL}{len(totals)}"]
        totals.append((name, steps[1:-1]))
        end = last.start + 1
    rewritten = "".join([*parts, text[end:]])
    words = [each.text for each in tokens(rewritten)]
    return _Prepared(rewritten, tuple(totals), "events" in words, _reads_of_trigger(words), does_arithmetic(text))


def _reads_of_trigger(words: list[str]) -> tuple[str, ...] | None:
    found = []
    for index, each in enumerate(words):
        if each == "trigger":
            match words[index + 1 : index + 5]:
                case [".", "data", ".", name]:
                    found.append(name)
                case _:
                    return None
    return tuple(found)


def read_must(text: str, trigger: schemas.Fields | None, collected: schemas.Fields | None) -> SettlementMust:
    """Read a condition over trigger and events; `BadConditionError` says what is wrong, as far as the schemas tell."""
    types = {".".join(("trigger", *each)): type_ for each, type_ in (trigger or {}).items()}
    check_words(text, _words(None, cel.Type.DYN), types, strict=_words(None, cel.Type.DOUBLE))
    for where, steps in _paths(text):
        type_ = (collected or {}).get(path(steps), schemas.NUMBER)
        if type_ != schemas.NUMBER:
            raise BadConditionError(f"`{steps}` is {schemas.WORDS[type_]} by its schema, and only numbers add up", _place(text, where))
    return SettlementMust(text)


def as_json(event: Event) -> dict[str, Any]:
    """Return what `must` reads of an event."""
    found = {name: event[name] for name in _SEEN if name in event}
    known = attributes(event)
    return found | {"customer": known} if known else found


def _paths(text: str) -> Iterator[tuple[int, str]]:
    """Yield the fields that are added up or compared, and where they stand; each must be one."""
    found = list(tokens(text))
    for index, each in enumerate(found):
        if each.text not in ("sum", "max", "min") or index + 1 == len(found) or found[index + 1].text != "(":
            continue
        last = _last_argument(found[index + 1 :])
        if last is None or last.kind != "text":
            right = f"say it as in `{each.text}(events, 'data.value')`"
            raise BadConditionError(f"`{each.text}` needs to be told the field by its name; {right}", _place(text, each.start))
        try:
            path(last.text[1:-1])
        except BadConditionError as error:
            raise BadConditionError(str(error), _place(text, last.start)) from None
        yield last.start, last.text[1:-1]


def _last_argument(found: list[Token]) -> Token | None:
    depth = 0
    for before, each in zip([None, *found], found, strict=False):
        depth += (each.text in ("(", "[", "{")) - (each.text in (")", "]", "}"))
        if depth == 0:
            return before
    return None


def _place(text: str, start: int) -> tuple[int, int]:
    before = text[:start]
    return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1


@lru_cache(maxsize=1024)
def _program(text: str, *, nothing: float | None) -> Any:
    words = _words(nothing, cel.Type.DYN)
    totals = {each.text: cel.Type.DYN for each in tokens(text) if each.text.startswith(_TOTAL)}
    return words.environment(totals).compile(as_doubles(text))


def _words(nothing: float | None, number: Any) -> Words:
    """Return the words of `must`; `nothing` is the greatest and the least of none, `number` what a sum is said to be."""
    events = cel.Type.List(cel.Type.DYN)

    def function(name: str, parameters: list[Any], returned: Any) -> Any:
        def impl(found: list[Event], steps: str = "") -> float | None:
            total = _total(name, found, steps)
            return nothing if total is None else total

        return cel.FunctionDecl(name, [cel.Overload(f"{name}_of", return_type=returned, parameters=parameters, impl=impl)])

    functions = (
        function("sum", [events, cel.Type.STRING], number),
        function("max", [events, cel.Type.STRING], cel.Type.DYN),
        function("min", [events, cel.Type.STRING], cel.Type.DYN),
        function("count", [events], number),
    )
    hint = "as `sum(events, 'data.value')` and `count(events)`"
    return Words({"trigger": cel.Type.DYN, "events": events}, functions, _NAMES, hint)


def _total(name: str, events: Sequence[Event], steps: str) -> float | None:
    """Return the sum, count, greatest or least, None where there is none; what a field lacks or is null is skipped."""
    if name == "count":
        return float(len(events))
    read = reader(path(steps))
    values = [each for each in map(read, events) if each is not MISSING and each is not None]
    if any(type(each) not in (int, float) for each in values):
        raise ConditionError(f"`{name}` of `{steps}`, which is not a number everywhere")
    # what stands for null is no number
    numbers = [float(each) for each in values if not isnan(each)]
    return _TOTALS[name](numbers)


_TOTALS: Final[dict[str, Callable[[list[float]], float | None]]] = {
    "sum": fsum,
    "max": lambda values: max(values, default=None),
    "min": lambda values: min(values, default=None),
}


def _without_null(value: Any) -> Any:
    match value:
        case None:
            return nan
        case dict():
            return {name: _without_null(each) for name, each in value.items()}
        case list():
            return [_without_null(each) for each in value]
    return value
