"""A TCP proxy between a service and a server that does what networks do: waits, falls silent, cuts, loses answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

CHUNK: Final = 65_536
Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]
"""To the server, and back to the client."""


class Proxy:
    """What stands before one port of this machine; what it does can be changed at any moment."""

    def __init__(self, target: int) -> None:
        """A proxy that hands everything on as it comes."""
        self.target, self.port = target, 0
        self.delay = 0.0
        """Seconds that everything takes, each way."""
        self.deaf = False
        """What the server answers is thrown away."""
        self.loses: Callable[[bytes], bool] | None = None
        """What is asked so that the answer is lost: once the server has answered, the connection is cut."""
        self.lost = 0
        """How many answers were lost so."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._left: int | None = None
        self._open: set[Pair] = set()
        self._losing: set[Pair] = set()

    def silence(self) -> None:
        """Accept connections and hand on nothing: both sides believe that they are connected."""
        self._flows.clear()

    def heal(self) -> None:
        """Hand everything on again; what was silent is cut, as it would be in the end."""
        self.delay, self.deaf, self.loses, self._left = 0.0, False, None, None
        self.cut()
        self._flows.set()

    def cut(self, after: int = 0) -> None:
        """Cut all connections: now, or once so many more bytes went to the server, in the middle of whatever they are."""
        if after:
            self._left = after
            return
        for pair in list(self._open):
            _abort(pair)

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Hand on what one client says, and what it is answered."""
        with suppress(OSError):
            server, forth = await asyncio.open_connection("127.0.0.1", self.target)
            self._open.add(pair := (forth, back))
            ways = [asyncio.create_task(self._forth(client, pair)), asyncio.create_task(self._back(server, pair))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._open.discard(pair)
                self._losing.discard(pair)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                _abort(pair)

    async def _forth(self, client: asyncio.StreamReader, pair: Pair) -> None:
        while data := await client.read(CHUNK):
            await self._under_way()
            if self.loses is not None and self.loses(data):
                self._losing.add(pair)
            if self._left is not None:
                data, self._left = data[: self._left], self._left - len(data)
            pair[0].write(data)
            await pair[0].drain()
            if self._left is not None and self._left <= 0:
                self._left = None
                self.cut()

    async def _back(self, server: asyncio.StreamReader, pair: Pair) -> None:
        while data := await server.read(CHUNK):
            await self._under_way()
            if pair in self._losing:
                self.lost += 1
                return
            if not self.deaf:
                pair[1].write(data)
                await pair[1].drain()

    async def _under_way(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._flows.wait()


def _abort(pair: Pair) -> None:
    for writer in pair:
        writer.transport.abort()


@asynccontextmanager
async def before(port: int) -> AsyncIterator[Proxy]:
    """A proxy before a port, for the length of the block; its own is `port`."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.heal()
