"""Who may do what: the one access table, from each HTTP operation's id to the roles that may call it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Operation:
    """Who may do one operation, and why they."""

    roles: frozenset[Role]
    why: str


_CASE_WORK: Final = frozenset({Role.AGENT, Role.LEAD, Role.MANAGER})
_STAFF: Final = frozenset({*_CASE_WORK, Role.OPERATIONS, Role.AUDITOR})
_READERS: Final = _STAFF | {Role.SYSTEM}

OPERATIONS: Final[Mapping[str, Operation]] = {
    # journey
    "receive_touchpoints": Operation(frozenset({Role.SYSTEM, Role.OPERATIONS}), "Company systems tell what happened."),
    "find_customers": Operation(_STAFF, "Whoever serves a customer has to find them first."),
    "get_timeline": Operation(_READERS, "What happened to a customer, and what was made of it."),
    "list_quarantine": Operation(frozenset({Role.OPERATIONS, Role.AUDITOR}), "Refused records may hold anything."),
    "publish_event_type": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "An event type decides whom events are about."),
    # promises
    "publish_promise": Operation(frozenset({Role.MANAGER}), "A promise binds the company."),
    "list_promises": Operation(_READERS, "What is promised is no secret inside the company."),
    "get_promise": Operation(_READERS, "What is promised is no secret inside the company."),
    "get_performance": Operation(_READERS, "How promises are kept is everybody's business."),
    "list_performance": Operation(_READERS, "How promises are kept is everybody's business."),
    "list_commitments": Operation(_READERS, "Commitments name customers by key only."),
    "get_commitment": Operation(_READERS, "Commitments name customers by key only."),
    "explain_commitment": Operation(_READERS, "A verdict has to be accounted for to whoever acts on it."),
    # recovery
    "list_cases": Operation(_READERS, "Cases are found by those who work on them and those who oversee it."),
    "get_case": Operation(_READERS, "Cases are read by those who work on them and those who oversee it."),
    "own_case": Operation(_CASE_WORK, "Those who serve customers take cases on."),
    "pledge": Operation(_CASE_WORK, "The owner promises; the domain says whose case it is."),
    "fulfil_pledge": Operation(_CASE_WORK, "The owner keeps what was pledged."),
    "remedy_case": Operation(_CASE_WORK, "The owner puts it right."),
    "confirm_case": Operation(frozenset({Role.CUSTOMER, Role.SYSTEM}), "Only the customer confirms, in person or through their channel."),
    # each service
    "get_status": Operation(_READERS, "How far the service has come."),
}


def table() -> dict[str, frozenset[str]]:
    """The roles by operation id, as the services' gate reads them."""
    return {operation: frozenset(map(str, row.roles)) for operation, row in OPERATIONS.items()}
