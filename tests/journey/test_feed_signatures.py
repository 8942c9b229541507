"""Signatures of webhooks as products make them: the right one passes; wrong, old, cut, moved and missing ones do not."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.journey.feeds.signatures import BadSignatureError, Signature, TooOldError, github, shopify, stripe

NOW = 1_772_366_400.0
BODY, SECRET = b'{"id": "evt_1"}', b"s3cret"
OWN = Signature("x-sign", ("A",), prefix="v0=", signed="v0:{timestamp}:{body}", timestamp="x-time")


def digest(said: bytes, secret: bytes = SECRET) -> bytes:
    return hmac.new(secret, said, hashlib.sha256).digest()


def headers_of(kind: str, body: bytes = BODY, at: float = NOW, secret: bytes = SECRET) -> dict[str, str]:
    """As the products' own documentation says."""
    stamp = str(int(at))
    match kind:
        case "github":
            return {"x-hub-signature-256": "sha256=" + digest(body, secret).hex()}
        case "shopify":
            return {"x-shopify-hmac-sha256": base64.b64encode(digest(body, secret)).decode()}
        case "stripe":
            return {"stripe-signature": f"t={stamp},v0=other,v1={digest(stamp.encode() + b'.' + body, secret).hex()}"}
    return {"x-time": stamp, "x-sign": "v0=" + digest(b"v0:" + stamp.encode() + b":" + body, secret).hex()}


KINDS = {"github": github(("A",), 300), "shopify": shopify(("A",), 300), "stripe": stripe(("A",), 300), "own": OWN}
STAMPED = ["stripe", "own"]


def verify(kind: str, headers: Mapping[str, str], body: bytes = BODY, now: float = NOW) -> None:
    KINDS[kind].verify(body, headers, [b"old", SECRET], now)


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_signature_passes_also_while_the_secret_is_changed(kind: str) -> None:
    verify(kind, headers_of(kind))


def test_a_signature_as_github_documents_it() -> None:
    """The example of their documentation: secret and payload, and what comes of them."""
    given = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    KINDS["github"].verify(b"Hello, World!", given, [b"It's a Secret to Everybody"], NOW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", ["secret", "body", "missing", "empty", "cut", "other"])
def test_what_is_not_signed_so_is_refused(kind: str, wrong: str) -> None:
    headers = headers_of(kind, secret=b"another" if wrong == "secret" else SECRET)
    name = KINDS[kind].header
    headers[name] = {"empty": "", "cut": headers[name][:-2], "other": "sha256=\xff"}.get(wrong, headers[name])
    if wrong == "missing":
        del headers[name]
    with pytest.raises(BadSignatureError):
        verify(kind, headers, BODY + b" " if wrong == "body" else BODY)


@pytest.mark.parametrize("kind", STAMPED)
@pytest.mark.parametrize("off", [-301, 301, -86_400])
def test_what_was_signed_too_long_ago_or_ahead_of_our_clock_is_refused(kind: str, off: int) -> None:
    verify(kind, headers_of(kind, at=NOW + off / abs(off) * 299))
    with pytest.raises(TooOldError):
        verify(kind, headers_of(kind, at=NOW + off))


@pytest.mark.parametrize("kind", STAMPED)
def test_a_time_of_signing_cannot_be_written_over(kind: str) -> None:
    """Breaks if the time were not part of what is signed: an old request could be sent again for ever."""
    headers = {name: text.replace(str(int(NOW)), str(int(NOW) + 1000)) for name, text in headers_of(kind).items()}
    with pytest.raises(BadSignatureError):
        verify(kind, headers, now=NOW + 1000)


@pytest.mark.parametrize("stamp", ["", "1e9", "-5", "9" * 50, "\u0661\u0662", "1772366400.0", " 1772366400"])
def test_an_odd_time_of_signing_is_refused(stamp: str) -> None:
    with pytest.raises(BadSignatureError):
        verify("own", headers_of("own") | {"x-time": stamp})


@given(kind=some.sampled_from(list(KINDS)), header=some.text(max_size=300), stamp=some.text(max_size=20), body=some.binary(max_size=50))
def test_nothing_that_is_sent_raises_anything_else_or_passes(kind: str, header: str, stamp: str, body: bytes) -> None:
    with pytest.raises((BadSignatureError, TooOldError)):
        verify(kind, {KINDS[kind].header: header, "x-time": stamp}, body)
