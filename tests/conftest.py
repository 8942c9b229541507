"""A real Kafka and a real PostgreSQL, one of each a session; a database a test, cloned from a migrated template."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings

from deploy import topics as kafka_topics
from deploy.local import kafka as kafka_server
from deploy.local import postgres as postgres_server
from deploy.local import programs
from deploy.local.postgres import Postgres
from deploy.local.programs import SERVICES, Surroundings

ROLES = tuple(service.name for service in SERVICES)
NO_BROKER = "127.0.0.1:9"


def pytest_configure() -> None:
    """How long an example takes says nothing of the code. What tests interrupt must hear it, also in the background of a shell."""
    settings.register_profile("unhurried", settings.default, deadline=None)
    settings.load_profile("unhurried")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[Path]:
    """The session's servers live here: outside pytest's own folder, which PostgreSQL's user may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="makegood-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def kafka(servers: Path) -> Iterator[str]:
    """The address of a real broker without topics; `topics` makes them."""
    broker = kafka_server.start(servers / "kafka", servers / "kafka.log")
    yield broker.bootstrap
    kafka_server.stop(broker.started)


@pytest.fixture
async def topics(kafka: str) -> Callable[..., Awaitable[None]]:
    """Give what makes the contracts' topics anew and empty, on a clock."""

    async def make(clock: str = "live") -> None:
        wanted = kafka_topics.read()
        await kafka_topics.delete(kafka, [each.name for each in wanted])
        await kafka_topics.create(kafka, wanted, clock)

    return make


@pytest.fixture(scope="session")
def postgres(servers: Path) -> Iterator[Postgres]:
    """A real server that forgets on a crash; `url(role, database)` says where to connect."""
    passwords = {role: postgres_server.new_password() for role in (postgres_server.ADMIN, *ROLES)}
    passwords |= {postgres_server.owner_of(role): passwords[role] for role in ROLES}  # who can do the one here can do the other
    server = postgres_server.start(servers / "postgres", servers / "postgres.log", passwords, durable=False)
    yield server
    postgres_server.stop(server.started)


@pytest.fixture(scope="session")
def template(postgres: Postgres, servers: Path) -> Callable[[str], Awaitable[str]]:
    """Return the name of a service's migrated database; the service migrates it when it is first asked for."""
    made: dict[str, str] = {}
    (servers / "logs").mkdir(exist_ok=True)

    async def template(service: str) -> str:
        if service not in made:
            name = f"template_{service}"
            await postgres_server.prepare(postgres, name, (service,))
            owner = postgres_server.owner_of(service)
            around = Surroundings(
                clock="live",
                kafka=NO_BROKER,
                databases={owner: postgres.url(owner, name)},
                jwks=servers / "jwks.json",
                logs=servers / "logs",
            )
            programs.migrate(next(each for each in SERVICES if each.name == service), around)
            made[service] = name
        return made[service]

    return template


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Numbers that no other test of the session is given."""
    return count(1)


@pytest.fixture
async def database(
    postgres: Postgres, template: Callable[[str], Awaitable[str]], numbers: Iterator[int]
) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Give what makes a service's database for this test alone, and returns its URL in the service's own role."""
    async with AsyncExitStack() as after:
        admin = await asyncpg.connect(postgres.url())
        after.push_async_callback(admin.close)

        async def make(service: str) -> str:
            name = f"{service}_{next(numbers)}"
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{await template(service)}"')
            after.push_async_callback(admin.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
            return postgres.url(service, name)

        yield make
