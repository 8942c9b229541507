"""What somebody is to the company: the roles that tokens name."""

import enum
from typing import Final


class Role(enum.StrEnum):
    """What a principal is to the company; a token names one or more."""

    SYSTEM = enum.auto()
    """A company system, or another service of ours."""
    AGENT = enum.auto()
    """Works on cases."""
    LEAD = enum.auto()
    """Leads a team of agents."""
    MANAGER = enum.auto()
    """Answers for promises."""
    OPERATIONS = enum.auto()
    """Runs the system."""
    AUDITOR = enum.auto()
    """Reads everything, changes nothing."""
    CUSTOMER = enum.auto()
    """A customer, about their own journey only."""
    PUBLIC = enum.auto()
    """Anybody."""


CASE_WORK: Final = frozenset({Role.AGENT, Role.LEAD, Role.MANAGER})
"""Those who work on cases."""
