"""Every client of Kafka's reaches brokers that ask who it is, over TLS; and says what is missing where it cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from deploy.local import kafka as kafka_server
from services.chassis import peek
from services.chassis.brokers import Reach, reaching
from services.chassis.relay import NotAcknowledgedError, Outgoing, Relay
from services.chassis.settings import Settings
from tests.guarded import asking

USER, PASSWORD, TOPIC = "makegood", "s3cret", "foreign.orders"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("brokers")
    (found / "user").write_text(f"{USER}\n")
    (found / "password").write_text(f"{PASSWORD}\n")
    (found / "wrong").write_text("wrong\n")
    return found


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[str]:
    """A broker that lets in who says a name and a password over TLS, and makes topics as they are written to."""
    told = asking(folder, USER, PASSWORD) | {"auto.create.topics.enable": "true"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_server, "PROPERTIES", kafka_server.PROPERTIES | told)
        started = kafka_server.start(folder / "kafka", folder / "kafka.log")
    yield started.bootstrap
    kafka_server.stop(started.started)


@pytest.fixture
def settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process is told that may reach them."""
    told = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN"}
    told |= {"USER_FILE": str(folder / "user"), "PASSWORD_FILE": str(folder / "password"), "CA_FILE": str(folder / "ca.pem")}
    for name, value in told.items():
        monkeypatch.setenv(f"MAKEGOOD_KAFKA_{name}", value)


@pytest.mark.usefixtures("settings")
async def test_what_is_sent_over_tls_under_a_name_is_read_so(broker: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if any client were made past the settings: it would be refused, or send in the clear."""
    relay = Relay(Settings(kafka=broker, database=""))
    assert await relay.partitions(TOPIC) == 1
    await relay.publish([Outgoing(TOPIC, 0, b"k", b"v", [])])
    await relay.close()
    (found,) = await peek.latest(broker, TOPIC, 5)
    assert (found.key, found.value) == (b"k", b"v")
    monkeypatch.setenv("MAKEGOOD_KAFKA_PASSWORD_FILE", str(folder / "wrong"))
    refused = Relay(Settings(kafka=broker, database=""))
    with pytest.raises((KafkaError, NotAcknowledgedError)):
        await refused.publish([Outgoing(TOPIC, 0, b"k", b"v", [])])
    await refused.close()
    monkeypatch.delenv("MAKEGOOD_KAFKA_CA_FILE")
    with pytest.raises(KafkaError):
        await peek.latest(broker, TOPIC, 5)


def test_without_settings_nothing_is_asked_for() -> None:
    assert reaching("here:1") == {"bootstrap_servers": "here:1", "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("told", "missing"),
    [({"security_protocol": "SASL_SSL"}, "MAKEGOOD_KAFKA_USER_FILE"), ({"key_file": "x"}, "MAKEGOOD_KAFKA_CERTIFICATE_FILE"),
     ({"security_protocol": "TLS"}, "SASL_SSL"), ({"sasl_mechanism": "GSSAPI"}, "SCRAM-SHA-256")],
)  # fmt: skip
def test_settings_that_lead_nowhere_are_refused_with_what_is_missing(told: dict[str, str], missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Reach.model_validate(told)
