"""What a step of a migration may not do while processes of the release before still run on the schema."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

import asyncpg


class Column(NamedTuple):
    """One column as PostgreSQL has it."""

    type: str
    required: bool
    """A row that says nothing of it is refused."""


class Schema(NamedTuple):
    """The tables of a service, each with its columns, and what else rows of each must fulfil."""

    tables: Mapping[str, Mapping[str, Column]]
    rules: AbstractSet[tuple[str, str]]


_COLUMNS: Final = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_RULES: Final = """
SELECT c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype <> 'n'
UNION SELECT c.relname, substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = current_schema()::regnamespace AND i.indisunique AND NOT i.indisprimary
"""


async def read(connection: asyncpg.Connection) -> Schema:
    """The schema that a connection looks into."""
    tables: dict[str, dict[str, Column]] = {}
    for table, name, type_, required in await connection.fetch(_COLUMNS):
        tables.setdefault(table, {})[name] = Column(type_, required)
    return Schema(tables, {tuple(row) for row in await connection.fetch(_RULES)})


def harms(before: Schema, after: Schema) -> Iterator[str]:
    """What the release before, which knows the schema as it was, could not live with."""
    for table, columns in before.tables.items():
        now = after.tables.get(table)
        if now is None:
            yield f"{table} is gone"
            continue
        yield from (f"{table}.{name} is gone" for name in columns if name not in now)
        for name, column in columns.items():
            if name in now and now[name].type != column.type:
                yield f"{table}.{name} is {now[name].type} now"
        yield from (
            f"{table}.{name} is required"
            for name, column in now.items()
            if column.required and not (name in columns and columns[name].required)
        )
        yield from (f"{table}: {rule}" for of, rule in sorted(after.rules - before.rules) if of == table)
