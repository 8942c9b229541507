"""Forgetting a customer, and how far that has come; everything that is known of one."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Who
from services.chassis.exports import DESCRIBED, MEDIA_TYPE
from services.chassis.problems import NOT_FOUND, Problem
from services.journey.privacy import erasure, export
from services.journey.privacy.erasure import Asked, NoSuchCustomerError
from services.journey.store import erasure as store
from services.journey.store.erasure import Erasure

router = APIRouter(prefix="/v1", tags=["journey"])
PROBLEMS = {NoSuchCustomerError: NOT_FOUND}
Reason = Literal["request", "objection", "consent-withdrawn", "unlawful", "no-longer-needed", "required-by-law"]


class NewErasure(BaseModel):
    """Why somebody is to be forgotten; one of a few words, so that the audit itself names nobody."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class KeyView(BaseModel):
    """One key of the person, and who has erased what it kept under it."""

    customer: UUID
    emptied: int = Field(description="events and facts emptied so far")
    journey: datetime | None = Field(description="when journey was done")
    promises: datetime | None = Field(description="when promises said that it was")
    recovery: datetime | None = Field(description="when recovery said that it was")


class ErasureView(BaseModel):
    """Somebody who is forgotten; nothing that names them is taken in any more from `at` on."""

    customer: UUID
    reason: Reason
    by: str
    asked_at: datetime
    at: datetime = Field(description="the arrival from which on they were forgotten")
    state: Literal["running", "done"] = Field(description="done: every service has erased its part")
    keys: list[KeyView]


@router.post("/customers/{customer_id}/erasure", operation_id="erase_customer", status_code=202)
async def erase_customer(customer_id: UUID, body: NewErasure, request: Request, who: Who) -> ErasureView:
    """Forget a customer, under all keys of that person. Asked again it says how far it has come; it cannot be undone."""
    asked = Asked(customer_id, body.reason, who.subject)
    return _view(await erasure.ask(request.app.state.engine, request.app.state.settings, asked))


@router.get("/customers/{customer_id}/erasure", operation_id="get_erasure")
async def get_erasure(customer_id: UUID, request: Request) -> ErasureView:
    """How far forgetting a customer has come, in each service."""
    found = await store.of_person(request.app.state.engine, customer_id)
    if not found:
        raise Problem(NOT_FOUND, "Nobody has asked for this customer to be erased.")
    return _view(found)


def _view(found: list[Erasure]) -> ErasureView:
    first = next((each for each in found if each.customer == each.person), found[0])
    keys = [
        KeyView(customer=each.customer, emptied=each.emptied, journey=each.done_at, promises=each.promises_at, recovery=each.recovery_at)
        for each in found
    ]
    done = all(each.done_at and each.promises_at and each.recovery_at for each in found)
    return ErasureView.model_validate(
        {"customer": first.person, "reason": first.reason, "by": first.by, "asked_at": first.asked_at, "at": first.at,
         "state": "done" if done else "running", "keys": keys}
    )  # fmt: skip


@router.get("/customers/{customer_id}/export", operation_id="export_customer", response_class=StreamingResponse, responses=DESCRIBED)
async def export_customer(customer_id: UUID, request: Request) -> StreamingResponse:
    """Everything that journey keeps of a customer, as JSON Lines: a manifest first, and an end that says what there was."""
    engine = request.app.state.engine
    if not await export.is_known(engine, customer_id):
        raise NoSuchCustomerError(NoSuchCustomerError.__doc__)
    return StreamingResponse(export.lines(engine, customer_id), media_type=MEDIA_TYPE)
