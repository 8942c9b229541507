"""Commitments: what is owed to whom, as judged now, and why."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, TypeAdapter

from services.chassis import cursors
from services.chassis.cursors import Cursor
from services.chassis.problems import NOT_FOUND, Kind, Problem
from services.promises.api.rejudgements import BesideView, beside
from services.promises.api.shared import LARGEST_PAGE, NAME, PAGE_SIZE, Around, Surroundings
from services.promises.blindness import subjects_of
from services.promises.catalogue import Published
from services.promises.chain import in_values, links, supporting
from services.promises.commitment import Commitment
from services.promises.explanation import explain
from services.promises.store import reads, sources
from services.promises.store.erasure import is_erased

POSITION: TypeAdapter[UUID] = TypeAdapter(UUID)
LATEST: TypeAdapter[tuple[AwareDatetime, UUID]] = TypeAdapter(tuple[AwareDatetime, UUID])
ERASED = Kind(410, "erased", "The customer was erased")
Wanted = Annotated[str, Query(max_length=200, pattern=NAME)]

router = APIRouter(prefix="/v1", tags=["commitments"])


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


class CommitmentDetail(CommitmentView):
    """One commitment with the second verdicts that stand beside the one in force."""

    rejudgements: list[BesideView]


class Commitments(BaseModel):
    """Some commitments; `next` continues behind them."""

    items: list[CommitmentView]
    next: str | None


@router.get("/commitments", operation_id="list_commitments")
async def list_commitments(
    around: Around,
    promise: Wanted | None = None,
    customer: UUID | None = None,
    judgement: Wanted | None = None,
    order: Annotated[Literal["id", "latest"], Query(description="latest: by when they fell due, or else were triggered")] = "id",
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Commitments:
    """Commitments as judged now, in the order of their ids or the latest first."""
    wanted = {"name": promise, "customer": customer, "state": judgement}
    where = {name: value for name, value in wanted.items() if value is not None}
    if order == "id":
        found = await reads.page_of_commitments(around.engine, where, cursors.behind(cursor, POSITION), limit + 1)
        items, following = cursors.page(found, limit, lambda each: each[0].id)
    else:
        found = await reads.latest_commitments(around.engine, where, cursors.behind(cursor, LATEST), limit + 1)
        items, following = cursors.page(found, limit, lambda each: (each[0].due or each[0].trigger_time, each[0].id))
    return Commitments(items=[_commitment(*each) for each in items], next=following)


@router.get("/commitments/{commitment_id}", operation_id="get_commitment")
async def get_commitment(commitment_id: UUID, around: Around) -> CommitmentDetail:
    """One commitment as judged now, and as it was judged under other versions."""
    found = _commitment(*await find(around, commitment_id))
    return CommitmentDetail(**found.model_dump(), rejudgements=await beside(around, commitment_id))


@router.get("/commitments/{commitment_id}/explanation", operation_id="explain_commitment")
async def explain_commitment(commitment_id: UUID, around: Around) -> Response:
    """Why a commitment is judged as it is: its terms, each piece of evidence, and everything that was said of it."""
    commitment, name, version = await find(around, commitment_id)
    await require_known(around, commitment.customer)
    rows, said = await reads.account_of(around.engine, commitment)
    declared = [each.row for each in await sources.published_sources(around.engine)]
    published = Published(await reads.read_versions(around.engine), declared=declared)
    subjects = subjects_of(commitment.customer, published.sources_of(commitment.promise))
    spots = await sources.spots_of(around.engine, commitment.partition, subjects)
    barrier = await reads.barrier(around.engine) or commitment.trigger_time
    account = explain(published, commitment, rows, said, barrier, spots)
    chain = await _links(around, published, commitment, datetime.fromisoformat(account["clock"]["until"]))
    second = [each.model_dump(mode="json") for each in await beside(around, commitment_id)]
    body = {"promise": name, "version": version, **account, "links": chain, "rejudgements": second}
    return Response(orjson.dumps(body), media_type="application/json")


async def _links(around: Surroundings, published: Published, commitment: Commitment, until: datetime) -> list[dict[str, Any]]:
    """Which internal promises held its clock."""
    below = supporting(published, commitment.promise)
    others = await reads.commitments_of(around.engine, commitment.customer, below, until) if below else []
    return in_values(links(published, commitment, others, until))


async def find(around: Around, commitment_id: UUID) -> tuple[Commitment, str, int]:
    """A commitment with its promise's name and version; raises the 404 problem where there is none."""
    found = await reads.page_of_commitments(around.engine, {"id": commitment_id}, None, 1)
    if not found:
        raise Problem(NOT_FOUND, "No commitment has that id.")
    return found[0]


async def require_known(around: Surroundings, customer: UUID) -> None:
    """Raise the 410 problem where the customer was erased."""
    if await is_erased(around.engine, customer):
        raise Problem(ERASED, "Whose commitment it was, and what it was about, is not known any more; how it was judged stands.")


def _commitment(commitment: Commitment, name: str, version: int) -> CommitmentView:
    return CommitmentView(
        id=commitment.id, promise=name, version=version, customer=commitment.customer,
        correlation=orjson.loads(commitment.correlation),
        trigger={"id": commitment.trigger_id, "type": commitment.trigger_type, "time": commitment.trigger_time},
        judgement=commitment.state, reason=commitment.reason, due=commitment.due, late=commitment.late,
        standing=commitment.standing, segment=commitment.segment, verdict=commitment.verdict,
        verdict_state=commitment.verdict_state,
    )  # fmt: skip
