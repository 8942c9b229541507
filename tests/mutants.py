"""The bugs that can be seeded into a module: small changes of its syntax tree, each of which a test should notice."""

import ast
from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile
from typing import Any, Final, NamedTuple

AROUND: Final = 40
EQUIVALENT: Final[dict[tuple[str, str], str]] = {
    ("course.py", "each.start >= at or each.end is None: Continue"): "suspensions are in order: those behind it begin later still",
    ("course.py", "since >= at: Continue"): "likewise",
    ("account.py", "each.start >= due: Continue"): "likewise",
    ("judging.py", "each.time < cancel.time  ->  each.time <= cancel.time"): "what is called off at that instant is withdrawn either way",
    ("course.py", "any((mark.roles & RETARGET for mark in self  ->  all((mark.roles & RETARGET for mark in self"): "it only spares work",
    ("judging.py", "isinstance(course.terms.pattern, Response)  ->  isinstance(None, Response)"): "likewise",
    ("durations.py", "self.in_zone(None).after(start)  ->  self.in_zone(None).after(None)"): "no zone is an error before it is asked",
    ("ics.py", "maxsize=32  ->  maxsize=33"): "how much is remembered changes nothing",
    ("ics.py", "maxsize=256  ->  maxsize=257"): "how much is remembered changes nothing",
    ("ics.py", "days=1  ->  days=2"): "what is read beside the days that are asked for closes nothing on them",
    (
        "ics.py",
        "isinstance(start, datetime) and isinstance(end, datetime)  ->  isinstance(start, datetime) or isinstance(end, datetime)",
    ): "both or neither",
    ("ics.py", "date(2020, 1, 1)  ->  date(2021, 1, 1)"): "any days will do",
    ("ics.py", "date(2020, 1, 1)  ->  date(2020, 2, 1)"): "any days will do",
    ("ics.py", "date(2020, 1, 1)  ->  date(2020, 1, 2)"): "any days will do",
    ("ics.py", "date(2020, 1, 2)  ->  date(2021, 1, 2)"): "any days will do",
    ("ics.py", "date(2020, 1, 2)  ->  date(2020, 2, 2)"): "any days will do",
    ("ics.py", "date(2020, 1, 2)  ->  date(2020, 1, 3)"): "any days will do",
    (
        "clocks.py",
        "replace(tzinfo=zone, fold=0).astimezone(UTC)  ->  replace(tzinfo=zone, fold=0).astimezone(None)",
    ): "an instant in any zone",
    ("clocks.py", "replace(tzinfo=zone, fold=1).astimezone(UTC)  ->  replace(tzinfo=zone, fold=1).astimezone(None)"): "likewise",
    ("clocks.py", "n=1  ->  n=2"): "only the first is told",
    ("clocks.py", "(late - early) / 2  ->  (late - early) / 3"): "it takes longer to come to the same end",
    ("clocks.py", "tzinfo=zone  ->  tzinfo=None"): "where that reads another clock, the long way is taken, which is right for all",
    ("days_off.py", "slots=True  ->  slots=False"): "nobody adds to it",
    ("days_off.py", "maxsize=1  ->  maxsize=2"): "how much is remembered changes nothing",
    ("days_off.py", "maxsize=4096  ->  maxsize=4097"): "likewise",
    ("week.py", ":1  ->  :2"): "what is told twice of one place is told once",
    (
        "days_off.py",
        "each.start.date() <= last and first <= each.end.date()  ->  each.start.date() <= last or first <= each.end.date()",
    ): "what is closed on other days closes nothing on these",
    ("days_off.py", "country.subdivision or ''  ->  country.subdivision or 'XX'"): "it is asked of parts that are named",
    ("week.py", "closes > opens  ->  closes >= opens"): "hours that end where they begin were refused before",
    ("week.py", "found[3]  ->  found[4]"): "both are there or neither",
    ("working_time.py", "10 ** 18  ->  11 ** 18"): "both are before all time",
    ("working_time.py", "datetime(1970, 1, 1, tzinfo=UTC)  ->  datetime(1971, 1, 1, tzinfo=UTC)"): "any origin will do",
    ("working_time.py", "last <= opened.high  ->  last < opened.high"): "what follows finds that nothing has to grow",
    ("working_time.py", "date(years[0], 1, 2)  ->  date(years[0], 2, 2)"): "a year more is built, and nothing of it counts",
    ("working_time.py", "min(max(year, self.rules.first.year), self.  ->  max(max(year, self.rules.first.year), self."): "likewise",
    (
        "working_time.py",
        "min(clock_time(end, self.zone).date(), self  ->  max(clock_time(end, self.zone).date(), self",
    ): "what lies behind is cut",
    ("working_time.py", "max(start, at)  ->  min(start, at)"): "what was closed already is not closed again",
    ("working_time.py", "10 ** 18  ->  10 ** 19"): "both are before all time",
    ("working_time.py", "datetime(1970, 1, 1, tzinfo=UTC)  ->  datetime(1970, 1, 2, tzinfo=UTC)"): "any origin will do",
    ("working_time.py", "year < there.years[0]  ->  year <= there.years[0]"): "no year is added twice",
    ("working_time.py", "max(year, self.rules.first.year)  ->  min(year, self.rules.first.year)"): "it grows from there to what is asked",
}
"""Changes that are no bugs, by file and by what is changed: why."""

_SWAPPED: Final[dict[type, type]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_OPPOSITE: Final = {"min": "max", "max": "min", "bisect_left": "bisect_right", "bisect_right": "bisect_left", "any": "all", "all": "any"}


_ASIDE: Final = ("annotation", "returns", "bases")


class Bug(NamedTuple):
    """One change of a tree, which `seed` makes in place."""

    line: int
    change: str
    seed: Callable[[], object]


def bugs(tree: ast.Module) -> Iterator[Bug]:
    """Yield every bug that can be seeded into a module, documentation and annotations aside."""
    for parent in _judged(tree):
        for name, value in ast.iter_fields(parent):
            if name in _ASIDE or _is_documentation(parent, name):
                continue
            nodes = value if isinstance(value, list) else [value]
            for place, node in enumerate(nodes):
                if isinstance(node, ast.expr | ast.stmt | ast.operator | ast.cmpop | ast.boolop):
                    yield from _bugs_at(parent, name, place if isinstance(value, list) else None, node)


def _bugs_at(parent: ast.AST, name: str, place: int | None, node: ast.AST) -> Iterator[Bug]:
    for other in _others(parent, name, node):
        line = getattr(node, "lineno", getattr(parent, "lineno", 0))
        yield Bug(line, _difference(parent, name, place, other), partial(_put, parent, name, place, other))


def _others(parent: ast.AST, name: str, node: ast.AST) -> Iterator[Any]:
    match node:
        case ast.cmpop() | ast.operator() | ast.boolop():
            if type(node) in _SWAPPED and not _is_union_of_types(parent):
                yield _SWAPPED[type(node)]()
        case ast.Constant():
            yield from _other_values(node.value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Name(id=word) if word in _OPPOSITE:
            yield ast.Name(_OPPOSITE[word], ast.Load())
        case ast.Break() | ast.Continue():
            yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        case ast.expr() if _may_be_missing(parent, name) and not isinstance(node, ast.Starred | ast.GeneratorExp):
            yield ast.Constant(None)


def _other_values(value: Any) -> Iterator[ast.Constant]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
        case str():
            yield ast.Constant(f"XX{value}")


def _may_be_missing(parent: ast.AST, name: str) -> bool:
    """Whether None may stand here: an argument, or what is assigned or returned."""
    if isinstance(parent, ast.Call | ast.keyword):
        return name in ("args", "value")
    return isinstance(parent, ast.Assign | ast.AnnAssign | ast.Return) and name == "value"


def _is_union_of_types(node: ast.AST) -> bool:
    """`isinstance(each, One | Other)`: its `&` would not be a bug but an error."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitOr)
        and all(isinstance(side, ast.Name) and not side.id.isupper() and side.id[:1].isupper() for side in (node.left, node.right))
    )


def _alike(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _is_documentation(parent: ast.AST, name: str) -> bool:
    return isinstance(parent, ast.Expr) and isinstance(parent.value, ast.Constant) and name == "value"


def _judged(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but annotations, names of types, and what a module says that it exports."""
    pending: list[ast.AST] = [each for each in tree.body if not _names_something(each)]
    while pending:
        yield (node := pending.pop(0))
        for name, value in ast.iter_fields(node):
            if name not in _ASIDE:
                pending += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST)]


def _names_something(statement: ast.stmt) -> bool:
    """`__all__`, or a type under another name."""
    if not isinstance(statement, ast.Assign) or not isinstance(target := statement.targets[0], ast.Name):
        return False
    return target.id == "__all__" or (target.id[0].isupper() and not target.id.isupper())


def _difference(parent: ast.AST, name: str, place: int | None, other: Any) -> str:
    shown = parent if isinstance(parent, ast.expr | ast.stmt | ast.keyword) else None
    if isinstance(shown, ast.If) and isinstance(other, ast.Break | ast.Continue):
        return f"{ast.unparse(shown.test)}: {type(other).__name__}"
    if shown is None or isinstance(shown, ast.If | ast.For | ast.While | ast.FunctionDef | ast.With):
        return f"{type(other).__name__} in {type(parent).__name__}"
    before = ast.unparse(shown)
    original = _put(parent, name, place, ast.copy_location(other, parent) if isinstance(other, ast.expr) else other)
    after = ast.unparse(shown)
    _put(parent, name, place, original)
    return _shortly(before, after)


def _shortly(before: str, after: str) -> str:
    """Both, and no more around the difference than shows where it is."""
    same = _alike(before, after)
    behind = _alike(before[same:][::-1], after[same:][::-1])
    start, end = max(same - AROUND, 0), max(behind - AROUND, 0)
    return f"{before[start : len(before) - end]}  ->  {after[start : len(after) - end]}"


def _put(parent: ast.AST, name: str, place: int | None, node: Any) -> Any:
    if place is None:
        before = getattr(parent, name)
        setattr(parent, name, node)
        return before
    nodes = getattr(parent, name)
    before, nodes[place] = nodes[place], node
    return before
