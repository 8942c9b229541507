"""How clients reach Kafka: over which protocol, as whom, trusting whom. Read where a client is made, never at import.

`MAKEGOOD_KAFKA_*` hold for every client of a process. What is secret stands in files, as orchestrators mount it.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from aiokafka.helpers import create_ssl_context
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Protocol(StrEnum):
    """What is spoken to a broker."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def is_encrypted(self) -> bool:
        """Whether it is TLS."""
        return self in {Protocol.SSL, Protocol.SASL_SSL}

    @property
    def names_somebody(self) -> bool:
        """Whether whoever speaks says who they are."""
        return self in {Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL}


class Mechanism(StrEnum):
    """How a client says who it is."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Reach(BaseSettings):
    """How brokers are reached."""

    model_config = SettingsConfigDict(env_prefix="MAKEGOOD_KAFKA_", extra="ignore", frozen=True)

    security_protocol: Protocol = Field(default=Protocol.PLAINTEXT, description="whether it is TLS, and whether we say who we are")
    sasl_mechanism: Mechanism = Field(default=Mechanism.SCRAM_SHA_512, description="how we say who we are; with a SASL protocol")
    user_file: Path | None = Field(default=None, description="holds the name; with a SASL protocol")
    password_file: Path | None = Field(default=None, description="holds the password; with a SASL protocol")
    ca_file: Path | None = Field(default=None, description="PEM of who vouches for the brokers; none: whom the system trusts")
    certificate_file: Path | None = Field(default=None, description="PEM of our own certificate, where brokers ask for one")
    key_file: Path | None = Field(default=None, description="PEM of its key")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.security_protocol.names_somebody and (self.user_file is None or self.password_file is None):
            message = f"{self.security_protocol} needs MAKEGOOD_KAFKA_USER_FILE and MAKEGOOD_KAFKA_PASSWORD_FILE"
            raise ValueError(message)
        if (self.certificate_file is None) != (self.key_file is None):
            message = "MAKEGOOD_KAFKA_CERTIFICATE_FILE and MAKEGOOD_KAFKA_KEY_FILE belong together"
            raise ValueError(message)
        return self

    def arguments(self, address: str) -> dict[str, Any]:
        """What a client of Kafka's is made with. Raises `OSError` where a file cannot be read."""
        found: dict[str, Any] = {"bootstrap_servers": address, "security_protocol": self.security_protocol.value}
        if self.security_protocol.is_encrypted:
            files = [None if each is None else str(each) for each in (self.ca_file, self.certificate_file, self.key_file)]
            found["ssl_context"] = create_ssl_context(cafile=files[0], certfile=files[1], keyfile=files[2])
        if self.security_protocol.names_somebody:
            assert self.user_file is not None
            assert self.password_file is not None
            found["sasl_mechanism"] = self.sasl_mechanism.value
            found["sasl_plain_username"] = self.user_file.read_text(encoding="utf-8").strip()
            found["sasl_plain_password"] = self.password_file.read_text(encoding="utf-8").strip()
        return found


def reaching(address: str) -> dict[str, Any]:
    """What a client of the brokers at this address is made with."""
    return Reach().arguments(address)
