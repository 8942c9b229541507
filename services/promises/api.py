"""The HTTP side of promises: what is promised, what came of it, and why."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import table
from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.documents import ProblemsFoundError
from services.chassis.http import create_app
from services.chassis.instants import text_of
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Kind, Problem
from services.chassis.settings import Clock
from services.chassis.status import Status, read_status
from services.promises import language
from services.promises.catalogue import Published
from services.promises.declarations import Document, Promise
from services.promises.explanation import explain
from services.promises.performance import performance_of
from services.promises.settings import PromisesSettings
from services.promises.store import read_promises, reads
from services.promises.strands import Commitment

TOO_EARLY = Kind(422, "takes-effect-too-early", "A version cannot take effect before everybody knows it")
DOCUMENT_LIMIT = 256 * 1024
PAGE_SIZE, LARGEST_PAGE = 100, 1000
POSITION: TypeAdapter[UUID] = TypeAdapter(UUID)
Name = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]+$")]

router = APIRouter(prefix="/v1", tags=["promises"])


class PromiseView(BaseModel):
    """One published version of a promise; without `effective_from` it is in force from the beginning."""

    name: str
    version: int
    effective_from: datetime | None
    published_at: datetime
    published_by: str
    document: dict[str, Any]


class Promises(BaseModel):
    """Published versions, in the order of publication."""

    items: list[PromiseView]


class PublishedVersion(BaseModel):
    """What was published, as which version, and when it takes effect; the same document again stays the same version."""

    name: str
    version: int
    effective_from: datetime | None


class CommitmentView(BaseModel):
    """One commitment as it is judged now; `verdict` numbers what was last decided, which is `verdict_state`."""

    id: UUID
    promise: str
    version: int
    customer: UUID
    correlation: Any
    trigger: dict[str, Any]
    judgement: str
    reason: str
    due: datetime | None
    late: bool
    standing: bool
    segment: str | None
    verdict: int
    verdict_state: str | None


class Commitments(BaseModel):
    """Some commitments; `next` continues behind them."""

    items: list[CommitmentView]
    next: str | None


class Performance(BaseModel):
    """How promises have been kept: for each the fields that a backtest reports."""

    items: list[dict[str, Any]] = Field(description="one object a promise, as `makegood backtest --json` prints it")


def build(settings: PromisesSettings, engine: AsyncEngine) -> FastAPI:
    """The application of `python -m services.promises api`."""

    async def database() -> str | None:
        await reads.barrier(engine)
        return None

    app = create_app("promises", settings, [router], access=table(), checks={"database": database}, body_limit=DOCUMENT_LIMIT)
    app.state.settings, app.state.engine = settings, engine
    return app


@router.post("/promises", operation_id="publish_promise", status_code=201)
async def publish_promise(request: Request, who: Who, document: dict[str, Any]) -> PublishedVersion:
    """Publish a promise: the first ones of a system from the beginning, later ones when everybody can know them."""
    promise, stored = _read(document)
    now, earliest = await _earliest(request)
    wanted = promise.effective_from
    if wanted is not None and earliest is not None and wanted < earliest:
        known = [each for each in await reads.read_published(request.app.state.engine, promise.name) if each.document == stored]
        if not known:
            detail = f"`effective_from` is {text_of(wanted)}; the earliest is {text_of(earliest)}. The past is for `rejudge`."
            raise Problem(TOO_EARLY, detail)
    effective = wanted or earliest
    version, effective = await reads.publish(request.app.state.engine, promise.name, stored, who.subject, now, effective)
    return PublishedVersion(name=promise.name, version=version, effective_from=effective)


def _read(document: dict[str, Any]) -> tuple[Promise, bytes]:
    try:
        stored = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None
    try:
        read = language.read(stored.decode(), "body")
    except ProblemsFoundError as problems:
        raise Problem(
            INVALID, "This is not a promise as the language has it.", [Fault(line) for line in str(problems).splitlines()]
        ) from None
    declared = read[0].declares if len(read) == 1 else None
    if not isinstance(declared, Promise):
        kind = read[0].kind if read and isinstance(read[0], Document) else "nothing"
        raise Problem(INVALID, f"This takes one document of kind Promise, and was sent {kind}.")
    return declared, stored


async def _earliest(request: Request) -> tuple[datetime, datetime | None]:
    """The present, and the earliest that a version may take effect; None: from the beginning, nothing was judged yet."""
    settings: PromisesSettings = request.app.state.settings
    engine: AsyncEngine = request.app.state.engine
    now = datetime.now(UTC) if settings.clock is Clock.LIVE else await reads.barrier(engine)
    if now is None or not await reads.events_applied(engine):
        return now or datetime.now(UTC), None
    return now, now + settings.effective_delay


@router.get("/promises", operation_id="list_promises")
async def list_promises(request: Request) -> Promises:
    """Every published version."""
    return Promises(items=[_promise(each) for each in await reads.read_published(request.app.state.engine)])


@router.get("/promises/{name}", operation_id="get_promise")
async def get_promise(name: str, request: Request) -> Promises:
    """All versions of one promise."""
    found = await reads.read_published(request.app.state.engine, name.replace("\0", ""))
    if not found:
        raise Problem(NOT_FOUND, "No promise of that name was published.")
    return Promises(items=[_promise(each) for each in found])


def _promise(published: reads.Published) -> PromiseView:
    return PromiseView(**published._replace(document=orjson.loads(published.document))._asdict())


@router.get("/performance", operation_id="list_performance")
async def list_performance(request: Request) -> Performance:
    """How every promise has been kept, in the order of first publication."""
    return Performance(items=await performance_of(request.app.state.engine))


@router.get("/promises/{name}/performance", operation_id="get_performance")
async def get_performance(name: str, request: Request) -> Performance:
    """How one promise has been kept."""
    items = await performance_of(request.app.state.engine, name.replace("\0", ""))
    if not items:
        raise Problem(NOT_FOUND, "No promise of that name was published.")
    return Performance(items=items)


@router.get("/commitments", operation_id="list_commitments")
async def list_commitments(
    request: Request,
    promise: Name | None = None,
    customer: UUID | None = None,
    judgement: Name | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Commitments:
    """Commitments as judged now, in the order of their ids."""
    wanted = {"name": promise, "customer": customer, "state": judgement}
    where = {name: value for name, value in wanted.items() if value is not None}
    after = cursors.decode(cursor, POSITION) if cursor else None
    found = await reads.page_of_commitments(request.app.state.engine, where, after, limit + 1)
    following = cursors.encode(str(found[limit - 1][0].id)) if len(found) > limit else None
    return Commitments(items=[_commitment(*each) for each in found[:limit]], next=following)


@router.get("/commitments/{commitment_id}", operation_id="get_commitment")
async def get_commitment(commitment_id: UUID, request: Request) -> CommitmentView:
    """One commitment as judged now."""
    return _commitment(*await _find(request, commitment_id))


@router.get("/commitments/{commitment_id}/explanation", operation_id="explain_commitment")
async def explain_commitment(commitment_id: UUID, request: Request) -> Response:
    """Why a commitment is judged as it is: its terms, each piece of evidence, and everything that was said of it."""
    engine: AsyncEngine = request.app.state.engine
    commitment, name, version = await _find(request, commitment_id)
    rows, said = await reads.account_of(engine, commitment)
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        published = Published(await read_promises(driver))
    account = explain(published, commitment, rows, said)
    return Response(orjson.dumps({"promise": name, "version": version, **account}), media_type="application/json")


async def _find(request: Request, commitment_id: UUID) -> tuple[Commitment, str, int]:
    found = await reads.page_of_commitments(request.app.state.engine, {"id": commitment_id}, None, 1)
    if not found:
        raise Problem(NOT_FOUND, "No commitment has that id.")
    return found[0]


def _commitment(commitment: Commitment, name: str, version: int) -> CommitmentView:
    return CommitmentView(
        id=commitment.id, promise=name, version=version, customer=commitment.customer,
        correlation=orjson.loads(commitment.correlation),
        trigger={"id": commitment.trigger_id, "type": commitment.trigger_type, "time": commitment.trigger_time},
        judgement=commitment.state, reason=commitment.reason, due=commitment.due, late=commitment.late,
        standing=commitment.standing, segment=commitment.segment, verdict=commitment.verdict,
        verdict_state=commitment.verdict_state,
    )  # fmt: skip


@router.get("/status", operation_id="get_status")
async def get_status(request: Request) -> Status:
    """Where every partition stands."""
    return await read_status(request.app.state.engine, "promises")


def openapi() -> dict[str, Any]:
    """The OpenAPI document of this service, as committed."""
    settings = PromisesSettings(kafka="none:0", database="postgresql://none")
    return create_app("promises", settings, [router], access=table()).openapi()
