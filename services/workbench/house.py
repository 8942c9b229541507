"""What time it is for whoever reads a page, and when the house works: asked of the services, and remembered for a while."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.chassis.settings import Clock
from services.workbench.reader import Hours, parsed
from services.workbench.sessions import Session
from services.workbench.settings import WorkbenchSettings
from services.workbench.upstream import RefusedError, Services, SignInAgainError

HORIZON: Final = timedelta(days=35)
"""How far ahead working time is counted; what is due later is told by the calendar's days."""
_BACK: Final = timedelta(days=5)
"""How far back it is known when the house worked: beyond a long weekend."""
_STALE: Final = timedelta(hours=12)
_LONGEST: Final = timedelta(days=400)
"""That the calendars tell at once."""
_HOURS_SECONDS: Final = 600.0
_NOW_SECONDS: Final = 1.0
_INPUT: Final = "makegood.promises"


class House:
    """The clock and the working hours of the house."""

    def __init__(self, settings: WorkbenchSettings, services: Services) -> None:
        """By the settings: which clock, and whose calendar."""
        self._settings, self._services = settings, services
        self._now: tuple[float, datetime] | None = None
        self._hours: tuple[float, datetime, Hours] | None = None

    async def now(self, session: Session | None) -> datetime:
        """The present: our clock's, or on the replay clock what recovery's lanes have reached, since that is when people act."""
        if self._settings.clock is Clock.LIVE or session is None:
            return datetime.now(UTC)
        if self._now is None or time.monotonic() - self._now[0] > _NOW_SECONDS:
            status = await self._look(session, "recovery", "/v1/status")
            reached = [parsed(each["arrival"]) for each in (status or {}).get("lanes", ()) if each["topic"] == _INPUT and each["arrival"]]
            self._now = (time.monotonic(), min(reached, default=datetime.now(UTC)))
        return self._now[1]

    async def hours(self, session: Session | None, now: datetime) -> Hours:
        """When the house works, from yesterday to the horizon; nothing where it names no calendar, or none can be read."""
        if not self._settings.calendar or session is None:
            return ()
        if self._hours is None or self._is_old(*self._hours[:2], now):
            self._hours = (time.monotonic(), now, await self.between(session, now - _BACK, now + HORIZON))
        return self._hours[2]

    async def between(self, session: Session | None, start: datetime, end: datetime) -> Hours:
        """When the house works between two instants; nothing where that is too long to tell, or no calendar can be read."""
        if not self._settings.calendar or session is None or end - start > _LONGEST:
            return ()
        span = {"start": start.isoformat(), "end": end.isoformat()}
        found = await self._look(session, "promises", f"/v1/calendars/{self._settings.calendar}/hours", **span)
        return tuple((parsed(each["start"]), parsed(each["end"])) for each in (found or {}).get("items", ()))

    @staticmethod
    def _is_old(asked: float, then: datetime, now: datetime) -> bool:
        return time.monotonic() - asked > _HOURS_SECONDS or abs(now - then) > _STALE

    async def _look(self, session: Session, service: str, path: str, **query: Any) -> Any:
        """What a page is whole without, whatever stands in the way of it."""
        try:
            return await self._services.look(session, service, path, **query)
        except (RefusedError, SignInAgainError):
            return None
