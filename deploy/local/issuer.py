"""The local stack's own token issuer: one ES256 key pair a data folder, and the tokens it signs.

The services only ever see the public half (`jwks.json`), as they would an identity provider's.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "http://makegood.local"
AUDIENCE = "makegood"
PRIVATE = "issuer.pem"
PUBLIC = "jwks.json"
HOUR = 3600
WORKING_DAY = 12 * HOUR
"""How long a token is valid where nothing else is said; seconds."""


def ensure_keys(folder: Path) -> Path:
    """Make the key pair where there is none; return the path of the public key set."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = folder / PRIVATE
    if not private.exists():
        key = ECKey.generate_key("P-256", private=True)
        write_private(private, key.as_pem(private=True))
    # Written anew each time, so that an interruption between the two files does no harm.
    public = _key(folder).as_dict(private=False)
    (folder / PUBLIC).write_text(json.dumps({"keys": [public]}, indent=2) + "\n")
    return folder / PUBLIC


def token(folder: Path, *, subject: str, name: str, roles: Sequence[str], teams: Sequence[str] = (), seconds: int = WORKING_DAY) -> str:
    """Return a signed access token (RFC 9068: header type `at+jwt`) for somebody with these roles and teams."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "name": name,
        "roles": list(roles),
        "teams": list(teams),
        "iat": now,
        "exp": now + seconds,
    }
    return sign(folder, claims, "at+jwt")


def sign(folder: Path, claims: Mapping[str, Any], kind: str) -> str:
    """Return a signed token of a kind (its header's `typ`) that makes these claims."""
    key = _key(folder)
    return jwt.encode({"alg": "ES256", "typ": kind, "kid": key.kid}, dict(claims), key, algorithms=["ES256"])


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def _key(folder: Path) -> ECKey:
    key = ECKey.import_key((folder / PRIVATE).read_bytes())
    return ECKey.import_key(key.as_dict(private=True), {"kid": key.thumbprint(), "use": "sig", "alg": "ES256"})
