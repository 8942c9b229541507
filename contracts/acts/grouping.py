"""How a case becomes part of a mass failure: by its rule, or by whoever answers for the team."""

from typing import Final
from uuid import UUID

from pydantic import Field

from contracts.acts.table import ALIVE, Act, By, Needs, Words
from contracts.roles import Role

_LEADS: Final = frozenset({Role.LEAD, Role.MANAGER})


class Group(Needs):
    """Which failure of many a case is part of."""

    mass_failure: UUID = Field(description="the mass failure")


class Leave(Needs):
    """Why a case is no part of it."""

    why: Words = Field(description="what is different about it")


ROWS: Final = (
    Act(
        "group_case", "mass-failures", "Make the case part of a mass failure, so that what is done for all is done here too.",
        "Whoever answers for the team sees what has one cause.", ALIVE, Group, By.ANYONE, _LEADS,
    ),
    Act(
        "ungroup_case", "mass-failures/{mass_failure_id}/leave", "Take the case out of a mass failure; its rule does not put it in again.",
        "Whoever may group may see that it was wrong.", ALIVE, Leave, By.ANYONE, _LEADS,
    ),
)  # fmt: skip
