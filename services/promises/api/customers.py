"""Everything that promises keeps of a customer, for whoever asks what is known of them."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.chassis.exports import DESCRIBED, MEDIA_TYPE, as_lines
from services.chassis.problems import NOT_FOUND, Problem
from services.promises.api.shared import Around
from services.promises.store import export

router = APIRouter(prefix="/v1", tags=["customers"])


@router.get("/customers/{customer_id}/export", operation_id="export_customer", response_class=StreamingResponse, responses=DESCRIBED)
async def export_customer(customer_id: UUID, around: Around) -> StreamingResponse:
    """Everything that promises keeps under a customer's key, as JSON Lines: a manifest first, and an end that says what there was."""
    if not await export.is_known(around.engine, customer_id):
        raise Problem(NOT_FOUND, "Nothing was ever owed to this customer, nor agreed with them.")
    parts = {
        "commitment": ("what was owed to them, and how it is judged", export.commitments(around.engine, customer_id)),
        "evidence": ("the events that bear on it", export.evidence(around.engine, customer_id)),
        "term": ("what was agreed with them", export.terms(around.engine, customer_id)),
        "excuse": ("what was said about excusing what was broken", export.excuses(around.engine, customer_id)),
    }
    return StreamingResponse(as_lines("promises", {"customer": customer_id}, parts), media_type=MEDIA_TYPE)
