"""Principles, what stands under them and which promises serve them; and the promises, as journey is told of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.chassis.access import Who
from services.chassis.documents import ProblemsFoundError
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Kind, Problem
from services.chassis.settings import Clock
from services.journey import principles
from services.journey.indicators.series import Declared, altogether
from services.journey.principles import Principle, Serving
from services.journey.promised import Known, Promised, in_force, known, promised
from services.journey.store import indicators, reads
from services.journey.store import principles as store
from services.journey.store.principles import PublishedPrinciple

ANOTHER = Kind(409, "another-document", "Another document was published as this version")
STILL_BORNE = Kind(409, "still-stood-under", "Others stand under it")
Name = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$")]
Version = Annotated[int, Path(ge=1, lt=2**31)]

KeptBy = Mapping[str, Mapping[str, Any]]

router = APIRouter(prefix="/v1", tags=["principles"])


class PrincipleVersion(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    name: str
    version: int


class LinkedDocument(BaseModel):
    """A policy, standard or guideline under a principle."""

    sort: Literal["policy", "standard", "guideline"]
    title: str
    reference: str = Field(description="where it is read")
    since: str | None


class Kept(BaseModel):
    """How a promise has been kept, under all its versions."""

    commitments: int
    kept: int = Field(description="those among them that are kept so far and can still break")
    broken: int
    excused: int
    kept_share: float | None = Field(description="kept / (kept + broken)")
    kept_low: float | None = Field(description="with 95 % confidence the true share lies from here")
    kept_high: float | None = Field(description="to here")


class ServingPromise(BaseModel):
    """A promise that serves a principle, or none."""

    name: str
    version: int
    statement: str | None
    owner: str | None
    audience: str
    principle: str | None = Field(description="what it calls the principle that it serves")
    kept: Kept | None = Field(description="null: nothing was counted of it yet")


class PrincipleView(BaseModel):
    """A principle in force."""

    name: str
    version: int
    sort: Literal["mission", "vision", "value", "belief"]
    statement: str
    instead_of: str | None = Field(description="of a belief: what is believed today")
    under: str | None = Field(description="the principle that it serves itself")
    above: list[str] = Field(description="the principles under it")
    owner: str | None
    documents: list[LinkedDocument]
    promises: list[ServingPromise] = Field(description="the promises that serve it, or what stands under it; empty: promised by none")
    published_at: datetime
    published_by: str


class Principles(BaseModel):
    """The organisation's True North, and what of it is promised."""

    items: list[PrincipleView]
    promised_by_none: list[str] = Field(description="principles that no promise serves")
    serving_none: list[ServingPromise] = Field(description="promises that serve no principle, or one that is not declared")
    never_told: list[str] = Field(description="promises that facts are about, and nobody told journey of: what they serve is not known")


class PrincipleHistory(PrincipleView):
    """A principle in force, and what it said before."""

    versions: list[dict[str, Any] | None] = Field(description="the document of each version, the first one first; null: it was retired")


class ToldPromise(BaseModel):
    """A promise's document, as promises published it."""

    model_config = ConfigDict(extra="allow")
    kind: Literal["Promise"]
    metadata: dict[str, Any]
    spec: dict[str, Any]


class ToldVersion(BaseModel):
    """What journey knows from now on."""

    name: str
    version: int


class ToldRetirement(BaseModel):
    """From when on a promise is made to nobody."""

    model_config = ConfigDict(extra="forbid")
    effective_from: AwareDatetime | None = Field(default=None, description="null: from the beginning; nothing had been judged")


@router.post("/principles", operation_id="publish_principle", status_code=201)
async def publish_principle(request: Request, who: Who, document: dict[str, Any]) -> PrincipleVersion:
    """Publish a principle; one that it stands under is published first."""
    engine, content = request.app.state.engine, _stored(document)
    above = {each.name: each.under for each in _read_all(await store.published(engine))}
    try:
        found = principles.read(content.decode(), "body", above)
    except ProblemsFoundError as problems:
        raise Problem(INVALID, "This is not a principle yet.", [Fault(str(each)) for each in problems.findings]) from None
    version = await store.publish(engine, found.name, content, who.subject, await present(request))
    return PrincipleVersion(name=found.name, version=version)


@router.put("/principles/{name}/retirement", operation_id="retire_principle", status_code=204)
async def retire_principle(name: Name, request: Request, who: Who) -> None:
    """Let a principle be none any more; publishing it again takes that back. What stands under it is retired first."""
    engine = request.app.state.engine
    below = [each.name for each in _read_all(await store.published(engine)) if each.under == name]
    if below:
        raise Problem(STILL_BORNE, f"Retire what stands under it first, or publish that under another: {', '.join(below)}.")
    if not await store.withdraw(engine, name, who.subject, await present(request)):
        raise Problem(NOT_FOUND, "No principle of that name was published.")


@router.get("/principles", operation_id="list_principles")
async def list_principles(request: Request) -> Principles:
    """Every principle with what stands under it and who serves it; what is promised by none, and who serves none."""
    views, found, told, kept = await _views(request)
    documented = {each.name for each in await store.promises(request.app.state.engine)}
    none = principles.serving_none(found, [_serving(each) for each in told])
    named = {each.promise for each in none}
    return Principles(
        items=views,
        promised_by_none=[each.name for each in views if not each.promises],
        serving_none=[_promise(each, kept) for each in told if each.name in named],
        never_told=sorted(kept.keys() - documented),
    )


@router.get("/principles/{name}", operation_id="get_principle")
async def get_principle(name: Name, request: Request) -> PrincipleHistory:
    """One principle, with what it said before."""
    views, *_ = await _views(request)
    found = next((each for each in views if each.name == name), None)
    if found is None:
        raise Problem(NOT_FOUND, "No principle of that name was published.")
    documents = [None if each is None else orjson.loads(each) for each in await store.versions(request.app.state.engine, name)]
    return PrincipleHistory(**dict(found), versions=documents)


@router.put("/promises/{name}/versions/{version}", operation_id="tell_promise")
async def tell_promise(name: Name, version: Version, document: ToldPromise, request: Request) -> ToldVersion:
    """Tell journey what promises published: facts name a promise and its version, and its document says what it is about."""
    if document.metadata.get("name") != name:
        raise Problem(INVALID, "`metadata.name` is another name than the one in the path.")
    content = _stored(document.model_dump(mode="python"))
    if await store.learn(request.app.state.engine, name, version, content) != content:
        raise Problem(ANOTHER, f"A version is never edited. Tell of what promises has as version {version} of `{name}`.")
    return ToldVersion(name=name, version=version)


@router.put("/promises/{name}/retirement", operation_id="tell_retirement", status_code=204)
async def tell_retirement(name: Name, told: ToldRetirement, request: Request) -> None:
    """Tell journey from when on a promise is made to nobody any more; a later version takes it back."""
    if not await store.retire(request.app.state.engine, name, told.effective_from or await present(request)):
        raise Problem(NOT_FOUND, "Journey was told of no promise of that name.")


async def _views(request: Request) -> tuple[list[PrincipleView], list[Principle], list[Promised], KeptBy]:
    published = await store.published(request.app.state.engine)
    found, promises = await declared(request)
    told = in_force(promises, await present(request))
    serving = principles.served(found, [_serving(each) for each in told])
    async with request.app.state.engine.connect() as connection:
        kept = altogether(Declared(promises, found), await indicators.ever(connection, "commitment"))
    views = [
        _view(row, each, found, [_promise(one, kept) for one in told if one.name in serving[each.name]])
        for row, each in zip(published, found, strict=True)
    ]
    return views, found, told, kept


async def declared(request: Request) -> tuple[list[Principle], Known]:
    """The principles in force, and what is known of promises."""
    engine = request.app.state.engine
    return _read_all(await store.published(engine)), known(promised(*each) for each in await store.promises(engine))


def _view(row: PublishedPrinciple, each: Principle, declared: list[Principle], promises: list[ServingPromise]) -> PrincipleView:
    return PrincipleView(
        name=row.name,
        version=row.version,
        sort=each.sort,
        statement=each.statement,
        instead_of=each.instead_of,
        under=each.under,
        above=[other.name for other in declared if other.under == each.name],
        owner=each.owner,
        documents=[LinkedDocument(**one._asdict()) for one in each.linked],
        promises=promises,
        published_at=row.published_at,
        published_by=row.published_by,
    )


def _promise(each: Promised, kept: KeptBy) -> ServingPromise:
    said = {name: getattr(each, name) for name in ServingPromise.model_fields if name != "kept"}
    return ServingPromise(**said, kept=None if each.name not in kept else Kept(**kept[each.name]))


def _serving(each: Promised) -> Serving:
    return Serving(each.name, each.principle)


def _read_all(published: list[PublishedPrinciple]) -> list[Principle]:
    """What is in force; it was checked when it was published, and what it stands under may have been retired in that very moment."""
    above = (orjson.loads(each.document)["spec"].get("under") for each in published)
    names = dict.fromkeys([*(each.name for each in published), *(name for name in above if name is not None)])
    return [principles.read(each.document.decode(), each.name, names) for each in published]


def _stored(document: dict[str, Any]) -> bytes:
    """A document as it is kept: the same one is always the same bytes."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None


async def present(request: Request) -> datetime:
    """The present: our clock's, or on the replay clock the arrival reached."""
    live = request.app.state.settings.clock is Clock.LIVE
    reached = None if live else await reads.latest_arrival(request.app.state.engine)
    return reached or datetime.now(UTC)
