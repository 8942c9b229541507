"""What is on its way to people and systems: queued with the act that tells it, claimed by one teller at a time, kept as a log."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Driver, Transaction, driver_of, reading
from services.chassis.preconditions import Expected, Once
from services.recovery.events import Message
from services.recovery.store import CREATED, Answer, create
from services.recovery.store.tables import deliveries, webhooks
from services.recovery.telling import WEBHOOK, Telling

LEASE: Final = timedelta(seconds=60)
"""Nobody else tries what was claimed so long; longer than any attempt takes."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=6)


class Hook(NamedTuple):
    """A system that is told facts."""

    id: UUID
    url: str
    types: Sequence[str]
    secret: bytes
    version: int
    created_at: datetime
    created_by: str


class Claimed(NamedTuple):
    """Something that is this teller's to deliver for the time of a lease."""

    id: UUID
    partition: int
    kind: str
    about: UUID
    case_id: UUID
    target: str
    subject: str
    body: bytes
    attempts: int


class Logged(NamedTuple):
    """One row of the log, without words."""

    id: UUID
    kind: str
    about: UUID
    case_id: UUID
    due: datetime
    state: str
    attempts: int
    settled_at: datetime | None
    reason: str | None


async def queue(tx: Transaction, partition: int, told: Sequence[Telling], facts: Sequence[Message]) -> None:
    """Queue what is told, and these facts for the systems that want them; what is not said after all is taken back."""
    stopped = [each.about for each in told if each.state != "waiting"]
    new = [each for each in told if each.state == "waiting"] + (await _for_hooks(tx.driver, facts) if facts else [])
    if stopped:
        await tx.driver.execute(
            "UPDATE deliveries SET state = 'discarded', settled_at = now() WHERE about = ANY($1::uuid[]) AND state = 'waiting'", stopped
        )
    await tx.copy("deliveries", ["partition", *Telling._fields], [(partition, *each) for each in new])


async def _for_hooks(driver: Driver, facts: Sequence[Message]) -> list[Telling]:
    hooks = await driver.fetch("SELECT id, types FROM webhooks")
    found = []
    for fact in facts if hooks else ():
        event = orjson.loads(fact.body)
        case = event["data"].get("case")
        for identity, types in hooks:
            if case is not None and any(fnmatchcase(event["type"], each) for each in types):
                new = uuid5(identity, event["id"])
                found.append(Telling(new, WEBHOOK, identity, new, UUID(case), fact.customer, "", "", fact.body, fact.at))
    return found


_CLAIM: Final = """
WITH next AS (
    SELECT d.mail FROM deliveries d WHERE d.state = 'waiting' AND d.next_at <= now()
    AND ($2 OR d.kind = 'webhook' OR d.kind = 'notice' AND d.target = ANY($4::text[]))
    AND d.due <= COALESCE($1, (SELECT p.arrival FROM progress p WHERE p.partition = d.partition AND p.topic = 'makegood.promises'))
    ORDER BY d.due LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE deliveries d SET attempts = attempts + 1, next_at = now() + $3 FROM next
WHERE d.mail = next.mail AND d.state = 'waiting' AND d.next_at <= now()
RETURNING d.id, d.partition, d.kind, d.about, d.case_id, d.target, d.subject, d.body, d.attempts
"""


async def claim(engine: AsyncEngine, now: datetime | None, channels: Sequence[str] = (), *, mails: bool) -> list[Claimed]:
    """What is due and goes out together, leased to the caller; `now` is None where the lanes say what time it is.

    Without `mails` only webhooks go out, and notices to these channels.
    """
    async with reading(engine) as connection:
        rows = await (await driver_of(connection)).fetch(_CLAIM, now, mails, LEASE, list(channels))
        return sorted((Claimed(*row) for row in rows), key=lambda each: each.id)


async def settle(driver: Driver, ids: Collection[UUID], state: str, reason: str | None = None) -> None:
    """It went out, or never will."""
    query = "UPDATE deliveries SET state = $2, reason = $3, settled_at = now() WHERE id = ANY($1::uuid[]) AND state = 'waiting'"
    await driver.execute(query, list(ids), state, reason)


async def retry(driver: Driver, ids: Collection[UUID], attempts: int, reason: str) -> None:
    """It could not be delivered; it is tried again, each time later."""
    pause = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    await driver.execute("UPDATE deliveries SET next_at = now() + $2, reason = $3 WHERE id = ANY($1::uuid[])", list(ids), pause, reason)


async def redeliver(engine: AsyncEngine, identity: UUID) -> bool:
    """Deliver what a system was to be told, or a notice, once more from the start; False where there is none such that is settled."""
    change = sa.update(deliveries).where(deliveries.c.id == identity, deliveries.c.kind != "message", deliveries.c.state != "waiting")
    values = {"state": "waiting", "attempts": 0, "next_at": sa.func.now(), "settled_at": None}
    async with engine.begin() as connection:
        return (await connection.execute(change.values(values).returning(deliveries.c.id))).first() is not None


async def log(engine: AsyncEngine, chosen: dict[str, Any], after: tuple[datetime, UUID] | None, limit: int) -> list[Logged]:
    """What was and is to be delivered, the latest due first, behind a place."""
    order = (deliveries.c.due, deliveries.c.id)
    query = sa.select(*(deliveries.c[name] for name in Logged._fields)).order_by(*(each.desc() for each in order)).limit(limit)
    for name, value in chosen.items():
        query = query if value is None else query.where(deliveries.c[name] == value)
    if after is not None:
        query = query.where(sa.tuple_(*order) < sa.tuple_(*after, types=[each.type for each in order]))
    async with engine.connect() as connection:
        return [Logged(*row) for row in await connection.execute(query)]


class Written(NamedTuple):
    """One delivery with its words."""

    id: UUID
    kind: str
    case_id: UUID
    target: str
    subject: str
    body: bytes
    due: datetime
    state: str
    settled_at: datetime | None


async def of_customer(engine: AsyncEngine, customer: UUID, after: tuple[datetime, UUID] | None, limit: int) -> list[Written]:
    """What was and is to be told of a customer, to them and to others, the latest due first, behind a place."""
    order = (deliveries.c.due, deliveries.c.id)
    query = sa.select(*(deliveries.c[name] for name in Written._fields)).where(deliveries.c.customer == customer)
    if after is not None:
        query = query.where(sa.tuple_(*order) < sa.tuple_(*after, types=[each.type for each in order]))
    async with engine.connect() as connection:
        found = await connection.execute(query.order_by(*(each.desc() for each in order)).limit(limit))
        return [Written(*row) for row in found]


async def hooks(engine: AsyncEngine, after: tuple[datetime, UUID] | None, limit: int) -> list[Hook]:
    """Systems that are told facts, the oldest first, behind a place."""
    order = (webhooks.c.created_at, webhooks.c.id)
    query = sa.select(webhooks).order_by(*order).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after, types=[each.type for each in order]))
    async with engine.connect() as connection:
        return [Hook(*row) for row in await connection.execute(query)]


async def hook(engine: AsyncEngine, identity: UUID) -> Hook | None:
    """One system that is told facts, or None."""
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(webhooks).where(webhooks.c.id == identity))).one_or_none()
        return Hook(*row) if row else None


async def add_hook(engine: AsyncEngine, once: Once, hook: Hook, body: bytes) -> Answer:
    """Tell a system from now on, answered with `body`; the same creation again changes nothing."""

    async def make(connection: AsyncConnection) -> Answer:
        await connection.execute(webhooks.insert(), hook._asdict())
        return Answer(b"", CREATED, hook.version, body)

    return await create(engine, once, make)


async def change_hook(engine: AsyncEngine, identity: UUID, seen: Expected, url: str, types: Sequence[str]) -> Hook | None:
    """Tell a system elsewhere, or of other facts; None where there is none such."""
    async with engine.begin() as connection:
        version = await _seen(connection, identity, seen)
        if version is None:
            return None
        changed = sa.update(webhooks).where(webhooks.c.id == identity).values(url=url, types=list(types), version=version + 1)
        return Hook(*(await connection.execute(changed.returning(webhooks))).one())


async def remove_hook(engine: AsyncEngine, identity: UUID, seen: Expected) -> bool:
    """Tell a system no longer, nor what was on its way; False where there is none such."""
    async with engine.begin() as connection:
        if await _seen(connection, identity, seen) is None:
            return False
        await connection.execute(sa.delete(webhooks).where(webhooks.c.id == identity))
        waiting = sa.update(deliveries).where(deliveries.c.about == identity, deliveries.c.state == "waiting")
        await connection.execute(waiting.values(state="discarded", settled_at=sa.func.now()))
        return True


async def _seen(connection: AsyncConnection, identity: UUID, seen: Expected) -> int | None:
    """The version that stands, which is to be one of those seen; None where there is no such system."""
    query = sa.select(webhooks.c.version).where(webhooks.c.id == identity).with_for_update()
    version: int | None = await connection.scalar(query)
    if version is not None:
        seen.require(version)
    return version


async def forget(tx: Transaction, customer: UUID, impersonal: Callable[[bytes], bytes]) -> None:
    """Empty what was written to a customer, and take what may be personal out of what systems were told; nothing waits any more."""
    rows = await tx.driver.fetch("SELECT id, kind, body FROM deliveries WHERE customer = $1", customer)
    for identity, kind, body in rows:
        kept = impersonal(body) if kind == WEBHOOK else b""
        await tx.driver.execute("UPDATE deliveries SET target = '', subject = '', body = $2 WHERE id = $1", identity, kept)
    query = "UPDATE deliveries SET state = 'discarded', settled_at = now() WHERE customer = $1 AND state = 'waiting' AND kind <> 'webhook'"
    await tx.driver.execute(query, customer)
