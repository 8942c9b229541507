"""Each migration leaves a schema that the release before can go on with: pods are replaced one by one, after it (docs/upgrading.md)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from deploy.local.postgres import Postgres, owner_of, prepare
from services.chassis.settings import Settings
from tests.driving import owning
from tests.migrations.schemas import harms, read

MIGRATIONS = Path(__file__).parents[2] / "services"
FIRST_RELEASE = {"journey": "0002", "promises": "0001", "recovery": "0002", "workbench": "0001"}
"""The revision that 0.1.0 came with; nothing ran before it."""
TABLE = "CREATE TABLE things (id int PRIMARY KEY, name text NOT NULL, size int)"


def _config(service: str, address: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / service / "migrations"))
    config.attributes["settings"] = Settings(database=address, kafka="127.0.0.1:9")
    return config


@pytest.mark.parametrize("service", FIRST_RELEASE)
async def test_a_step_takes_nothing_from_the_release_before(service: str, postgres: Postgres) -> None:
    """Breaks if a migration drops, renames or tightens what processes that are still to be replaced read or write.

    A step that takes away what no release reads any more says so by `contract = True`.
    """
    name = f"steps_{service}"
    await prepare(postgres, name, (service,))
    address = postgres.url(owner_of(service), name)
    config = _config(service, address)
    steps = list(reversed(list(ScriptDirectory.from_config(config).walk_revisions())))
    first = [each.revision for each in steps].index(FIRST_RELEASE[service])
    connection = await asyncpg.connect(address)
    await asyncio.to_thread(command.upgrade, config, FIRST_RELEASE[service])
    for step in steps[first + 1 :]:
        before = await read(connection)
        await asyncio.to_thread(command.upgrade, config, step.revision)
        if not getattr(step.module, "contract", False):
            assert list(harms(before, await read(connection))) == [], step.path
    await connection.close()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DROP TABLE things", ["things is gone"]),
        ("ALTER TABLE things DROP COLUMN size", ["things.size is gone"]),
        ("ALTER TABLE things RENAME COLUMN size TO extent", ["things.size is gone"]),
        ("ALTER TABLE things ALTER COLUMN size TYPE bigint", ["things.size is bigint now"]),
        ("ALTER TABLE things ALTER COLUMN size SET NOT NULL", ["things.size is required"]),
        ("ALTER TABLE things ALTER COLUMN size SET NOT NULL, ALTER COLUMN size SET DEFAULT 0", []),
        ("ALTER TABLE things ADD COLUMN colour text NOT NULL", ["things.colour is required"]),
        ("ALTER TABLE things ADD COLUMN colour text NOT NULL DEFAULT 'red'", []),
        ("ALTER TABLE things ADD COLUMN colour text", []),
        ("CREATE UNIQUE INDEX ON things (name)", ["things:  USING btree (name)"]),
        ("CREATE INDEX ON things (name)", []),
        ("ALTER TABLE things ADD CHECK (size > 0)", ["things: CHECK ((size > 0))"]),
        ("CREATE TABLE others (id int PRIMARY KEY, name text NOT NULL UNIQUE)", []),
    ],
)
async def test_what_harms_the_release_before_is_seen(change: str, found: list[str], database: Callable[[str], Awaitable[str]]) -> None:
    """Breaks if the test above could not fail."""
    connection = await asyncpg.connect(owning(await database("workbench")))
    await connection.execute(TABLE)
    before = await read(connection)
    await connection.execute(change)
    assert list(harms(before, await read(connection))) == found
    await connection.close()
