"""What a process refuses to start with: outside the local stack, whatever everybody knows or could guess."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy.engine import make_url

from services.chassis.brokers import Reach
from services.chassis.settings import LOCAL, LOCAL_ISSUER, Settings

LEAST_LETTERS: Final = 12
WELL_KNOWN: Final = frozenset(
    {"admin", "change-me", "changeit", "changeme", "default", "example", "makegood", "password", "postgres", "secret", "test"}
)
"""And whatever is one of these with figures or marks around it."""
MARKS: Final = "0123456789!@#$%^&*-_.?"


class UnsafeStartError(Exception):
    """These settings would leave the door open."""


def require_safe(settings: Settings, role: str) -> None:
    """Raise `UnsafeStartError` with all that is wrong; the local stack alone may be open, which listens on loopback only."""
    if settings.env == LOCAL:
        return
    if wrong := [*_of_secrets(settings), *_of_tokens(settings, role), *_of_addresses(settings)]:
        raise UnsafeStartError(f"Outside MAKEGOOD_ENV={LOCAL} it does not start so: {'; '.join(wrong)}.")


def _of_secrets(settings: Settings) -> list[str]:
    found = {"the password in MAKEGOOD_DATABASE": make_url(settings.database).password or ""}
    for name in sorted(settings.model_fields_set):
        if isinstance(value := getattr(settings, name), SecretStr):
            found[f"MAKEGOOD_{name.upper()}"] = value.get_secret_value()
    reach = Reach()
    if reach.security_protocol.names_somebody and reach.password_file is not None:
        found["what is in MAKEGOOD_KAFKA_PASSWORD_FILE"] = reach.password_file.read_text(encoding="utf-8").strip()
    user = make_url(settings.database).username or ""
    return [f"{name} {why}" for name, secret in found.items() if (why := _weakness(secret, user))]


def _weakness(secret: str, user: str) -> str | None:
    if not secret:
        return "is empty; draw one at random"
    if secret.lower().strip(MARKS) in WELL_KNOWN | {user.lower(), ""}:
        return "is one that everybody tries first; draw one at random"
    return f"has fewer than {LEAST_LETTERS} characters; draw one at random" if len(secret) < LEAST_LETTERS else None


def _of_tokens(settings: Settings, role: str) -> list[str]:
    wrong = []
    if settings.issuer == LOCAL_ISSUER:
        wrong.append(f"MAKEGOOD_ISSUER is the local stack's ({LOCAL_ISSUER}), of which anybody has a token; name your own")
    if role == "api" and settings.jwks is None and settings.jwks_url is None:
        wrong.append("neither MAKEGOOD_JWKS nor MAKEGOOD_JWKS_URL says with which keys tokens are checked")
    return wrong


def _of_addresses(settings: Settings) -> list[str]:
    wrong = [
        f"MAKEGOOD_{name.upper()} is not an https address"
        for name in ("jwks_url", "oidc_url", "workbench_url")
        if (value := getattr(settings, name, None)) and urlsplit(value).scheme != "https"
    ]
    if getattr(settings, "webhooks_to_loopback", False):
        wrong.append("MAKEGOOD_WEBHOOKS_TO_LOOPBACK lets whoever makes a webhook speak to this machine itself")
    return wrong
