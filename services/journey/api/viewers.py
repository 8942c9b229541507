"""Who looks at what was sensed of a customer: a principal, as discretion sees them; and what of it they are shown."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.access import Principal
from services.journey.picture.agreed import Agreed, is_sensed
from services.journey.picture.discretion import Viewer, may_see
from services.journey.store import picture, projections
from services.journey.store.timeline import Entry


def viewer_of(who: Principal) -> Viewer:
    """The subject and the teams of a token."""
    return Viewer(who.subject, who.teams)


async def shown_to(engine: AsyncEngine, customer: UUID, viewer: Viewer, entries: Sequence[Entry]) -> list[Entry]:
    """What a viewer may see of a customer's entries: what is not discreet towards them, and of what was sensed what the customer agrees to.

    What names something of which they may not know is without that name.
    Nothing more is read where none of them was sensed.
    """
    seen = [each for each in entries if may_see(viewer, each.body or {})]
    if not any(is_sensed(each.body) for each in seen):
        return seen
    async with engine.connect() as connection:
        agreed = Agreed(await picture.sensed(connection, customer), await projections.present(connection))
    return [
        each if each.body is None else each._replace(body=agreed.as_shown(each.body, viewer))
        for each in seen
        if agreed.may_use(each.body or {})
    ]


async def shown_of_all(engine: AsyncEngine, viewer: Viewer, entries: Sequence[Entry]) -> list[Entry]:
    """The same of entries of many customers, in their order."""
    by_customer: dict[UUID, list[Entry]] = {}
    for each in entries:
        by_customer.setdefault(each.customer, []).append(each)
    seen = {each.where: each for customer, its in by_customer.items() for each in await shown_to(engine, customer, viewer, its)}
    return [seen[each.where] for each in entries if each.where in seen]
