"""How each column of a service's tables stands to persons: kept and why, emptied, or rewritten; and the erasure that follows from it.

A service classifies every column (a test fails on one that is not), so a table that comes later is either erased by what is said
of it here, or somebody has said why it need not be.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Kept(NamedTuple):
    """Not personal once nothing leads from a person to their key any more."""

    why: str


class Emptied(NamedTuple):
    """Personal: set to this SQL expression in the rows of whoever is erased."""

    to: str = "NULL"


class Rewritten(NamedTuple):
    """Personal, and not to be found by a column: who rewrites it, by name of the function."""

    by: str


Class = Kept | Emptied | Rewritten
KEY: Final = Kept("a key, which leads to nobody once the identifiers are hashes")
TIME: Final = Kept("when")
NUMBER: Final = Kept("a place, a count or a version")
WORD: Final = Kept("one of a few words of ours")
STAFF: Final = Kept("who of the company did it")
DECLARED: Final = Kept("declared by the company, about nobody")


@dataclass(frozen=True, slots=True)
class Held:
    """How one table is erased: `of` names the column of the customer's key; `gone`: whole rows, which nothing counts."""

    columns: Mapping[str, Class] = field(default_factory=dict)
    of: str | None = None
    gone: bool = False


LANES: Final[Mapping[str, Held]] = {
    "progress": Held(
        {
            "topic": WORD, "partition": NUMBER, "rev": NUMBER, "incarnation": NUMBER, "position": NUMBER, "arrival": TIME,
            "ordinal": NUMBER, "published": NUMBER, "state": Kept("marks, counts and sources"), "begun": NUMBER,
            "server": Kept("which server wrote it"),
        }
    ),
    "topology": Held({"topic": WORD, "partitions": NUMBER}),
    "api_keys": Held(
        {
            **dict.fromkeys(("prefix", "name", "scopes"), DECLARED), **dict.fromkeys(("hash", "former"), Kept("of what was drawn")),
            **dict.fromkeys(("former_until", "made_at", "rotated_at", "expires", "last_used", "revoked_at"), TIME),
            **dict.fromkeys(("made_by", "revoked_by"), STAFF),
        }
    ),
}  # fmt: skip
"""The tables that every service has."""


def statements(tables: Mapping[str, Held]) -> Iterator[str]:
    """The statements that erase the customers `$1` (an array of keys) from every table that has a column of their key."""
    for name, held in tables.items():
        if held.of is None:
            continue
        whose = f'"{held.of}" = ANY($1::uuid[])'
        emptied = {column: each.to for column, each in held.columns.items() if isinstance(each, Emptied)}
        if held.gone:
            yield f"DELETE FROM {name} WHERE {whose}"  # noqa: S608 - names out of the service's own code
        elif emptied:
            changes = ", ".join(f'"{column}" = {to}' for column, to in emptied.items())
            yield f"UPDATE {name} SET {changes} WHERE {whose}"  # noqa: S608 - the same


def unclassified(service: str, tables: Mapping[str, Held], columns: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with a service's classes, given the (table, column) that there are; every line says what to do."""
    there = set(columns)
    said = {(table, column) for table, held in tables.items() for column in held.columns}
    missing = [
        f"{service}.{table}.{column} has no class: say in services/{service}/store/privacy.py whether it may hold anything personal, "
        "and if so, how erasing a customer empties it (Emptied, Rewritten, or `gone` for the whole row); if not, why (Kept)."
        for table, column in sorted(there - said)
    ]
    stale = [f"{service}.{table}.{column} is classified and does not exist; take it out." for table, column in sorted(said - there)]
    loose = [
        f"{service}.{table} has columns to be emptied and does not say in `of` which column holds the customer's key."
        for table, held in tables.items()
        if held.of is None and any(isinstance(each, Emptied) for each in held.columns.values())
    ]
    return missing + stale + loose
