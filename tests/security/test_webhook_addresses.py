"""No webhook reaches a network of our own, by whatever name: a listener on this machine hears nothing of any of them."""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import httpx2
import pytest

from services.recovery.telling import hooks
from services.recovery.telling.hooks import ForbiddenAddressError
from tests.security.names import listening, naming

PUBLIC = "93.184.215.14"
OURS = (
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1",
    "fc00::1", "fd00::1", "fd12:3456:789a::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "5f00::1", "3fff::1",
)  # fmt: skip
"""Addresses of ourselves, of networks nearby, of none at all, and such in which another one hides."""
SPELT = (
    "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0x0", "00000177.1", "127.0.0.1.",
    "localhost", "localhost.", "LOCALHOST", "localhost.localdomain", "ip6-localhost", "%31%32%37.0.0.1", "127.0.0.1%00.example.org",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "[::1%25lo]", "[fe80::1%25eth0]",
)  # fmt: skip
"""Loopback in the spellings that some reader of addresses takes for it."""
MISREAD = (
    "https://example.org@127.0.0.1/", "https://127.0.0.1:80@example.org/", "https://example.org:@127.0.0.1/", "https://@127.0.0.1/",
    "https://example.org\\@127.0.0.1/", "https://127.0.0.1\\@example.org/", "https://example.org#@127.0.0.1/", "https://127.0.0.1#.example.org",
    "https:127.0.0.1/", "https:/127.0.0.1/", "https:///127.0.0.1/", "https://127.0.0.1:443:80/", "https://127.0.0.1:99999/", "//127.0.0.1/",
    "http://example.org/", "ftp://example.org/", "gopher://127.0.0.1:6379/_x", "file:///etc/passwd", "HTTP://127.0.0.1/", "unix:///run/x",
    "https://exam ple.org/", "https://127.0.0.1\t.example.org/", "https://127.0.0.1\r\nhost: x/", "https://", "https://:443/", "https://[::1/",
)  # fmt: skip
"""What one reader of addresses takes for one place and the next for another, and what is no https at all."""


@pytest.fixture
async def canary() -> AsyncIterator[tuple[int, list[bytes]]]:
    async with listening(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as found:
        yield found


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """As the process that tells makes it."""
    async with httpx2.AsyncClient(follow_redirects=False, timeout=2, trust_env=False) as client:
        yield client


async def refuse(client: httpx2.AsyncClient, url: str) -> None:
    with pytest.raises((ForbiddenAddressError, OSError, httpx2.InvalidURL, UnicodeError)):
        await hooks.post(client, url, b"secret", {}, loopback=False)


def with_port(host: str, port: int) -> str:
    return f"https://[{host}]:{port}/" if ":" in host and not host.startswith("[") else f"https://{host}:{port}/"


@pytest.mark.parametrize("address", OURS)
async def test_no_address_of_ours_is_taken_as_it_is_nor_behind_a_name(address: str, client: httpx2.AsyncClient) -> None:
    with pytest.raises(ForbiddenAddressError):
        hooks.require_shape(with_port(address, 443), loopback=False)
    async with naming({"hooks.example.org": [[address]], "among.example.org": [[PUBLIC, address]]}) as server:
        for name in ("hooks.example.org", "among.example.org"):
            with pytest.raises(ForbiddenAddressError):
                await hooks.post(client, f"https://{name}/", b"", {}, loopback=False, look_up=server.look_up)


async def test_nothing_is_heard_on_this_machine_whatever_it_is_called(canary: tuple[int, list[bytes]], client: httpx2.AsyncClient) -> None:
    """Breaks where an address is judged by how it is written and not by where it leads."""
    port, heard = canary
    for host in (*OURS, *SPELT):
        await refuse(client, with_port(host, port))
    for url in MISREAD:
        await refuse(client, url)
        await refuse(client, url.replace("127.0.0.1", f"127.0.0.1:{port}", 1))
    assert heard == []


async def test_a_name_that_changes_its_mind_is_asked_once_and_followed_to_what_was_checked(
    canary: tuple[int, list[bytes]], client: httpx2.AsyncClient
) -> None:
    """Breaks if the name were looked up again between the check and the connection (DNS rebinding)."""
    port, heard = canary
    went: list[tuple[str, str, object]] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        went.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        return httpx2.Response(200)

    # first a public address and no other; from then on this machine
    async with naming({"rebind.example.org": [[PUBLIC], [], ["127.0.0.1"]]}) as server:
        url = f"https://rebind.example.org:{port}/told"
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(take)) as recording:
            await hooks.post(recording, url, b"{}", {}, loopback=False, look_up=server.look_up)
        assert went == [(PUBLIC, f"rebind.example.org:{port}", "rebind.example.org")]
        assert server.asked == ["rebind.example.org"] * 2, "once for each kind of address, and never again"
        with pytest.raises(ForbiddenAddressError):
            await hooks.post(client, url, b"{}", {}, loopback=False, look_up=server.look_up)
    assert heard == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_this_machine_is_not_followed(status: int, canary: tuple[int, list[bytes]], client: httpx2.AsyncClient) -> None:
    port, heard = canary
    redirect = f"HTTP/1.1 {status} Elsewhere\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\nrefresh: 0\r\n\r\n"
    async with listening(redirect.encode()) as (outside, told):
        with pytest.raises(ConnectionError, match=str(status)):
            await hooks.post(client, f"http://127.0.0.1:{outside}/", b"{}", {}, loopback=True)
    assert (len(told), heard) == (1, [])


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:830::200e"])
def test_public_addresses_are_taken(address: str) -> None:
    hooks.require_shape(with_port(str(ip_address(address)), 443), loopback=False)


def test_this_machine_itself_is_taken_where_that_was_asked_for_and_nothing_else() -> None:
    hooks.require_shape("http://127.0.0.1:80/", loopback=True)
    hooks.require_shape("http://[::1]:80/", loopback=True)
    for each in ("http://10.0.0.1/", "http://169.254.169.254/", "https://192.168.0.1/", f"http://{PUBLIC}/"):
        with pytest.raises(ForbiddenAddressError):
            hooks.require_shape(each, loopback=True)
