"""The session's servers as every other test gets them, and the small parts of the stack."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy import topics
from deploy.errors import StackError
from deploy.local import issuer, jars
from deploy.local import postgres as server
from deploy.local.jars import Jar
from deploy.local.postgres import Postgres, prepare
from deploy.local.processes import Started, free_port, listens
from deploy.topics import Topic

LANE = Topic("a-lane", 1, raw=True)
LONG_AGO = 1_000_000_000_000  # milliseconds: 2001


async def arrival(kafka: str, sent: int) -> int:
    """Send a record that claims to be from `sent` and return the timestamp it is read with."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(LANE.name, b"x", partition=0, timestamp_ms=sent)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(LANE.name, 0)])
        record = await consumer.getone()
    return int(record.timestamp)


@pytest.mark.parametrize(("clock", "kept"), [("live", False), ("replay", True)])
async def test_only_the_replay_clock_believes_a_senders_timestamp(kafka: str, clock: str, kept: bool) -> None:  # noqa: FBT001
    await topics.delete(kafka, [LANE.name])
    await topics.create(kafka, [LANE], clock)
    await topics.create(kafka, [LANE], clock)  # a second time does no harm
    assert (await arrival(kafka, LONG_AGO) == LONG_AGO) is kept


async def test_a_topic_with_another_number_of_partitions_is_refused(kafka: str) -> None:
    await topics.create(kafka, [Topic("counted", 2, raw=False)], "live")
    with pytest.raises(StackError, match="has 2 partitions here, and the contracts say 3"):
        await topics.create(kafka, [Topic("counted", 3, raw=False)], "live")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_services_owner_makes_its_schema_and_no_other_service_reads_it(postgres: Postgres) -> None:
    """Breaks also if the services' roles could make anything, or data made before there were owners stayed the service's own."""
    await prepare(postgres, "apart", ("journey", "promises"))
    async with connected(postgres.url(database="apart")) as admin:
        await admin.execute('CREATE TABLE journey.before (i int); ALTER TABLE journey.before OWNER TO "journey"')
    await prepare(postgres, "apart", ("journey", "promises"))  # a second time does no harm
    async with connected(postgres.url("journey_owner", "apart")) as owner:
        await owner.execute("CREATE TABLE things (i int); DROP TABLE before")
        assert await owner.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 'things'") == "journey"
    for role in ("journey", "promises", "promises_owner"):
        async with connected(postgres.url(role, "apart")) as other:
            for statement in ("SELECT FROM journey.things", "CREATE TABLE journey.more (i int)"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await other.execute(statement)


async def test_a_server_whose_pid_went_to_another_program_starts_again(servers: Path) -> None:
    """Breaks if the server is left to believe that whoever has its old pid is itself."""
    passwords = {server.ADMIN: server.new_password()}
    folder, log = servers / "stale", servers / "stale.log"
    first = await asyncio.to_thread(server.start, folder, log, passwords, durable=False)
    held = (folder / "data" / "postmaster.pid").read_text()
    server.stop(first.started)
    pid, rest = held.split("\n", 1)
    assert int(pid) == first.started.pid
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{rest}")
    again = await asyncio.to_thread(server.start, folder, log, passwords, durable=False)
    server.stop(again.started)


def test_a_token_is_verified_by_the_public_key_set(tmp_path: Path) -> None:
    public = issuer.ensure_keys(tmp_path)
    signed = issuer.token(tmp_path, subject="ann", name="Ann", roles=["agent"], teams=["desk"])
    read = jwt.decode(signed, KeySet.import_key_set(json.loads(public.read_text())), algorithms=["ES256"])
    assert read.header["typ"] == "at+jwt"
    assert {key: read.claims[key] for key in ("iss", "aud", "sub", "name", "roles", "teams")} == {
        "iss": "http://makegood.local",
        "aud": "makegood",
        "sub": "ann",
        "name": "Ann",
        "roles": ["agent"],
        "teams": ["desk"],
    }
    assert "d" not in json.loads(public.read_text())["keys"][0]


def test_the_key_pair_is_made_once(tmp_path: Path) -> None:
    first = issuer.ensure_keys(tmp_path).read_text()
    assert issuer.ensure_keys(tmp_path).read_text() == first


def test_a_damaged_jar_is_thrown_away(tmp_path: Path) -> None:
    jar = Jar("org.example", "thing", "1.0", "0" * 64)
    path = jar.path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    assert not jars._sound(jar, tmp_path)
    assert not path.exists()


def test_the_lock_of_kafka_names_jars_and_no_address() -> None:
    assert {"kafka_2.13", "kafka-clients"} <= {jar.artifact for jar in jars.locked()}
    assert len({jar.version for jar in jars.locked() if jar.group == "org.apache.kafka"}) == 1
    assert "//" not in jars.LOCK.read_text()


def test_a_taken_port_is_not_offered() -> None:
    first = free_port()
    assert free_port(first) == first
    assert not listens(first)


def test_a_process_is_known_by_its_pid_and_its_birth() -> None:
    me = Started.of(os.getpid())
    assert me.process() == psutil.Process()
    assert Started(me.pid, me.created - 1).process() is None


async def test_each_test_has_a_database_of_its_own(
    database: Callable[[str], Awaitable[str]], template: Callable[[str], Awaitable[str]]
) -> None:
    urls = [await database("journey"), await database("journey")]
    connections = [await asyncpg.connect(url) for url in urls]
    await connections[0].execute("INSERT INTO topology (topic, partitions) VALUES ('only here', 1)")
    assert await connections[1].fetchval("SELECT to_regclass('only_here')") is None
    for connection in connections:
        await connection.close()
