"""Signed webhooks, as Standard Webhooks says (standardwebhooks.com), to systems outside; never to an address of our own network."""

import asyncio
import hmac
import secrets
from base64 import b64encode
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx2

from services.recovery.telling.mail import RefusedForGoodError

SECRET_BYTES: Final = 32
TIMEOUT_SECONDS: Final = 15.0
_GONE: Final = 410


class ForbiddenAddressError(RefusedForGoodError):
    """A webhook goes to a public https address, and to no address of a network of our own."""


def new_secret() -> bytes:
    """A secret that nobody guesses."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as it is told to whoever registers a webhook."""
    return f"whsec_{b64encode(secret).decode()}"


def headers(identity: str, seconds: int, body: bytes, secret: bytes) -> dict[str, str]:
    """The headers of a webhook: its id, which is the same when it is sent again, when it was signed, and the signature."""
    signature = b64encode(hmac.new(secret, f"{identity}.{seconds}.".encode() + body, sha256).digest()).decode()
    return {"webhook-id": identity, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def require_shape(url: str, *, loopback: bool) -> None:
    """Raise `ForbiddenAddressError` where a URL cannot be one that webhooks go to, before its name is looked up."""
    try:
        where = urlsplit(url)
        host, _ = where.hostname, where.port
    except ValueError:
        raise ForbiddenAddressError(ForbiddenAddressError.__doc__) from None
    schemes = {"https", "http"} if loopback else {"https"}
    if where.scheme not in schemes or not host or where.username is not None or where.fragment:
        raise ForbiddenAddressError(ForbiddenAddressError.__doc__)
    try:
        literal = ip_address(host)
    except ValueError:
        return
    _require_allowed(literal, where.scheme, loopback=loopback)


def _require_allowed(address: IPv4Address | IPv6Address, scheme: str, *, loopback: bool) -> None:
    inner = address.ipv4_mapped or address.sixtofour if isinstance(address, IPv6Address) else None
    seen = inner or address
    if loopback and seen.is_loopback:
        return
    if not seen.is_global or seen.is_multicast or scheme != "https":
        raise ForbiddenAddressError(ForbiddenAddressError.__doc__)


async def post(client: httpx2.AsyncClient, url: str, body: bytes, signed: dict[str, str], *, loopback: bool) -> None:
    """Send a webhook to the address that was checked, whatever its name leads to a moment later; no redirect is followed.

    Raises `RefusedForGoodError`, or `OSError` of what may pass.
    """
    require_shape(url, loopback=loopback)
    where = httpx2.URL(url)
    found = await asyncio.get_running_loop().getaddrinfo(where.host, where.port or (443 if where.scheme == "https" else 80))
    addresses = [ip_address(each[4][0]) for each in found]
    for each in addresses:
        _require_allowed(each, where.scheme, loopback=loopback)
    sent = {"content-type": "application/cloudevents+json", "host": where.netloc.decode()} | signed
    request = client.build_request(
        "POST", where.copy_with(host=str(addresses[0])), content=body, headers=sent, extensions={"sni_hostname": where.host}
    )
    try:
        response = await client.send(request, stream=True)
        await response.aclose()
    except httpx2.HTTPError as error:
        raise ConnectionError(type(error).__name__) from error
    if not response.is_success:
        message = f"it answered {response.status_code}"
        raise (RefusedForGoodError if response.status_code == _GONE else ConnectionError)(message)
