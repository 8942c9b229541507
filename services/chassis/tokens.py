"""What an access token has to be: three parts, signed by a key of our issuer's with an algorithm of ours, meant for us, and now.

Nothing is fetched because a token says so: keys come from the one file or the one address of the settings, and a token
that brings a key, or names where one could be had, is refused before anything of it is looked at.
"""

import asyncio
import logging
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import httpx2
import orjson
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, RSAKey

from services.chassis import strictjson
from services.chassis.redaction import told

log = logging.getLogger(__name__)

ALGORITHMS: Final = ("ES256", "RS256")
TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
REREAD_SECONDS: Final = 60.0
"""An unknown key makes the issuer's be read again, at most this often."""
KNOWN_SECONDS: Final = 600.0
"""Keys of an address are asked for again after this, so that one that was taken back is known no longer."""
LEEWAY_SECONDS: Final = 10
"""By how much the issuer's clock may differ from ours."""
MOST_BYTES: Final = 8 * 1024
MOST_KEYS_BYTES: Final = 256 * 1024
LONGEST_NAME: Final = 200
MOST_NAMES: Final = 100
FETCH_SECONDS: Final = 5.0
_WEAK_BITS: Final = 2048
_BITS_OF_A_LETTER: Final = 6
_PARTS: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NAME: Final = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LONGEST_NAME}}}")
_BRINGS_A_KEY: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "epk", "p2s", "p2c"})
"""Header parameters with which a token would say how it is to be checked."""

Key = ECKey | RSAKey


class InvalidTokenError(ValueError):
    """The token is not one of ours; why is nobody's business who has none."""


class Keys(Protocol):
    """The issuer's public keys."""

    async def find(self, kid: str) -> Key:
        """The key of that id; raises `InvalidKeyIdError`, or `OSError` where there are no keys to look among."""


def read_keys(document: bytes) -> dict[str, Key]:
    """The keys of a JWKS that signatures can be checked with, by id; raises `ValueError` where it is none.

    What has no id, is secret, is for encryption, or is too weak is left out.
    """
    try:
        listed = orjson.loads(document)["keys"]
        usable = [each for each in listed if isinstance(each.get("kid"), str) and each.get("use", "sig") == "sig"]
    except (TypeError, KeyError, AttributeError, orjson.JSONDecodeError):
        raise ValueError("the issuer's keys are not a JWKS (RFC 7517, 5)") from None
    found: dict[str, Key] = {}
    for each in usable:
        if each.get("kty") == "EC" and each.get("crv") == "P-256" and each.get("alg", "ES256") == "ES256":
            found.setdefault(each["kid"], ECKey.import_key(each))
        elif each.get("kty") == "RSA" and each.get("alg", "RS256") == "RS256" and len(str(each.get("n"))) * _BITS_OF_A_LETTER >= _WEAK_BITS:
            found.setdefault(each["kid"], RSAKey.import_key(each))
    return found


class KeysInFile:
    """The keys of a JWKS file, read again when it changes."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._read_at = float("-inf")
        self._modified = -1
        self._keys: dict[str, Key] = {}

    async def find(self, kid: str) -> Key:
        """The key of that id; an unknown id makes the file be read again, at most once a minute."""
        if self._path.stat().st_mtime_ns != self._modified or (kid not in self._keys and self._clock() - self._read_at >= REREAD_SECONDS):
            self._modified, self._read_at = self._path.stat().st_mtime_ns, self._clock()
            self._keys = _known(self._path.read_bytes())
        return _of(self._keys, kid)


class KeysAtAddress:
    """The keys at the issuer's own address, asked for when one is unknown and every ten minutes, and at most once a minute.

    While the issuer is away, those that it was last heard to have are still its keys.
    """

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._transport, self._clock = url, transport, clock
        self._asked_at = float("-inf")
        self._keys: dict[str, Key] | None = None
        self._asking = asyncio.Lock()

    async def find(self, kid: str) -> Key:
        """The key of that id; raises `ConnectionError` where the issuer was never reached."""
        if self._is_due(kid):
            async with self._asking:
                if self._is_due(kid):
                    self._asked_at = self._clock()
                    await self._ask()
        if self._keys is None:
            raise ConnectionError("the issuer has not told its keys yet")
        return _of(self._keys, kid)

    def _is_due(self, kid: str) -> bool:
        known = self._keys is not None and kid in self._keys
        return self._clock() - self._asked_at >= (KNOWN_SECONDS if known else REREAD_SECONDS)

    async def _ask(self) -> None:
        options: dict[str, Any] = {"timeout": FETCH_SECONDS, "follow_redirects": False, "trust_env": False, "transport": self._transport}
        try:
            async with httpx2.AsyncClient(**options) as client, client.stream("GET", self._url) as answer:
                answer.raise_for_status()
                document = b""
                async for piece in answer.aiter_bytes():
                    document += piece
                    if len(document) > MOST_KEYS_BYTES:
                        raise ValueError(f"the issuer's keys are more than {MOST_KEYS_BYTES} bytes")  # noqa: TRY301 - told below, as the rest
            self._keys = read_keys(document)
        except (httpx2.HTTPError, ValueError, JoseError) as error:
            log.warning("the issuer's keys were not read; those known stay", extra={"error": told(error)})


def _known(document: bytes) -> dict[str, Key]:
    try:
        return read_keys(document)
    except (ValueError, JoseError) as error:
        raise OSError(str(error)) from error


def _of(keys: Mapping[str, Key], kid: str) -> Key:
    if kid not in keys:
        raise InvalidKeyIdError
    return keys[kid]


class Checker:
    """Reads the claims of tokens that one issuer made for one audience."""

    def __init__(self, keys: Keys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What the token says; raises `InvalidTokenError`, or `OSError` where there are no keys to check it with."""
        header, claims = _unpacked(token)
        try:
            key = await self._keys.find(header["kid"])
            jwt.decode(token, key, ALGORITHMS)
            self._claims.validate(dict(claims))
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise InvalidTokenError from error
        _require_names(claims)
        return claims


def _unpacked(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims of a token before it is believed; each written in one way only, and with each name once."""
    if len(token) > MOST_BYTES or not _PARTS.fullmatch(token):
        raise InvalidTokenError
    header, claims, _ = (_decoded(part) for part in token.split("."))
    try:
        said, meant = strictjson.loads(header), strictjson.loads(claims)
    except strictjson.InvalidJson as error:
        raise InvalidTokenError from error
    if not isinstance(said, dict) or not isinstance(meant, dict) or not _BRINGS_A_KEY.isdisjoint(said):
        raise InvalidTokenError
    if said.get("alg") not in ALGORITHMS or not isinstance(said.get("kid"), str) or not isinstance(kind := said.get("typ"), str):
        raise InvalidTokenError
    if kind.lower() not in TOKEN_TYPES:
        raise InvalidTokenError
    return said, meant


def _decoded(part: str) -> bytes:
    raw = urlsafe_b64decode(part + "=" * (-len(part) % 4)) if len(part) % 4 != 1 else b""
    if urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise InvalidTokenError  # bits that say nothing: two spellings of one token
    return raw


def _require_names(claims: Mapping[str, Any]) -> None:
    """Refuse what could not be written into an audit trail as who somebody is."""
    lists = [claims.get(name, []) for name in ("roles", "teams")]
    if any(not isinstance(each, list) or len(each) > MOST_NAMES for each in lists):
        raise InvalidTokenError
    for each in (claims["sub"], claims.get("name", claims["sub"]), *lists[0], *lists[1]):
        if not isinstance(each, str) or not _NAME.fullmatch(each):
            raise InvalidTokenError
    if any(isinstance(claims.get(name), bool) for name in ("exp", "nbf", "iat")):
        raise InvalidTokenError
