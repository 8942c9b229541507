"""A broker that speaks TLS alone and asks everybody for a name and a password: its certificate, and what is told to it."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def asking(folder: Path, user: str, password: str) -> dict[str, str]:
    """The broker's own properties; it lets in `user` (PLAIN), and whoever `sasl.enabled.mechanisms` is widened to."""
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{user}" password="{password}" '
    return {
        "listener.security.protocol.map": "BROKER:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN", "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.broker.plain.sasl.jaas.config": f'{login}user_{user}="{password}";',
        "ssl.keystore.type": "PEM", "ssl.keystore.location": str(_certified(folder)),
        "ssl.truststore.type": "PEM", "ssl.truststore.location": str(folder / "ca.pem"),
    }  # fmt: skip


def _certified(folder: Path) -> Path:
    """A certificate of the broker's own, with its key; `ca.pem` beside it is what clients trust."""
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
