"""Everything that journey keeps of a customer, under all keys of that person, for whoever asks what is known of them.

What was sensed of a customer and is to be handled with discretion is never part of it: whatever keeps such things leaves them out
by not being one of `PARTS`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.exports import AsRecords, as_lines
from services.journey.store import export as store

Part = Callable[[AsyncEngine, Sequence[UUID]], AsRecords]
PARTS: Final[Mapping[str, tuple[str, Part]]] = {
    "customer": ("the keys of the person, and since when each is known", store.customers),
    "identifier": ("the names under which systems know them", store.identifiers),
    "attribute": ("what systems have described of them", store.attributes),
    "touchpoint": ("what happened, as it was sent, by arrival", store.touchpoints),
    "fact": ("what promises and recovery said of it", store.facts),
    "conflict": ("events that name somebody else beside them", store.conflicts),
    "quarantine": ("records that name them and could not be taken", store.refused),
}
"""What there is to tell, by name; a part that is added here is in every export."""


async def is_known(engine: AsyncEngine, customer: UUID) -> bool:
    """Whether there is such a customer."""
    return bool(await store.keys_of(engine, customer))


async def lines(engine: AsyncEngine, customer: UUID) -> AsyncIterator[bytes]:
    """The export, line by line."""
    keys = await store.keys_of(engine, customer)
    parts: dict[str, tuple[str, AsRecords]] = {name: (meaning, part(engine, keys)) for name, (meaning, part) in PARTS.items()}
    about: dict[str, Any] = {"customer": customer, "keys": keys}
    async for line in as_lines("journey", about, parts):
        yield line
