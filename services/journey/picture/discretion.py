"""Who may see what was sensed of a customer: one function, through which goes everything that shows a touchpoint to anybody.

Discretion is the touchpoint's own word (`data.discretion`): open to all who serve the customer, to a team, or to a person. No role
stands above it. To nobody in particular, as in exports, messages and lists, only what is open is shown.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

OPEN, TEAM = "open", "team"
_DISCREET_UNLESS_SAID: Final = ("customer.need.", "customer.aspiration.", "customer.expectation.")


class Viewer(NamedTuple):
    """Who looks: the subject and the teams of their token."""

    subject: str
    teams: frozenset[str] = frozenset()


EVERYONE: Final = Viewer("")
"""Whoever keeps what all may ask for, and lets each see only their part of it."""


def may_see(viewer: Viewer | None, event: Mapping[str, Any]) -> bool:
    """Whether somebody may see an event as its emitter wrote it; None is nobody in particular. A word that is not known is discreet."""
    found = event.get("data")
    data: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    discretion = data.get("discretion") or (TEAM if str(event.get("type")).startswith(_DISCREET_UNLESS_SAID) else OPEN)
    if discretion == OPEN or viewer is EVERYONE:
        return True
    if viewer is None:
        return False
    beside = data.get("seen_by")
    named = {each for each in (data.get("by"), *(beside if isinstance(beside, list) else ())) if isinstance(each, str)}
    if viewer.subject in named:
        return True
    team = data.get("team")
    return discretion == TEAM and not viewer.teams.isdisjoint(named | ({team} if isinstance(team, str) else set()))


def is_discreet(event: Mapping[str, Any]) -> bool:
    """Whether an event is not for everybody; costs next to nothing for those that nothing of the kind is said of."""
    data, type_ = event.get("data"), event["type"]
    said = (type(data) is dict and "discretion" in data) or type_.startswith(_DISCREET_UNLESS_SAID)
    return said and not may_see(None, event)


def may_be_told(text: str) -> bool:
    """Whether a record that could not be taken may be told to nobody in particular; one that cannot be read is discreet if it looks so."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return not any(each in text for each in (*_DISCREET_UNLESS_SAID, "discretion"))
    return may_see(None, found) if isinstance(found, dict) else "discretion" not in text
