"""Everything that recovery keeps of a customer, for whoever asks what is known of them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.exports import as_lines
from services.recovery import store
from services.recovery.store import Filter

MOST: int = 10_000


async def is_known(engine: AsyncEngine, customer: UUID) -> bool:
    """Whether there ever was a case of this customer."""
    return bool(await store.page(engine, Filter(customer=customer), None, 1))


def lines(engine: AsyncEngine, customer: UUID) -> AsyncIterator[bytes]:
    """The export, line by line."""
    return as_lines("recovery", {"customer": customer}, {"case": ("their cases, and every act in them", _cases(engine, customer))})


async def _cases(engine: AsyncEngine, customer: UUID) -> AsyncIterator[dict[str, Any]]:
    for stored in await store.page(engine, Filter(customer=customer), None, MOST):
        found = await store.case_with_trail(engine, stored.case.id)
        if found is not None:
            case, trail = found[0].case, found[1]
            yield {
                "case": case.id, "state": case.state, "severity": case.severity, "opened_at": case.opened_at,
                "failures": [{"promise": each.promise, "what": each.what, "broken_at": each.broken_at} for each in case.failures.values()],
                "owed": [{"kind": kind, "what": each.what, "due": each.due, "state": each.state} for kind, each in case.owed()],
                "acts": [{"kind": each.happened.kind, "at": each.happened.at, "words": dict(each.happened.payload)} for each in trail],
            }  # fmt: skip
