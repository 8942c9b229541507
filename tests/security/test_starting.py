"""No service starts with what everybody knows or could guess, unless it is the local stack's."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.chassis.settings import LOCAL_ISSUER, Settings
from services.chassis.starting import UnsafeStartError, require_safe
from services.journey.settings import JourneySettings
from services.recovery.settings import RecoverySettings
from services.workbench.settings import WorkbenchSettings
from tests.conftest import ROLES

DRAWN = "n3zJv8kq2WmXr5Tb"
SAFE: dict[str, Any] = {
    "kafka": "k:1",
    "database": f"postgresql://journey:{DRAWN}@db/m",
    "issuer": "https://issuer.example",
    "jwks_url": "https://i/keys",
}
PAGES: dict[str, Any] = {
    "journey_url": "http://j", "promises_url": "http://p", "recovery_url": "http://r", "oidc_url": "https://o", "workbench_url": "https://w",
    "assets": Path(),
}  # fmt: skip


def refused(settings: Settings, role: str = "api") -> str:
    with pytest.raises(UnsafeStartError) as caught:
        require_safe(settings, role)
    return str(caught.value)


def test_what_was_drawn_at_random_starts() -> None:
    require_safe(Settings(**SAFE), "api")
    require_safe(JourneySettings(**SAFE, status_secret=SecretStr(DRAWN * 2)), "api")
    require_safe(WorkbenchSettings(**SAFE, **PAGES), "api")
    require_safe(Settings(**SAFE | {"jwks_url": None}), "consume")


@pytest.mark.parametrize("password", ["", "postgres", "Postgres1!", "changeme", "journey", "journey123", "short", "123456789012345"])
def test_a_password_of_the_database_that_is_guessed_is_refused(password: str) -> None:
    url = f"postgresql://journey:{password}@db/m" if password else "postgresql://journey@db/m"
    assert "MAKEGOOD_DATABASE" in (said := refused(Settings(**SAFE | {"database": url}), "consume"))
    assert not password or password not in said.replace("MAKEGOOD_DATABASE", ""), "a secret is not repeated, however bad it is"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (Settings(**SAFE | {"issuer": LOCAL_ISSUER}), "MAKEGOOD_ISSUER"),
        (Settings(**SAFE | {"jwks_url": None}), "MAKEGOOD_JWKS"),
        (Settings(**SAFE | {"jwks_url": "http://i/keys"}), "MAKEGOOD_JWKS_URL"),
        (JourneySettings(**SAFE, status_secret=SecretStr("")), "MAKEGOOD_STATUS_SECRET"),
        (WorkbenchSettings(**SAFE, **PAGES, oidc_secret=SecretStr("changeme")), "MAKEGOOD_OIDC_SECRET"),
        (WorkbenchSettings(**SAFE, **PAGES | {"oidc_url": "http://o"}), "MAKEGOOD_OIDC_URL"),
        (WorkbenchSettings(**SAFE, **PAGES | {"workbench_url": "http://w"}), "MAKEGOOD_WORKBENCH_URL"),
        (RecoverySettings(**SAFE, webhooks_to_loopback=True), "MAKEGOOD_WEBHOOKS_TO_LOOPBACK"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_leaves_a_door_open_is_refused_by_name(settings: Settings, named: str) -> None:
    assert named in refused(settings)
    require_safe(settings.model_copy(update={"env": "local"}), "api")


def test_a_password_for_kafka_that_is_guessed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("changeit\n")
    for name, value in (("SECURITY_PROTOCOL", "SASL_SSL"), ("USER_FILE", tmp_path / "password"), ("PASSWORD_FILE", tmp_path / "password")):
        monkeypatch.setenv(f"MAKEGOOD_KAFKA_{name}", str(value))
    assert "MAKEGOOD_KAFKA_PASSWORD_FILE" in refused(Settings(**SAFE))


@pytest.mark.slow
def test_every_service_refuses_to_start_in_every_role_before_it_speaks_to_anything() -> None:
    """Breaks when a service's start goes past what all of them share."""
    told = {"MAKEGOOD_KAFKA": "127.0.0.1:9", "MAKEGOOD_DATABASE": "postgresql://x:postgres@127.0.0.1:9/x", "MAKEGOOD_ISSUER": LOCAL_ISSUER}
    told |= {f"MAKEGOOD_{name.upper()}": str(value) for name, value in PAGES.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKEGOOD_")}
    started = {
        name: subprocess.Popen([sys.executable, "-m", f"services.{name}", role], env=clean | told, stderr=subprocess.PIPE, text=True)
        for name, role in zip(ROLES, ("consume", "api", "migrate", "api"), strict=True)
    }
    for name, process in started.items():
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1, name
        assert f"services.{name}: Outside MAKEGOOD_ENV=local it does not start so" in said
        assert "MAKEGOOD_DATABASE" in said
        assert "MAKEGOOD_ISSUER" in said
