"""What each service may do at the brokers: a real one with its authorizer, over TLS, where everybody says a name and a password (SCRAM)."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.helpers import create_ssl_context

from deploy import acls, topics
from deploy.acls import Allowed, Kind, Operation
from deploy.local import issuer, processes, programs
from deploy.local import kafka as kafka_server
from deploy.local.programs import SERVICES, Surroundings
from tests.guarded import asking

pytestmark = pytest.mark.slow
confluent: Any = importlib.import_module("confluent_kafka.admin")
"""Whose types are not all told."""
ADMIN, PASSWORD = "makegood-admin", "n3zJv8kq2WmXr5Tb"
EVERYBODY = ("journey", "promises", "recovery", "systems", "stranger")
NAMES = [each.name for each in topics.read()]
REFUSED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)


class Broker:
    """Where it is, and what everybody needs to speak to it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.told: dict[str, Any] = {
            "bootstrap_servers": address, "security_protocol": "SASL_SSL", "ssl_context": create_ssl_context(cafile=str(folder / "ca.pem")),
            "sasl_plain_password": PASSWORD,
        }  # fmt: skip

    def by(self, name: str) -> dict[str, Any]:
        """How somebody reaches it."""
        return self.told | {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": name}

    def environment(self, name: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """What a process is told that is to reach it as somebody."""
        (self.folder / f"{name}.user").write_text(name)
        (self.folder / "password").write_text(PASSWORD)
        told = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": mechanism, "CA_FILE": self.folder / "ca.pem"}
        told |= {"USER_FILE": self.folder / f"{name}.user", "PASSWORD_FILE": self.folder / "password"}
        return {f"MAKEGOOD_KAFKA_{each}": str(value) for each, value in told.items()}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that refuses whatever is not allowed, its people, the topics, and the rules of the contracts."""
    folder = tmp_path_factory.mktemp("rules")
    told = asking(folder, ADMIN, PASSWORD) | {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.broker.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN};User:ANONYMOUS",  # nobody is anonymous but the controller, which is the same process
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_server, "PROPERTIES", kafka_server.PROPERTIES | told)
        started = kafka_server.start(folder / "kafka", folder / "kafka.log")
        found = Broker(started.bootstrap, folder)
        for name, value in found.environment(ADMIN, "PLAIN").items():
            patch.setenv(name, value)
        _let_in(found)
        asyncio.run(topics.create(found.address, topics.read(), "live"))
        asyncio.run(acls.apply(found.address, acls.allowed()))
    yield found
    kafka_server.stop(started.started)


def _let_in(broker: Broker) -> None:
    told: dict[str, Any] = {
        "bootstrap.servers": broker.address,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(broker.folder / "ca.pem"),
    }
    admin = confluent.AdminClient(told | {"sasl.mechanism": "PLAIN", "sasl.username": ADMIN, "sasl.password": PASSWORD})
    info = confluent.ScramCredentialInfo(confluent.ScramMechanism.SCRAM_SHA_512, 4096)
    wanted: list[Any] = [confluent.UserScramCredentialUpsertion(name, info, PASSWORD.encode()) for name in EVERYBODY]
    for each in admin.alter_user_scram_credentials(wanted).values():
        each.result(30)


@asynccontextmanager
async def _started(client: Any) -> AsyncIterator[Any]:
    try:
        await client.start()
        yield client
    finally:
        await (client.stop() if hasattr(client, "stop") else client.close())


async def _may_write(broker: Broker, name: str, topic: str) -> bool:
    try:
        async with _started(AIOKafkaProducer(**broker.by(name), enable_idempotence=True, request_timeout_ms=5000)) as producer:
            await producer.send_and_wait(topic, b"x", partition=0)
    except REFUSED:
        return False
    return True


async def _may_read(broker: Broker, name: str, topic: str) -> bool:
    async with _started(
        AIOKafkaConsumer(**broker.by(name), group_id=None, request_timeout_ms=5000, auto_offset_reset="earliest")
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        try:
            await asyncio.wait_for(consumer.getone(), 8)
        except (*REFUSED, TimeoutError):  # whoever may not even see a topic waits for its leader
            return False
    return True


async def _may_share(broker: Broker, name: str, group: str) -> bool:
    async with _started(AIOKafkaAdminClient(**broker.by(name))) as admin:
        async with asyncio.timeout(30):
            while True:
                try:
                    await admin.list_consumer_group_offsets(group)
                except REFUSED:
                    return False
                except GroupCoordinatorNotAvailableError:  # the topic of offsets is made when somebody first asks for it
                    await asyncio.sleep(0.05)
                else:
                    return True


async def _may_see_settings(broker: Broker, name: str, topic: str) -> bool:
    async with _started(AIOKafkaAdminClient(**broker.by(name))) as admin:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        code: int = answer.resources[0][0]
        assert code == 0 or issubclass(for_code(code), REFUSED)
        return code == 0


async def test_what_is_not_listed_is_refused_and_what_is_listed_works(broker: Broker) -> None:
    """Breaks when a rule is missing, and when one allows more than the contracts say."""
    async with _started(AIOKafkaProducer(**broker.told, sasl_mechanism="PLAIN", sasl_plain_username=ADMIN)) as producer:
        for topic in NAMES:
            await producer.send_and_wait(topic, b"x", partition=0)
    groups = [f"makegood-{each.name}" for each in SERVICES]
    tried = {Operation.WRITE: _may_write, Operation.READ: _may_read, Operation.DESCRIBE_CONFIGS: _may_see_settings}
    asked = {
        Allowed(name, Kind.TOPIC, topic, how): may(broker, name, topic)
        for name in EVERYBODY
        for topic in NAMES
        for how, may in tried.items()
    }
    asked |= {Allowed(name, Kind.GROUP, group, Operation.READ): _may_share(broker, name, group) for name in EVERYBODY for group in groups}
    answers = zip(asked, await asyncio.gather(*asked.values()), strict=True)
    found = {each for each, may in answers if may}
    assert sorted(found) == acls.allowed()


async def test_nobody_makes_or_deletes_topics_or_rules(broker: Broker) -> None:
    for name in EVERYBODY:
        async with _started(AIOKafkaAdminClient(**broker.by(name))) as admin:
            answer: Any = await admin.create_topics([NewTopic("mine", 1, 1)])
            assert issubclass(for_code(answer.topic_errors[0][1]), REFUSED)
            assert "mine" not in await admin.list_topics()
            answer = await admin.delete_topics([NAMES[0]])
            assert issubclass(for_code(answer.topic_error_codes[0][1]), REFUSED)


async def test_who_says_no_name_or_a_wrong_password_is_not_heard(broker: Broker) -> None:
    wrong = {**broker.by("journey"), "sasl_plain_password": "wrong"}
    plain = {"bootstrap_servers": broker.address}
    for told in (wrong, plain, broker.by("nobody")):
        client = AIOKafkaProducer(**told, request_timeout_ms=3000)
        with pytest.raises(KafkaError):
            await client.start()
        await client.stop()


async def test_every_service_works_with_what_is_listed(
    broker: Broker, database: Callable[[str], Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All consumers come to their groups, and a touchpoint that a company system writes comes out numbered; nobody is refused anything."""
    for name, value in broker.environment(ADMIN, "PLAIN").items():
        monkeypatch.setenv(name, value)
    await topics.delete(broker.address, NAMES)  # what the others have written there is no touchpoint
    await topics.create(broker.address, topics.read(), "live")
    consuming = [each for each in SERVICES if "consume" in each.roles]
    databases = {each.name: await database(each.name) for each in consuming}
    around = Surroundings("live", broker.address, databases, issuer.ensure_keys(tmp_path), tmp_path)
    running = {}
    for service in consuming:
        port = processes.free_port()
        command = programs.command(service, "consume", around, port)
        command = replace(command, environment={**command.environment, **broker.environment(service.name)})
        running[service.name] = (command, processes.spawn(command), port)
    try:
        await asyncio.to_thread(programs.wait_ready, running)
        event = {"specversion": "1.0", "id": "e1", "source": "shop", "type": "order.placed", "subject": "crm:1", "data": {}}
        headers = [("content-type", b"application/cloudevents+json")]
        async with _started(AIOKafkaProducer(**broker.by("systems"))) as producer:
            await producer.send_and_wait(
                "makegood.touchpoints", json.dumps(event | {"time": "2026-11-23T00:00:00Z"}).encode(), headers=headers
            )
        await asyncio.wait_for(_heard(broker), 60)
    finally:
        processes.stop([each for _, each, _ in running.values()], 10)
    logs = "".join(command.log.read_text() for command, _, _ in running.values())
    assert "uthorization" not in logs


async def _heard(broker: Broker) -> None:
    """Return once promises can read what journey made of the touchpoint."""
    async with _started(AIOKafkaConsumer("makegood.journey", **broker.by("promises"), auto_offset_reset="earliest")) as consumer:
        async for record in consumer:
            if record.value is not None and b"order.placed" in record.value + b"".join(value for _, value in record.headers):
                return
