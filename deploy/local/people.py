"""The people of the local stack: who can be chosen at its sign-in, and what each may do."""

from dataclasses import dataclass

from contracts.roles import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in; `subject` is what acts are noted under."""

    subject: str
    name: str
    does: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...] = ()


PEOPLE = (
    Person("promoter", "Promoter", "works on the branch's cases, as in the story of the lost passport", (Role.AGENT,), ("branch",)),
    Person("executive", "Executive", "her colleague, whom she asks for help", (Role.AGENT,), ("branch",)),
    Person("lead", "Supervisor", "leads the team of the branch: helps, approves, takes over", (Role.LEAD,), ("branch",)),
    Person("director", "Manager", "answers for the promises, and for what they cost", (Role.MANAGER,), ("branch",)),
    Person("operations", "Operations", "runs the system", (Role.OPERATIONS,)),
    Person("auditor", "Auditor", "reads everything, changes nothing", (Role.AUDITOR,)),
)
"""Those of the story of the lost passport are called there as here, so that what it leaves behind is theirs."""


def find(subject: str) -> Person | None:
    """Return the person of a subject; None where there is none."""
    return next((each for each in PEOPLE if each.subject == subject), None)
