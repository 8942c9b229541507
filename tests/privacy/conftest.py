"""A house of three services for one test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from services.chassis.database import create_engine
from services.journey.settings import JourneySettings
from tests.privacy.house import PARTITIONS, House, opened


@asynccontextmanager
async def housed(database: Callable[[str], Awaitable[str]], keys: Path) -> AsyncIterator[House]:
    """Three services over databases of their own."""
    names = ("journey", "promises", "recovery")
    databases = {name: await database(name) for name in names}
    engines = {name: create_engine(JourneySettings(kafka="127.0.0.1:9", database=databases[name]), name) for name in names}
    async with engines["journey"].begin() as connection:
        await connection.execute(text(f"INSERT INTO topology (topic, partitions) VALUES ('makegood.journey', {PARTITIONS})"))
    yield await opened(databases, engines, keys)
    for engine in engines.values():
        await engine.dispose()


@pytest.fixture
async def house(database: Callable[[str], Awaitable[str]], tmp_path: Path) -> AsyncIterator[House]:
    async with housed(database, tmp_path) as found:
        yield found
