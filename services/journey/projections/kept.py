"""What is kept of all customers, where documents ask for it, and how much of it is still to be made."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.projections.measuring import Indicators
from services.journey.projections.pictures import Pictures
from services.journey.projections.projector import Projection
from services.journey.store import projections

PROJECTIONS: Final[tuple[Projection, ...]] = (Pictures(), Indicators())


async def waiting(engine: AsyncEngine) -> dict[str, int]:
    """How many events and packs of facts each is still to read, whose pictures are to be made anew, and erasures under way."""
    found: dict[str, int] = {}
    async with projections.looking(engine) as tx:
        reached = await projections.reached(tx.driver)
        for each in PROJECTIONS:
            if await each.wanted(tx):
                pointers = await projections.pointers(tx, each.name)
                found[each.name] = sum(
                    [await projections.behind(tx, lane, pointers.get(lane, 0), end) for lane, end in reached.lanes.items()]
                )
        found |= await projections.unfinished(tx)
    return found
