"""What the operations on customers' pictures share: a customer's history and the present, and documents taken in."""

from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson
from fastapi import Path, Request
from pydantic import BaseModel, Field

from services.chassis.access import Principal
from services.chassis.documents import ProblemsFoundError
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Problem
from services.chassis.shares import wilson
from services.journey.api.viewers import viewer_of
from services.journey.documents import language
from services.journey.picture.discretion import may_see
from services.journey.picture.history import History
from services.journey.picture.rules import BUILT_IN, Rules
from services.journey.picture.whole import Declared
from services.journey.projections.pictures import declared_by
from services.journey.store import picture as store
from services.journey.store import projections
from services.journey.store.principles import promises_known

Name = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$")]


class Subject(NamedTuple):
    """A customer as the folds see them. `now` is the arrival that all lanes have reached, None before the first."""

    key: UUID
    history: History
    declared: Declared
    now: datetime | None


def rules_of(subject: Subject) -> Rules:
    """The rules in force: the built-in ones until some are published."""
    return subject.declared.rules or BUILT_IN


class PublishedDocument(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    name: str
    version: int


class Outcomes(BaseModel):
    """How promises came out; `share` is kept / (kept + broken), null where neither is."""

    kept: int = 0
    so_far: int = Field(default=0, description="of the kept: kept so far, and can still break")
    broken: int = 0
    excused: int = 0
    withdrawn: int = 0
    open: int = 0
    share: float | None = Field(default=None, description="kept / (kept + broken)")
    low: float | None = Field(default=None, description="with 95 % confidence the true share lies from here")
    high: float | None = Field(default=None, description="to here")


def outcomes(**counted: int) -> Outcomes:
    """With their share, and how sure that is."""
    found = Outcomes(**counted)
    decided = found.kept + found.broken
    sure = wilson(found.kept, decided)
    if sure is not None:
        found.share, found.low, found.high = (round(each, 4) for each in (found.kept / decided, *sure))
    return found


async def subject_of(request: Request, customer_id: UUID) -> Subject:
    """The customer of a path; raises the 404 problem for one whom nothing was ever heard of."""
    async with request.app.state.engine.connect() as connection:
        person = (await store.persons(connection, [customer_id])).get(customer_id)
        if person is None or await store.erased(connection, person.keys):
            raise Problem(NOT_FOUND, "There is no customer of that key.")
        histories = await store.histories(connection, [person])
        declared = declared_by(await store.published(connection), await promises_known(connection))
        return Subject(person.key, histories[person.key].so_far(declared.promises), declared, await projections.present(connection))


def as_seen_by(who: Principal, subject: Subject) -> Subject:
    """The customer with only those touchpoints that somebody may see."""
    viewer = viewer_of(who)
    return subject._replace(history=subject.history.only(lambda event: may_see(viewer, event.body)))


async def publish(request: Request, who: Principal, kind: str, sent: dict[str, Any]) -> PublishedDocument:
    """Publish one document of a kind; raises the 422 problem with everything that is wrong, each with its place."""
    try:
        document = orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None
    try:
        found = language.read(document.decode(), "body", (kind,))
    except ProblemsFoundError as problems:
        raise Problem(INVALID, f"This is no {kind} yet.", [Fault(str(each)) for each in problems.findings]) from None
    name = found[0].name
    if "\0" in document.decode():
        raise Problem(INVALID, "A text holds a NUL character.")
    version = await store.publish(request.app.state.engine, kind, name, document, who.subject, datetime.now(UTC))
    return PublishedDocument(name=name, version=version)


async def retire(request: Request, who: Principal, kind: str, name: str) -> None:
    """Let a document be in force no more; once more changes nothing. Raises the 404 problem where there is none of that name."""
    if not await store.retire(request.app.state.engine, kind, name, who.subject, datetime.now(UTC)):
        raise Problem(NOT_FOUND, f"No {kind} of that name was published.")
