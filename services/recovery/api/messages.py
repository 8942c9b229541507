"""How a message of the playbook would read, before anybody writes it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from contracts.acts.voice import LANGUAGE
from services.recovery.acting import People

router = APIRouter(prefix="/v1", tags=["messages"])


class Preview(BaseModel):
    """A template of the case's playbook, filled from the case as it stands."""

    name: str
    language: str
    subject: str
    text: str


@router.get("/cases/{case_id}/messages/preview", operation_id="preview_message")
async def preview_message(
    case_id: UUID,
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$", description="of the template")],
    language: Annotated[str | None, Query(pattern=LANGUAGE, max_length=35, description="the customer's where left out")] = None,
) -> Preview:
    """How a message would read; nothing is written, and nothing sent."""
    people: People = request.app.state.people
    written = await people.preview(case_id, name, language)
    return Preview(name=written.name, language=written.language, subject=written.subject, text=written.text)
