"""Every event that crosses a service's border."""

from typing import Final

from contracts import journey, promises, recovery
from contracts.envelope import EventType

EVENTS: Final[tuple[EventType, ...]] = (*journey.EVENTS, *promises.EVENTS, *recovery.EVENTS)
