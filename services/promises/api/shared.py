"""What the rooms of the HTTP side share: their surroundings, the present, and when something published takes effect."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.documents import ProblemsFoundError
from services.chassis.instants import text_of
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Kind, Problem
from services.chassis.settings import Clock
from services.promises import language
from services.promises.backtest.jobs import Jobs
from services.promises.catalogue import read_calendar
from services.promises.language import File, Known
from services.promises.language.declarations import Document
from services.promises.lookback import LookBack
from services.promises.messenger import Messenger
from services.promises.settings import PromisesSettings
from services.promises.store import published, reads

TOO_EARLY = Kind(422, "takes-effect-too-early", "Nothing can take effect before everybody knows it")
PAGE_SIZE, LARGEST_PAGE = 100, 1000
NAME = r"^[^\x00]+$"

Name = Annotated[str, Path(max_length=200, pattern=NAME)]
Words = Annotated[str, Field(min_length=1, max_length=4000, pattern=NAME)]
# so far from both ends of the calendar that every zone and every delay gets there
Moment = Annotated[AwareDatetime, Field(gt=datetime(1500, 1, 1, tzinfo=UTC), lt=datetime(8500, 1, 1, tzinfo=UTC))]


class Input(BaseModel):
    """What is sent; a member nobody knows is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


@dataclass(slots=True)
class Remembered:
    """What was answered last, as long as it may be old."""

    content: dict[str, Any] = field(default_factory=dict)
    stale_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an operation needs to know of the process it runs in."""

    settings: PromisesSettings
    engine: AsyncEngine
    messenger: Messenger
    jobs: Jobs
    look_back: LookBack
    register: Remembered = field(default_factory=Remembered)

    async def now(self) -> datetime:
        """The present: our clock's, or on the replay clock the barrier reached."""
        reached = None if self.settings.clock is Clock.LIVE else await reads.barrier(self.engine)
        return reached or datetime.now(UTC)

    async def effective(self, wanted: datetime | None) -> tuple[datetime, datetime | None]:
        """The present, and when something published now takes effect: as wanted, else as soon as everybody can know it.

        None is from the beginning: nothing was judged yet. Raises the 422 problem for what is wanted too early.
        """
        now = await self.now()
        if not await reads.events_applied(self.engine):
            return now, wanted
        earliest = now + self.settings.effective_delay
        if wanted is not None and wanted < earliest:
            detail = f"It would take effect at {text_of(wanted)}; the earliest is {text_of(earliest)}. The past is for `rejudge`."
            raise Problem(TOO_EARLY, detail)
        return now, wanted or earliest


def _around(request: Request) -> Surroundings:
    around: Surroundings = request.app.state.around
    return around


Around = Annotated[Surroundings, Depends(_around)]


async def read_documents(around: Surroundings, sent: list[dict[str, Any]], kinds: tuple[str, ...]) -> list[Document]:
    """The documents of a body, which may name published calendars; raises the 422 problem with everything that is wrong."""
    calendars = dict(read_calendar(each.document) for each in await published.read_calendars(around.engine))
    try:
        files = [File(f"documents/{index}" if len(sent) > 1 else "body", _text(each)) for index, each in enumerate(sent)]
    except orjson.JSONEncodeError:
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None
    try:
        found = [each for read in language.read_files(files, Known(calendars)).values() for each in read]
    except ProblemsFoundError as problems:
        raise Problem(INVALID, "This is not as the language has it.", [Fault(str(each)) for each in problems.findings]) from None
    if wrong := [each.kind for each in found if each.kind not in kinds]:
        raise Problem(INVALID, f"This takes documents of kind {' or '.join(kinds)}, and was sent {wrong[0]}.")
    return found


def _text(document: dict[str, Any]) -> str:
    return stored(document).decode()


def stored(document: dict[str, Any]) -> bytes:
    """A document as it is kept: the same one is always the same bytes."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def no_such_promise() -> Problem:
    """The 404 of a name that was never published."""
    return Problem(NOT_FOUND, "No promise of that name was published.")
