"""A service's own role may do with its tables what is written down, and nothing more: PostgreSQL itself refuses the rest."""

import importlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from services.chassis.database import create_engine
from services.chassis.rights import OwnRoleError, Rights, grant
from services.chassis.settings import Settings
from tests.conftest import ROLES

OF_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
OF_COLUMNS = ("SELECT", "INSERT", "UPDATE", "REFERENCES")


def rights_of(service: str) -> Rights:
    """What a service has written down."""
    found: Rights = importlib.import_module(f"services.{service}.store.rights").RIGHTS
    return found


def allowed(words: tuple[str, ...], columns: list[str]) -> Iterator[tuple[str, str]]:
    """The (privilege, column) that the words of GRANT give; of the whole table for column ''."""
    for word in words:
        privilege, _, named = word.partition(" ")
        if not named:
            yield privilege, ""
        for column in columns if not named else [each.strip('" ') for each in named.strip("()").split(",")]:
            if privilege in OF_COLUMNS:
                yield privilege, column


@pytest.mark.parametrize("service", ROLES)
async def test_a_service_may_do_with_its_tables_what_is_written_down_and_nothing_more(
    service: str, postgres: Postgres, template: Callable[[str], Awaitable[str]]
) -> None:
    """Breaks when a table comes that nobody gave a row, when rights go beyond their row, or when the role owns anything."""
    connection = await asyncpg.connect(postgres.url(database=await template(service)))
    try:
        rows = await connection.fetch(
            "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
            "AND NOT a.attisdropped WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') GROUP BY c.relname",
            service,
        )
        columns = {row[0]: row[1] for row in rows}
        assert set(columns) == {*rights_of(service), "alembic_version"}
        for table, names in columns.items():
            wanted = set(allowed(rights_of(service).get(table, ()), names))
            has = "SELECT has_table_privilege($1, $2, $3)", "SELECT has_column_privilege($1, $2, $4, $3)"
            named = f"{service}.{table}"
            found = {(each, "") for each in OF_TABLES if await connection.fetchval(has[0], service, named, each)}
            for each, column in product(OF_COLUMNS, names):
                if await connection.fetchval(has[1], service, named, each, column):
                    found.add((each, column))
            assert found == wanted, table
        for catalogue, owner in (("pg_class", "relowner"), ("pg_namespace", "nspowner"), ("pg_proc", "proowner")):
            assert await connection.fetch(f"SELECT FROM {catalogue} WHERE {owner} = $1::regrole", service) == []
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("promises", "UPDATE rejudgements SET judgement = 'kept'"),
        ("promises", "DELETE FROM rejudgements"),
        ("promises", "UPDATE outbox SET last = 1"),
        ("promises", "DELETE FROM outbox"),
        ("promises", "TRUNCATE evidence"),
        ("promises", "UPDATE evidence SET time = now()"),
        ("promises", "DELETE FROM erasures"),
        ("promises", "ALTER TABLE outbox DISABLE TRIGGER ALL"),
        ("promises", "DROP FUNCTION keep_what_was_told()"),
        ("recovery", "UPDATE acts SET content = '{}'"),
        ("recovery", "UPDATE acts SET digest = ''"),
        ("recovery", "DELETE FROM acts"),
        ("recovery", "UPDATE mass_acts SET content = '{}'"),
        ("recovery", "DELETE FROM outbox"),
        ("journey", "UPDATE journal SET time = now()"),
        ("journey", "DELETE FROM journal"),
        ("journey", "DELETE FROM quarantine_acts"),
        ("journey", "SELECT version_num FROM alembic_version"),
        ("journey", "CREATE TABLE mine (i int)"),
        ("journey", "SET ROLE journey_owner"),
    ],
)
async def test_what_has_been_said_and_done_is_not_changed_even_by_whoever_has_the_services_password(
    database: Callable[[str], Awaitable[str]], service: str, statement: str
) -> None:
    connection = await asyncpg.connect(await database(service))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_verdict_that_was_told_is_rewritten_only_while_somebody_of_its_partition_is_erased(
    database: Callable[[str], Awaitable[str]],
) -> None:
    """Breaks if the trigger went, or took an erasure elsewhere, one that has ended, or a table of the session's own for one."""
    connection = await asyncpg.connect(await database("promises"))
    rewrite = "UPDATE outbox SET bodies = 'new' WHERE partition = 0"
    try:
        await connection.execute("INSERT INTO outbox (partition, last, first, incarnation, bodies) VALUES (0, 1, 1, 1, 'old')")
        noted = "INSERT INTO erasures (customer, partition, at, work) VALUES ($1, $2, $3, $4)"
        await connection.execute("CREATE TEMPORARY TABLE erasures AS SELECT 0 AS partition, ''::bytea AS work")
        for number, (partition, work) in enumerate([(1, b"[]"), (0, None)]):
            await connection.execute(noted.replace("erasures", "promises.erasures"), UUID(int=number), partition, datetime.now(UTC), work)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="nobody of partition 0 is being erased"):
            await connection.execute(rewrite)
        await connection.execute("UPDATE promises.erasures SET work = '[]' WHERE partition = 0")
        assert await connection.execute(rewrite) == "UPDATE 1"
    finally:
        await connection.close()


async def test_a_service_whose_own_role_would_own_its_schema_is_not_migrated(database: Callable[[str], Awaitable[str]]) -> None:
    """Breaks if rights were taken from the very role that gives them."""
    engine = create_engine(Settings(kafka="127.0.0.1:9", database=await database("journey")), "journey")
    try:
        async with engine.connect() as connection:
            with pytest.raises(OwnRoleError, match="NAME_owner"):
                await connection.run_sync(grant, "journey", rights_of("journey"))
    finally:
        await engine.dispose()
