"""Who sent a webhook: an HMAC-SHA256 over its body, and where the sender has it so, over when it was sent.

What is compared is compared in constant time, and what was wrong is never told to whoever sent it.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

MOST_SIGNATURES: Final = 10
"""In one header: a sender that changes its secret signs with both for a while."""
_DIGITS: Final = 12


class BadSignatureError(Exception):
    """The signature is missing, or is not that of this body under this feed's secret."""


class TooOldError(Exception):
    """It was signed too long ago, or ahead of our clock: send it anew, and see to the clocks."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How a product signs what it sends."""

    header: str
    """In lower case."""
    secrets: tuple[str, ...]
    """Environment variables that hold a secret; any of them may have signed."""
    prefix: str = ""
    base64: bool = False
    signed: str = "{body}"
    """What is signed, with `{body}` and `{timestamp}` in it."""
    timestamp: str | None = None
    """The header with the seconds since 1970 at which it was signed."""
    listed: bool = False
    """The header holds `t=...,v1=...`: the time of signing and the signatures."""
    tolerance: float = 300.0
    """Seconds that the time of signing may be away from ours."""

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[bytes], now: float) -> None:
        """Raise unless one of these secrets signed the body; `headers` in lower case, `now` in seconds since 1970."""
        timestamp, given = self._given(headers)
        said = self._said(body, timestamp)
        found = False
        for secret in secrets:
            digest = hmac.new(secret, said, sha256)
            right = b64encode(digest.digest()) if self.base64 else digest.hexdigest().encode()
            for each in given:
                found |= hmac.compare_digest(right, each)
        if not found:
            raise BadSignatureError(BadSignatureError.__doc__)
        if timestamp and abs(now - int(timestamp)) > self.tolerance:
            raise TooOldError(TooOldError.__doc__)

    def _given(self, headers: Mapping[str, str]) -> tuple[str, list[bytes]]:
        header = headers.get(self.header, "")
        if self.listed:
            parts = [each.strip().partition("=") for each in header.split(",")]
            timestamp = next((value for name, _, value in parts if name == "t"), "")
            given = [value for name, _, value in parts if name == "v1"]
        else:
            timestamp = headers.get(self.timestamp, "") if self.timestamp else ""
            given = [header.removeprefix(self.prefix)] if header.startswith(self.prefix) else []
        if (self.listed or self.timestamp) and not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _DIGITS):
            raise BadSignatureError(BadSignatureError.__doc__)
        return timestamp, [each.encode("utf-8", "replace") for each in given[:MOST_SIGNATURES]]

    def _said(self, body: bytes, timestamp: str) -> bytes:
        before, _, after = self.signed.partition("{body}")
        return before.replace("{timestamp}", timestamp).encode() + body + after.replace("{timestamp}", timestamp).encode()


def github(secrets: tuple[str, ...], tolerance: float) -> Signature:
    """As GitHub signs."""
    return Signature("x-hub-signature-256", secrets, prefix="sha256=", tolerance=tolerance)


def stripe(secrets: tuple[str, ...], tolerance: float) -> Signature:
    """As Stripe signs."""
    return Signature("stripe-signature", secrets, signed="{timestamp}.{body}", listed=True, tolerance=tolerance)


def shopify(secrets: tuple[str, ...], tolerance: float) -> Signature:
    """As Shopify signs."""
    return Signature("x-shopify-hmac-sha256", secrets, base64=True, tolerance=tolerance)


KNOWN: Final = {"github": github, "stripe": stripe, "shopify": shopify}
