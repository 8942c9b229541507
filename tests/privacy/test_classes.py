"""Every column of every service is classified, so that no table that comes later escapes erasure unnoticed."""

import importlib
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from services.chassis.personal import Emptied, Held, Kept, unclassified

SERVICES = ("journey", "promises", "recovery")
NOT_OURS = {("alembic_version", "version_num")}


def classes_of(service: str) -> Mapping[str, Held]:
    """How a service has classified its columns."""
    found: Mapping[str, Held] = importlib.import_module(f"services.{service}.store.privacy").TABLES
    return found


@pytest.mark.parametrize("service", SERVICES)
async def test_every_column_of_the_migrated_schema_says_how_it_is_erased_or_why_not(
    service: str, postgres: Postgres, template: Callable[[str], Awaitable[str]]
) -> None:
    """Breaks when a column is added and nobody said whether it may hold anything personal; the message says what to do."""
    connection = await asyncpg.connect(postgres.url("postgres", await template(service)))
    try:
        rows = await connection.fetch("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1", service)
    finally:
        await connection.close()
    columns = {(row[0], row[1]) for row in rows} - NOT_OURS
    assert len(columns) > 20
    assert unclassified(service, classes_of(service), columns) == []


def test_a_column_without_a_class_and_a_class_without_a_column_say_what_to_do() -> None:
    """Breaks if a new column passed unseen, or the complaint did not name the place to go to."""
    told = unclassified("journey", {"a": Held({"known": Kept("ours"), "gone": Emptied()})}, [("a", "known"), ("b", "new")])
    assert [each.partition(":")[0].split(" ")[0] for each in told] == ["journey.b.new", "journey.a.gone", "journey.a"]
    assert "services/journey/store/privacy.py" in told[0]
