"""Who is whom, as trusted sources say it, and what journey has made of it."""

from datetime import datetime, timedelta

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.store import documents
from tests.driving import NOON, rows, touchpoint

CRM = "company/crm"


async def trust(engine: AsyncEngine, source: str = CRM) -> None:
    """Declare a source that may say who is whom."""
    spec = {"source": source, "heartbeat": "1 day", "trusted": True}
    document = {"apiVersion": "makegood/v1", "kind": "Source", "metadata": {"name": "crm"}, "spec": spec}
    await documents.publish_source(engine, source, orjson.dumps(document), "ana", NOON)


def say(id_: str, kind: str, subject: str, *others: str, source: str = CRM, time: datetime = NOON) -> bytes:
    """A statement: `linked`, `merged` or `unmerged`."""
    data = {"identifiers": list(others)}
    return touchpoint(id_, f"customer.{kind}", source=source, subject=subject, time=time.isoformat(), data=data)


def after(minutes: float) -> datetime:
    """So many minutes before noon, backwards: later things are nearer to it."""
    return NOON - timedelta(hours=1) + timedelta(minutes=minutes)


async def evidence(engine: AsyncEngine) -> dict[str, set[str]]:
    """What each customer has in the end: own events, and of evidence what was not taken back since; fails on what comes twice."""
    found: dict[str, set[str]] = {}
    own: set[str] = set()
    standing: dict[tuple[str, str], tuple[int, bool]] = {}
    for _, _, body in await rows(engine, "journal", "lane, lpad(ordinal::text, 9, '0'), body"):
        event = orjson.loads(body)
        if event["type"].startswith("makegood.source."):
            continue
        customer, id_ = event["customer"], event["id"]
        found.setdefault(customer, set())
        if not event.get("evidenceonly"):
            assert id_ not in own, f"{id_} is attributed twice"
            own.add(id_)
            found[customer].add(id_)
            continue
        number, there = event.get("kinship", 0), not event.get("retracted", False)
        before = standing.get((customer, id_))
        assert before != (number, there), f"{id_} is told twice to {customer}"
        if before is None or before[0] < number:
            standing[customer, id_] = number, there
    for (customer, id_), (_, there) in standing.items():
        assert id_ not in found[customer], f"{id_} is a customer's own, and evidence beside it"
        if there:
            found[customer].add(id_)
    return found
