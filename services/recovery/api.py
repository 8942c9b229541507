"""The HTTP side of recovery: cases, and what people do with them. Every act names the version that it was decided on."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import table
from services.chassis import cursors
from services.chassis.access import Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.exports import DESCRIBED, MEDIA_TYPE
from services.chassis.http import create_app
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import NOT_FOUND, UNAVAILABLE, Kind
from services.chassis.status import Status, read_status
from services.chassis.turns import LaneIsBusyError
from services.recovery import export, handlers, store
from services.recovery.case import Case, PledgeState, Severity, State
from services.recovery.domain import (
    Actor,
    DueHasPassedError,
    NotTheOwnerError,
    NotYourCaseError,
    RefusedError,
    UnknownPledgeError,
)
from services.recovery.erasure import CustomerErasedError
from services.recovery.handlers import ClockNotStartedError, NoSuchCaseError, Wish
from services.recovery.settings import RecoverySettings
from services.recovery.store import Filter

PROBLEMS = {
    NoSuchCaseError: NOT_FOUND,
    CustomerErasedError: Kind(410, "erased", "The customer was erased"),
    UnknownPledgeError: NOT_FOUND,
    RefusedError: Kind(409, "act-refused", "The case does not allow this act now"),
    NotTheOwnerError: Kind(403, "not-the-owner", "Only the owner of the case may do this"),
    NotYourCaseError: Kind(403, "not-your-case", "A customer answers for their own case only"),
    DueHasPassedError: Kind(422, "due-has-passed", "A pledge must be due in the future"),
    ClockNotStartedError: Kind(409, "clock-not-started", "There is no now yet"),
    LaneIsBusyError: UNAVAILABLE,
}
REFUSALS = {
    "confirm_case": "An employee's word does not confirm a recovery; the customer's own answer does.",
}
POSITION: TypeAdapter[store.Position] = TypeAdapter(store.Position)

# Postgres' text holds no NUL.
Words = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
PAGE_SIZE = 50
LARGEST_PAGE = 200

router = APIRouter(prefix="/v1", tags=["recovery"])


class Input(BaseModel):
    """What is sent; a member nobody knows is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class NewPledge(Input):
    """A promise to the customer inside a case."""

    what: Words
    due: AwareDatetime


class Remedy(Input):
    """What was done to make it good."""

    what: Words


class FailureView(BaseModel):
    """A broken commitment of a case."""

    commitment: UUID
    promise: str
    severity: Severity
    broken_at: datetime
    withdrawn: bool


class PledgeView(BaseModel):
    """A pledge of a case."""

    id: UUID
    what: str
    due: datetime
    state: PledgeState


class CaseView(BaseModel):
    """A case as it stands; `due` is when its next open pledge falls due."""

    id: UUID
    customer: UUID
    state: State
    severity: Severity
    owner: str | None
    ask: str | None = Field(description="what a person must decide")
    due: datetime | None
    opened_at: datetime
    changed_at: datetime
    version: int
    failures: list[FailureView]
    pledges: list[PledgeView]
    verdicts: dict[str, str]


class ActView(BaseModel):
    """One act of a case's audit trail; `digest` covers it and the digest before it."""

    number: int
    kind: str
    by: str
    at: datetime
    content: dict[str, Any]
    payload: dict[str, str]
    digest: str


class CaseWithActs(CaseView):
    """A case with everything that was ever done in it."""

    acts: list[ActView]


class CasePage(BaseModel):
    """Some cases, those due next first; `next` continues behind them."""

    items: list[CaseView]
    next: str | None


def build(settings: RecoverySettings, engine: AsyncEngine) -> FastAPI:
    """The application of `python -m services.recovery api`."""
    app = create_app(
        "recovery",
        settings,
        [router],
        access=table(),
        checks={"database": lambda: store.answers(engine)},
        problems=PROBLEMS,
        refusals=REFUSALS,
    )
    app.state.settings, app.state.engine = settings, engine
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document of this service, as committed."""
    settings = RecoverySettings(kafka="none:0", database="postgresql://none")
    return create_app("recovery", settings, [router], access=table()).openapi()


def view(case: Case) -> CaseView:
    """A case as clients read it."""
    return CaseView.model_validate(_members(case))


def _members(case: Case) -> dict[str, Any]:
    members = {name: getattr(case, name) for name in CaseView.model_fields}
    failures = sorted(case.failures.values(), key=lambda each: (each.broken_at, each.commitment))
    pledges = sorted(case.pledges.values(), key=lambda each: (each.due, each.id))
    members["failures"] = [{name: getattr(each, name) for name in FailureView.model_fields} for each in failures]
    members["pledges"] = [{name: getattr(each, name) for name in PledgeView.model_fields} for each in pledges]
    return members


def _render(case: Case) -> bytes:
    return view(case).model_dump_json().encode()


@router.get("/cases", operation_id="list_cases")
async def list_cases(
    request: Request,
    state: Annotated[list[State] | None, Query()] = None,
    owner: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]+$")] = None,
    customer: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> CasePage:
    """Cases, those due next first, then the oldest."""
    after = cursors.decode(cursor, POSITION) if cursor else None
    found = await store.page(request.app.state.engine, Filter(state, owner, customer), after, limit + 1)
    items = [each.case for each in found[:limit]]
    following = cursors.encode(store.position_of(items[-1])) if len(found) > limit else None
    return CasePage(items=[view(each) for each in items], next=following)


@router.get("/cases/{case_id}", operation_id="get_case")
async def get_case(case_id: UUID, request: Request, response: Response) -> CaseWithActs:
    """One case with its failures, pledges and acts; its ETag is what acts on it name in If-Match."""
    found = await store.case_with_trail(request.app.state.engine, case_id)
    if found is None:
        raise NoSuchCaseError(NoSuchCaseError.__doc__)
    stored, trail = found
    response.headers["ETag"] = etag(stored.case.version)
    shown = [
        ActView(number=number, kind=happened.kind, by=happened.by, at=happened.at, content=dict(happened.content),
                payload=dict(happened.payload), digest=digest.hex())
        for number, happened, _, digest in trail
    ]  # fmt: skip
    return CaseWithActs(**_members(stored.case), acts=shown)


@router.post("/cases/{case_id}/owner", operation_id="own_case", response_model=CaseView)
async def own_case(case_id: UUID, request: Request, who: Who, seen: IfMatch) -> Response:
    """Take ownership."""
    return await _do(request, Wish(case_id, "own", _actor(who), seen))


@router.post("/cases/{case_id}/pledges", operation_id="pledge", status_code=201, response_model=CaseView)
async def pledge(case_id: UUID, body: NewPledge, request: Request, who: Who, seen: IfMatch, key: IdempotencyKey) -> Response:
    """Promise the customer something by a time; whether it is kept is judged like every promise."""
    once = Once.of(who.subject, key, f"pledge {case_id}", body.model_dump(mode="json"))
    needs = {"what": body.what, "due": body.due, "key": f"{who.subject} {key}"}
    return await _do(request, Wish(case_id, "pledge", _actor(who), seen, needs, once))


@router.post("/cases/{case_id}/pledges/{pledge_id}/fulfil", operation_id="fulfil_pledge", response_model=CaseView)
async def fulfil_pledge(case_id: UUID, pledge_id: UUID, request: Request, who: Who, seen: IfMatch) -> Response:
    """Say that a pledge was done."""
    return await _do(request, Wish(case_id, "fulfil_pledge", _actor(who), seen, {"pledge": pledge_id}))


@router.post("/cases/{case_id}/remedy", operation_id="remedy_case", response_model=CaseView)
async def remedy_case(case_id: UUID, body: Remedy, request: Request, who: Who, seen: IfMatch) -> Response:
    """Say what was done to make it good."""
    return await _do(request, Wish(case_id, "remedy", _actor(who), seen, {"what": body.what}))


@router.post("/cases/{case_id}/confirm", operation_id="confirm_case", response_model=CaseView)
async def confirm_case(case_id: UUID, request: Request, who: Who, seen: IfMatch) -> Response:
    """Pass on the customer's own answer that it is good again."""
    return await _do(request, Wish(case_id, "confirm", _actor(who), seen))


@router.get("/customers/{customer_id}/export", operation_id="export_customer", response_class=StreamingResponse, responses=DESCRIBED)
async def export_customer(customer_id: UUID, request: Request) -> StreamingResponse:
    """Everything that recovery keeps under a customer's key, as JSON Lines: a manifest first, and an end that says what there was."""
    if not await export.is_known(request.app.state.engine, customer_id):
        raise NoSuchCaseError(NoSuchCaseError.__doc__)
    return StreamingResponse(export.lines(request.app.state.engine, customer_id), media_type=MEDIA_TYPE)


@router.get("/status", operation_id="get_status")
async def status(request: Request) -> Status:
    """Where every partition stands."""
    return await read_status(request.app.state.engine, "recovery")


def _actor(who: Principal) -> Actor:
    return Actor(who.subject, who.roles)


async def _do(request: Request, wish: Wish) -> Response:
    answer = await handlers.do(request.app.state.engine, request.app.state.settings, wish, _render)
    headers = {"ETag": etag(answer.version)}
    return Response(answer.body, answer.status, headers, "application/json")
