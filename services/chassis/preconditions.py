"""Writes that must not be lost or done twice: ETag and If-Match, Idempotency-Key."""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import Depends, Header

from services.chassis.problems import Kind, Problem

PRECONDITION_REQUIRED = Kind(428, "if-match-required", "Say which version you have seen")
PRECONDITION_FAILED = Kind(412, "stale-version", "It has changed since you read it")
MALFORMED_KEY = Kind(400, "malformed-idempotency-key", "The Idempotency-Key is missing or malformed")
KEY_REUSED = Kind(422, "idempotency-key-reused", "That Idempotency-Key came with another request before")

_ENTITY_TAGS = re.compile(r'\s*(?:W/)?"[!#-~]*"\s*(?:,\s*(?:W/)?"[!#-~]*"\s*)*')
_STRONG_TAG = re.compile(r'(?<!/)"([!#-~]*)"')
_KEY = re.compile(r'"[\w.:-]{1,128}"|[\w.:-]{1,128}', re.ASCII)

REQUIRED_HEADERS = {"if-match": r'^"[!#-~]*"$', "idempotency-key": r"^[A-Za-z0-9_.:-]{1,128}$"}
"""As the OpenAPI documents say them; what is accepted is a little wider."""


def etag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions that the client says it has seen."""

    tags: frozenset[str]

    def require(self, version: int) -> None:
        """Raise the 412 problem unless that version is among those seen."""
        if str(version) not in self.tags:
            raise Problem(PRECONDITION_FAILED, "Read it again, then decide.", headers={"ETag": etag(version)})


def expected(if_match: Annotated[str | None, Header(description="the ETag you have read")] = None) -> Expected:
    """What If-Match says; `*` is refused, since it would overwrite what nobody has read."""
    if if_match is None or not _ENTITY_TAGS.fullmatch(if_match):
        raise Problem(PRECONDITION_REQUIRED, "Send If-Match with the ETag of what you have read.")
    return Expected(frozenset(_STRONG_TAG.findall(if_match)))


def idempotency_key(
    idempotency_key: Annotated[str | None, Header(description="unique per intended creation; resend it on retry")] = None,
) -> str:
    """The key a creation is recognised by when it is sent again."""
    if idempotency_key is None or not _KEY.fullmatch(idempotency_key):
        raise Problem(MALFORMED_KEY, "Send 1 to 128 letters, digits, dots, colons, dashes or underscores.")
    return idempotency_key.strip('"')


IfMatch = Annotated[Expected, Depends(expected)]
IdempotencyKey = Annotated[str, Depends(idempotency_key)]


@dataclass(frozen=True, slots=True)
class Once:
    """A creation that must happen once: whose key it is, and the digest of what was asked."""

    subject: str
    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, subject: str, key: str, operation: str, request: object) -> "Once":
        """The same subject, key, operation and request always give the same value."""
        asked = orjson.dumps([operation, request], option=orjson.OPT_SORT_KEYS)
        return cls(subject, key, hashlib.blake2b(asked, digest_size=16).digest())

    @property
    def name(self) -> str:
        """The key as it is stored: those of others are other keys."""
        return f"{self.subject} {self.key}"

    def require_same(self, fingerprint: bytes) -> None:
        """Raise the 422 problem where the stored request under this key was another one."""
        if fingerprint != self.fingerprint:
            raise Problem(KEY_REUSED, "Use a new key for a new request.")
