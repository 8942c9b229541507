"""What a customer agreed to: by purpose, until it ends or is withdrawn. The latest word counts, whichever arrived first."""

from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.journey.picture.history import History, Touchpoint

SERVICE: Final = "service"
"""Serving the customer needs no consent; they may object to it all the same."""
ASPIRATIONS: Final = "aspirations"
GIVEN, WITHDRAWN, RECORDED = "customer.consent.given", "customer.consent.withdrawn", "customer.aspiration.recorded"


class Consent(NamedTuple):
    """A customer's word on a purpose."""

    given: bool
    evidence: UUID | None
    until: datetime | None = None


class Consents:
    """What a customer says to each purpose at a time."""

    def __init__(self, history: History, now: datetime | None) -> None:
        """At this time; None is before the first."""
        self._words, self._now = history.of(GIVEN, WITHDRAWN, RECORDED), now
        self._known: dict[str, Consent] = {}

    def of(self, purpose: str) -> Consent:
        """What the customer says to a purpose now."""
        if purpose not in self._known:
            self._known[purpose] = self._find(purpose)
        return self._known[purpose]

    def _find(self, purpose: str) -> Consent:
        """An agreement that has ended leaves what was so without any, but for who had objected before: they object again."""
        found, without = Consent(purpose == SERVICE, None), purpose == SERVICE
        for event in self._words:
            word = _word(event, purpose)
            if word is not None and word.until is None:
                without = word.given and purpose == SERVICE
            found = word or found
        if found.until is not None and self._now is not None and self._now > found.until:
            return found._replace(given=without)
        return found


def _word(event: Touchpoint, purpose: str) -> Consent | None:
    if event.type == RECORDED and event.data.get("consent") is True and purpose_of(event, ASPIRATIONS) == purpose:
        return Consent(True, event.key, instant(event, "consent_until"))
    if event.type in {GIVEN, WITHDRAWN} and event.text("purpose") == purpose:
        return Consent(event.type == GIVEN, event.key, instant(event, "until") if event.type == GIVEN else None)
    return None


def purpose_of(event: Touchpoint, otherwise: str) -> str:
    """What an event was recorded for."""
    return event.text("purpose") or otherwise


def instant(event: Touchpoint, field: str) -> datetime | None:
    """A time in an event's data, None where there is none that can be read."""
    try:
        found = datetime.fromisoformat(event.text(field) or "")
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ends(history: History, now: datetime | None) -> datetime | None:
    """When a consent next ends by itself."""
    words = history.of(GIVEN, RECORDED)
    times = [until for each in words if (until := instant(each, "consent_until" if each.type == RECORDED else "until")) is not None]
    return min((each for each in times if now is None or each >= now), default=None)
