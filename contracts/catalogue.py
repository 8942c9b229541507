"""Every event that crosses a service's border."""

from typing import Final

from contracts import customer, journey, measures, promises, recovery
from contracts.envelope import EventType

EVENTS: Final[tuple[EventType, ...]] = (*journey.EVENTS, *customer.EVENTS, *measures.EVENTS, *promises.EVENTS, *recovery.EVENTS)
