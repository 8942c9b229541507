"""Pages of the timeline of a customer of 10,000 events, among ten times as many of others; beside them the same rows by bare SQL.

Everything has come through the running system: the customer's facts lie scattered over the packs in which they came.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import psutil

from bench import stack
from bench.counters import TOUCHPOINTS
from bench.latency import quantile
from bench.stack import Say
from deploy.local.state import State
from services.chassis.instants import text_of
from services.chassis.relay import CONTENT_TYPE, Outgoing, Relay
from services.chassis.settings import Settings
from services.cli.answers import key_of
from services.cli.client import Client
from services.cli.rest import Rest

EVENTS: Final = 10_000
OTHERS: Final = 9
"""Events of others for each of the customer's."""
ROUNDS: Final = 200
LANES: Final = 6
_CHUNK: Final = 5000
_SETTLE_SECONDS: Final = 300.0
_PAGE: Final = 100
_TOUCHPOINTS_PAGE: Final = (
    "SELECT event, time, arrival, body FROM journey.journal WHERE customer = $1 AND NOT copied AND time >= $2 ORDER BY time, event LIMIT $3"
)
_FACTS_PAGE: Final = (
    "SELECT f.*, p.bodies FROM (SELECT * FROM journey.facts WHERE customer = $1 AND time >= $2 ORDER BY time LIMIT $3) f "
    "JOIN journey.packs p USING (topic, partition, position)"
)
_SCATTERED: Final = "SELECT sum(number), count(DISTINCT (topic, partition, position)) FROM journey.facts WHERE customer = $1"


def measure(data: Path, say: Say, *, quick: bool) -> dict[str, Any]:
    """Milliseconds a page takes over HTTP, and reading its rows alone."""
    with stack.fresh(data, say) as running:
        stack.publish(running)
        events = EVENTS // 10 if quick else EVENTS
        say(f"sending {events:,} touchpoints of one customer among {events * OTHERS:,} of others")
        asyncio.run(send(running, list(_history(events))))
        with Client(running) as client:
            asyncio.run(Rest(client, running).wait(_SETTLE_SECONDS))
            customer = key_of(client, "crm:one")
            say("reading pages")
            return asyncio.run(_measured(running, client, customer, events))


def _history(events: int) -> Iterator[bytes]:
    """Orders of one customer and of others, in the order of time: placed, shipped a second later, delivered a second after that."""
    start = datetime.now(UTC) - timedelta(days=20)
    step = timedelta(days=19) / (events * (1 + OTHERS))
    number = 0
    for order in range(events // 3 + 1):
        for other in range(1 + OTHERS):
            whose = "one" if other == 0 else f"{(order * OTHERS + other) % 5000:06}"
            placed = start + number * step
            number += 3
            for seconds, word in enumerate(("placed", "shipped", "delivered")):
                event = {
                    "specversion": "1.0",
                    "id": f"{word}-{order}-{other}",
                    "source": "shop/orders",
                    "type": f"order.{word}",
                    "subject": f"crm:{whose}",
                    "time": text_of(placed + timedelta(seconds=seconds)),
                    "datacontenttype": "application/json",
                    "data": {"order_id": f"o-{order}-{other}", "channel": "web"},
                }
                yield orjson.dumps(event)


async def send(running: State, events: Sequence[bytes]) -> None:
    """Put touchpoints into the front door, spread over all lanes."""
    relay = Relay(Settings(kafka=running.kafka, database=running.database["admin"]))
    for start in range(0, len(events), _CHUNK):
        chunk = events[start : start + _CHUNK]
        await relay.publish([Outgoing(TOUCHPOINTS, place % LANES, None, body, [CONTENT_TYPE]) for place, body in enumerate(chunk)])
    await relay.close()


async def _measured(running: State, client: Client, customer: UUID, events: int) -> dict[str, Any]:
    path = f"/v1/customers/{customer}/timeline"
    cursors = [None, *_cursors(client, path)]
    chance = random.Random(1)  # noqa: S311 - which pages are read must be the same every time

    def asking(**query: Any) -> Callable[[], Awaitable[object]]:
        async def ask() -> object:
            cursor = chance.choice(cursors)
            return client.get("journey", path, **query, **({} if cursor is None else {"cursor": cursor}))

        return ask

    api = psutil.Process(running.pids["journey-api"])
    before = sum(api.cpu_times()[:2])
    found = {"page": await milliseconds(asking())}
    cpu = (sum(api.cpu_times()[:2]) - before) / ROUNDS * 1000
    found |= {
        "nobody": await milliseconds(lambda: asyncio.to_thread(client.get, "journey", "/v1/customers", identifier="nobody")),
        "newest_page": await milliseconds(lambda: asyncio.to_thread(client.get, "journey", path, order="newest")),
        "filtered_page": await milliseconds(asking(type="order.delivered")),
        "broken": await milliseconds(lambda: asyncio.to_thread(client.get, "journey", path, type="makegood.commitment.broken")),
        "ahead": await milliseconds(lambda: asyncio.to_thread(client.get, "journey", path, ahead=True, limit=1)),
    }
    connection = await asyncpg.connect(running.database["admin"])
    try:
        bare = await milliseconds(lambda: _bare(connection, customer, chance))
        facts = await connection.fetchval("SELECT sum(number) FROM journey.facts WHERE customer = $1", customer)
        packs = await connection.fetchval(
            "SELECT count(DISTINCT (topic, partition, position)) FROM journey.facts WHERE customer = $1", customer
        )
    finally:
        await connection.close()
    result: dict[str, Any] = {"events": events, "facts": facts, "packs": packs, "page_cpu_ms": cpu}
    for name, taken in (found | {"bare": bare}).items():
        result |= {f"{name}_p50_ms": quantile(taken, 0.5), f"{name}_p95_ms": quantile(taken, 0.95)}
    return result | {"times_bare": result["page_p95_ms"] / result["bare_p95_ms"]}


def _cursors(client: Client, path: str) -> Iterator[str]:
    """Where every page begins."""
    following = client.get("journey", path, limit=_PAGE)["next"]
    while following is not None:
        yield following
        following = client.get("journey", path, limit=_PAGE, cursor=following)["next"]


async def _bare(connection: asyncpg.Connection, customer: UUID, chance: random.Random) -> None:
    """The rows that a page needs, from a random moment on."""
    since = datetime.now(UTC) - timedelta(days=20) + timedelta(days=19) * chance.random()
    await connection.fetch(_TOUCHPOINTS_PAGE, customer, since, _PAGE + 1)
    await connection.fetch(_FACTS_PAGE, customer, since, _PAGE + 1)


async def milliseconds(once: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> list[float]:
    """How long it takes, so many times."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        await once()
        taken.append((time.perf_counter() - began) * 1000)
    return taken
