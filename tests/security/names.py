"""A name server of the tests' own, and a listener that must hear nothing."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import count
from typing import Any

A, AAAA, IN = 1, 28, 1
NUMBERS = count(1)


class NameServer(asyncio.DatagramProtocol):
    """Answers each question about a name with the next of its answers, and the last one from then on (RFC 1035)."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers, self.asked = answers, list[str]()
        self.transport: Any = None
        self.address = ("127.0.0.1", 0)

    def connection_made(self, transport: Any) -> None:
        self.transport, self.address = transport, transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, address: Any) -> None:
        name, end = _name(data, 12)
        (kind,) = struct.unpack_from("!H", data, end)
        self.asked.append(name)
        said = self.answers.get(name, [[]])
        addresses = [ip_address(each) for each in (said.pop(0) if len(said) > 1 else said[0])]
        fitting = [each.packed for each in addresses if kind == (A if each.version == 4 else AAAA)]
        records = b"".join(struct.pack("!HHHIH", 0xC00C, kind, IN, 0, len(each)) + each for each in fitting)
        head = data[:2] + struct.pack("!HHHHH", 0x8180, 1, len(fitting), 0, 0)
        self.transport.sendto(head + data[12 : end + 4] + records, address)

    async def look_up(self, host: str, _port: int) -> list[str]:
        """What a program is told that asks this server for the addresses of a host."""
        found = [each for kind in (A, AAAA) for each in await self._ask(host, kind)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return found

    async def _ask(self, host: str, kind: int) -> list[str]:
        loop = asyncio.get_running_loop()
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asking.setblocking(False)
        number = next(NUMBERS)
        labels = b"".join(bytes([len(each)]) + each.encode() for each in host.rstrip(".").split("."))
        try:
            await loop.sock_connect(asking, self.address)
            question = struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, IN)
            await loop.sock_sendall(asking, question)
            answer = await asyncio.wait_for(loop.sock_recv(asking, 4096), 10)
        finally:
            asking.close()
        (number_of_answers,) = struct.unpack_from("!H", answer, 6)
        at, found = len(question), []
        for _ in range(number_of_answers):
            (size,) = struct.unpack_from("!H", answer, at + 10)
            found.append(str(ip_address(answer[at + 12 : at + 12 + size])))
            at += 12 + size
        return found


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), at + 1


@asynccontextmanager
async def naming(answers: dict[str, list[list[str]]]) -> AsyncIterator[NameServer]:
    """A name server on a port of loopback."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(lambda: NameServer(answers), ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()


@asynccontextmanager
async def listening(answer: bytes = b"") -> AsyncIterator[tuple[int, list[bytes]]]:
    """Whoever connects to this port of the machine itself, by any address of it, is heard."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(hear, None, 0, family=socket.AF_INET)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await server.wait_closed()
