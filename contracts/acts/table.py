"""What a row of the table of acts says: who may do an act, in which states of a case, and what it needs."""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from contracts.roles import CASE_WORK, Role

OPEN, OWNED, REMEDIED = "open", "owned", "remedied"
CONFIRMED, WATCHING = "confirmed", "watching"
RESTORED, NOT_RESTORED, UNKNOWN = "restored", "not_restored", "unknown"
WITHDRAWN, DECLINED, MERGED = "withdrawn", "declined", "merged"
IN_WORK: Final = frozenset({OPEN, OWNED, REMEDIED})
WATCHED: Final = frozenset({CONFIRMED, WATCHING})
ENDED: Final = frozenset({RESTORED, NOT_RESTORED, UNKNOWN, WITHDRAWN, DECLINED})
ALIVE: Final = IN_WORK | WATCHED
ANY: Final = ALIVE | ENDED
GOES_ON: Final = ALIVE | {MERGED}
"""What was to be done in a case that was merged is still to be done; it is shown in the case in which that one goes on."""

Words = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
"""What somebody writes. Postgres' text holds no NUL."""
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
"""What somebody or something is called."""


class By(enum.Enum):
    """Who may do an act, of those whose role allows it."""

    ANYONE = enum.auto()
    OWNER = enum.auto()
    """The owner of the case."""


class Needs(BaseModel):
    """What an act needs beside the case; a member nobody knows is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that people do with a case.

    `path` stands below `/v1/cases/{case_id}/` and may name one thing of the case, as in `pledges/{pledge_id}/fulfil`; an act
    that `creates` something takes an Idempotency-Key.
    """

    name: str
    path: str
    meaning: str
    why: str
    on: frozenset[str]
    needs: type[Needs] = Needs
    by: By = By.OWNER
    roles: frozenset[Role] = CASE_WORK
    creates: bool = False
    is_file: bool = False
    """What it needs comes as a file, not as a form."""

    @property
    def for_owner(self) -> bool:
        """Whether the owner of the case alone may do it."""
        return self.by is By.OWNER

    @property
    def thing(self) -> str | None:
        """The thing of the case that the path names: `pledge` of `{pledge_id}`."""
        _, _, named = self.path.partition("{")
        return named.partition("_id}")[0] or None
