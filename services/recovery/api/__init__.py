"""The HTTP side of recovery: cases, and what people do with them. Every act names the version that it was decided on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import table
from contracts.acts import Name, Needs, Words
from contracts.acts.money import Money
from services.chassis import keyring, watching
from services.chassis.access import Who
from services.chassis.apikeys import ApiKeys
from services.chassis.database import answers
from services.chassis.exports import DESCRIBED, MEDIA_TYPE
from services.chassis.http import create_app
from services.chassis.preconditions import IdempotencyKey, Once, etag
from services.chassis.problems import NOT_FOUND, UNAVAILABLE, Kind
from services.chassis.status import Status, read_status
from services.chassis.turns import LaneIsBusyError
from services.recovery import export, store
from services.recovery.acting import ClockNotStartedError, NoSuchCaseError, NoSuchPlaybookError, People, Report
from services.recovery.api import (
    acts,
    attachments,
    bulk,
    giving,
    learning,
    lists,
    mass,
    measures,
    messages,
    parts,
    people,
    playbooks,
    surge,
    watch,
    webhooks,
)
from services.recovery.api.acts import actor, answer, render
from services.recovery.api.views import Audit, CaseView, CaseWithActs, act_view, going_on, members
from services.recovery.audit import Entry
from services.recovery.domain.approvals import BeyondAuthorityError, SelfApprovalError
from services.recovery.domain.case import Severity
from services.recovery.domain.deeds import (
    DueHasPassedError,
    NoOtherCaseError,
    NothingOwedError,
    NotTheOwnerError,
    NotYourCaseError,
    RefusedError,
)
from services.recovery.domain.grouping import IsClosedError, NotPartOfItError, NotTheLeadError, StillInWorkError
from services.recovery.domain.helping import NotAskedOfYouError
from services.recovery.domain.learning import BecauseIsOfPeopleError
from services.recovery.domain.messages import CannotBeReachedError, NoSuchTemplateError
from services.recovery.domain.owning import CarriesTooMuchError, HasAnOwnerError, NotOfferedToYouError, RestsError
from services.recovery.erasure import CustomerErasedError
from services.recovery.live import Live
from services.recovery.scanning import FoundInFileError, ScannerUnavailableError
from services.recovery.settings import RecoverySettings
from services.recovery.telling.hooks import ForbiddenAddressError

PROBLEMS = {
    NoSuchCaseError: NOT_FOUND,
    CustomerErasedError: Kind(410, "erased", "The customer was erased"),
    NothingOwedError: NOT_FOUND,
    NoOtherCaseError: NOT_FOUND,
    NoSuchPlaybookError: NOT_FOUND,
    RefusedError: Kind(409, "act-refused", "The case does not allow this act now"),
    NoSuchTemplateError: NOT_FOUND,
    CannotBeReachedError: Kind(409, "cannot-be-reached", "The customer cannot be reached from here"),
    NotTheOwnerError: Kind(403, "not-the-owner", "Only the owner of the case may do this"),
    NotYourCaseError: Kind(403, "not-your-case", "A customer answers for their own case only"),
    NotAskedOfYouError: Kind(403, "not-asked-of-you", "This help was asked of or by somebody else"),
    NotOfferedToYouError: Kind(403, "not-offered-to-you", "The case was offered to somebody else, or to nobody"),
    CarriesTooMuchError: Kind(409, "carries-too-much", "One more case would be too much for them"),
    RestsError: Kind(409, "rests", "They rest from a hard case"),
    HasAnOwnerError: Kind(409, "has-an-owner", "Somebody has the case already"),
    BecauseIsOfPeopleError: Kind(422, "because-is-of-people", "Of people, and of people only, say what they lacked"),
    DueHasPassedError: Kind(422, "due-has-passed", "What is owed must be due in the future"),
    SelfApprovalError: Kind(403, "self-approval", "Nobody decides what they asked themselves"),
    BeyondAuthorityError: Kind(403, "beyond-authority", "This takes an approval"),
    ClockNotStartedError: Kind(409, "clock-not-started", "There is no now yet"),
    ForbiddenAddressError: Kind(422, "forbidden-address", "Webhooks go to public https addresses only"),
    NotPartOfItError: NOT_FOUND,
    NotTheLeadError: Kind(403, "not-the-lead", "Whoever leads the mass failure does this"),
    StillInWorkError: Kind(409, "still-in-work", "Some of its cases are still in work"),
    IsClosedError: Kind(409, "is-closed", "The mass failure is closed"),
    LaneIsBusyError: UNAVAILABLE,
    FoundInFileError: Kind(422, "found-in-file", "The scanner found something in the file"),
    ScannerUnavailableError: Kind(503, "scanner-unavailable", "The file could not be scanned"),
}
REFUSALS = {
    "confirm_case": "An employee's word does not confirm a recovery; the customer's own answer does.",
}

router = APIRouter(prefix="/v1", tags=["recovery"])
_PARTS = (lists, acts, attachments, parts, messages, playbooks, people, learning, giving, webhooks, bulk, measures, mass, surge)
ROUTERS = [watch.router, router, keyring.router, *(each.router for each in _PARTS)]


class NewCase(Needs):
    """Somebody says that we failed a customer."""

    customer: UUID
    what: Words = Field(description="what happened, in the words of whoever says so")
    severity: Severity | None = Field(default=None, description="how much it hurts; the playbook's where it is left out")
    playbook: Name | None = Field(default=None, description="how it is to be made good")
    value: Money | None = Field(default=None, description="what they stand to lose by it; the playbook's rules go by it")


def build(settings: RecoverySettings, engine: AsyncEngine) -> FastAPI:
    """The application of `python -m services.recovery api`."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(app.state.live.run())
        yield
        app.state.leaving.set()
        await looking

    app = create_app(
        "recovery",
        settings,
        ROUTERS,
        access=table(),
        lifespan=lifespan,
        checks={"database": lambda: answers(engine)},
        problems=PROBLEMS | watching.PROBLEMS | watch.PROBLEMS,
        refusals=REFUSALS,
        larger={attachments.PATH: settings.attachment_bytes, "/v1/bulk-acts": bulk.BODY_BYTES},
    )
    app.state.settings, app.state.engine, app.state.people = settings, engine, People(engine, settings)
    app.state.gate.api_keys = ApiKeys(engine)
    app.state.live = Live(engine, settings, app.state.leaving)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document of this service, as committed."""
    settings = RecoverySettings(kafka="none:0", database="postgresql://none")
    return create_app("recovery", settings, ROUTERS, access=table()).openapi()


@router.get("/cases/{case_id}", operation_id="get_case")
async def get_case(case_id: UUID, request: Request, response: Response) -> CaseWithActs:
    """One case with its failures, pledges and acts; its ETag is what acts on it name in If-Match."""
    stored, trail = await _with_trail(request, case_id)
    response.headers["ETag"] = etag(stored.case.version)
    async with request.app.state.engine.connect() as connection:
        merged = [going_on(each) for each in await store.merged_into(connection, case_id)]
    return CaseWithActs(**members(stored.case), acts=[act_view(each) for each in trail], merged=merged)


@router.get("/cases/{case_id}/audit", operation_id="get_audit")
async def get_audit(case_id: UUID, request: Request) -> Audit:
    """Every act that was ever done in a case with the hash chain over them; `makegood audit verify` computes it again."""
    stored, trail = await _with_trail(request, case_id)
    acts_ = [act_view(each) for each in trail]
    return Audit(case=case_id, version=stored.case.version, digest=stored.digest.hex(), acts=acts_)


async def _with_trail(request: Request, case_id: UUID) -> tuple[store.Stored, list[Entry]]:
    found = await store.case_with_trail(request.app.state.engine, case_id)
    if found is None:
        raise NoSuchCaseError(NoSuchCaseError.__doc__)
    return found


@router.post("/cases", operation_id="open_case", status_code=201, response_model=CaseView)
async def open_case(body: NewCase, request: Request, who: Who, key: IdempotencyKey) -> Response:
    """Say that we failed a customer; it joins their case in work, or opens one."""
    once = Once.of(who.subject, key, "open_case", body.model_dump(mode="json"))
    people: People = request.app.state.people
    value = None if body.value is None else body.value.model_dump()
    report = Report(body.customer, actor(who), body.what, once, body.severity, body.playbook, value)
    return answer(await people.report(report, render))


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
