"""Every client of Kafka's reaches brokers that ask who it is, over TLS; and says what is missing where it cannot."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from deploy.local import kafka as kafka_server
from services.chassis import peek
from services.chassis.brokers import Reach, reaching
from services.chassis.relay import NotAcknowledgedError, Outgoing, Relay
from services.chassis.settings import Settings

USER, PASSWORD, TOPIC = "makegood", "s3cret", "foreign.orders"


def _pem(folder: Path) -> Path:
    """A certificate of the broker's own, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "ca.pem").write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    both = folder / "broker.pem"
    both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + (folder / "ca.pem").read_bytes())
    return both


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
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{USER}" password="{PASSWORD}" '
    asking = {
        "listener.security.protocol.map": "BROKER:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.broker.plain.sasl.jaas.config": f'{login}user_{USER}="{PASSWORD}";',
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(_pem(folder)),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "auto.create.topics.enable": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_server, "PROPERTIES", kafka_server.PROPERTIES | asking)
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
