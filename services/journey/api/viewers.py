"""Who looks at what was sensed of a customer: a principal, as discretion sees them."""

from services.chassis.access import Principal
from services.journey.picture.discretion import Viewer


def viewer_of(who: Principal) -> Viewer:
    """The subject and the teams of a token."""
    return Viewer(who.subject, who.teams)
