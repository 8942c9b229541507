"""How what deploys reaches brokers: as the services do, by `MAKEGOOD_KAFKA_*` (services/chassis/brokers.py), whom it may not import."""

import os
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context


def reaching(bootstrap: str) -> dict[str, Any]:
    """Return what a client of the brokers at this address is made with. Raises `OSError` where a file cannot be read."""
    told = {name.removeprefix("MAKEGOOD_KAFKA_"): value for name, value in os.environ.items() if name.startswith("MAKEGOOD_KAFKA_")}
    protocol = told.get("SECURITY_PROTOCOL", "PLAINTEXT")
    found: dict[str, Any] = {"bootstrap_servers": bootstrap, "security_protocol": protocol}
    if protocol.endswith("SSL"):
        files = [told.get(name) for name in ("CA_FILE", "CERTIFICATE_FILE", "KEY_FILE")]
        found["ssl_context"] = create_ssl_context(cafile=files[0], certfile=files[1], keyfile=files[2])
    if protocol.startswith("SASL"):
        found["sasl_mechanism"] = told.get("SASL_MECHANISM", "SCRAM-SHA-512")
        found["sasl_plain_username"] = Path(told["USER_FILE"]).read_text(encoding="utf-8").strip()
        found["sasl_plain_password"] = Path(told["PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    return found
