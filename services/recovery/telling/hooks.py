"""Signed webhooks, as Standard Webhooks says (standardwebhooks.com), to systems outside; never to an address of our own network."""

import asyncio
import hmac
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import httpx2

from services.recovery.telling.mail import RefusedForGoodError

SECRET_BYTES: Final = 32
TIMEOUT_SECONDS: Final = 15.0
_GONE: Final = 410
_ROUTED: Final = ip_network("2000::/3")
"""What of IPv6 is given out; the rest is local, or holds an address of IPv4."""
_NEVER: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16", "3fff::/20")))
"""Tunnels, and what older releases of Python take for public (IANA, special-purpose address registries)."""
LookUp = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host; asked once for each delivery, so that no second answer can lead elsewhere."""


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
    if any(each in url for each in "\\\t\r\n "):  # what reads addresses in more than one way
        raise ForbiddenAddressError(ForbiddenAddressError.__doc__)
    schemes = {"https", "http"} if loopback else {"https"}
    if where.scheme not in schemes or not host or where.username is not None or where.fragment:
        raise ForbiddenAddressError(ForbiddenAddressError.__doc__)
    try:
        literal = ip_address(host)
    except ValueError:
        return
    _require_allowed(literal, where.scheme, loopback=loopback)


def _require_allowed(address: IPv4Address | IPv6Address, scheme: str, *, loopback: bool) -> None:
    if loopback and address.is_loopback:
        return
    if scheme != "https" or not address.is_global or address.is_multicast or address.is_reserved or not _is_plain(address):
        raise ForbiddenAddressError(ForbiddenAddressError.__doc__)


def _is_plain(address: IPv4Address | IPv6Address) -> bool:
    """Whether no other address hides in it: those of a translator or a tunnel may lead back into a network of our own."""
    routed = isinstance(address, IPv4Address) or address in _ROUTED
    return routed and not any(address in each for each in _NEVER)


async def looked_up(host: str, port: int) -> list[str]:
    """The addresses that this machine finds under a name; raises `OSError` where there is none."""
    return [str(each[4][0]) for each in await asyncio.get_running_loop().getaddrinfo(host, port)]


async def post(
    client: httpx2.AsyncClient, url: str, body: bytes, signed: dict[str, str], *, loopback: bool, look_up: LookUp = looked_up
) -> None:
    """Send a webhook to the address that was checked, whatever its name leads to a moment later; no redirect is followed.

    Raises `RefusedForGoodError`, or `OSError` of what may pass.
    """
    require_shape(url, loopback=loopback)
    where = httpx2.URL(url)
    addresses = [ip_address(each) for each in await look_up(where.host, where.port or (443 if where.scheme == "https" else 80))]
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
