"""What is wrong with a draft, said while it is written: nothing of it is kept, published or judged."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.chassis.documents import Finding, ProblemsFoundError
from services.promises import language
from services.promises.api.shared import NAME, Around, Input
from services.promises.catalogue import read_calendar
from services.promises.language import Known
from services.promises.lint import opinions
from services.promises.store import published

router = APIRouter(prefix="/v1", tags=["promises"])


class Written(Input):
    """A draft as it is written; `file` is what its findings call it."""

    file: Annotated[str, Field(min_length=1, max_length=200, pattern=NAME)] = "draft.yaml"
    text: str = Field(max_length=128 * 1024, description="documents of the promise language, as YAML or JSON")


class FindingView(BaseModel):
    """What is wrong at one place and what would be right; or what a careful reader would say of it."""

    file: str
    line: int
    column: int
    message: str
    opinion: bool = Field(description="true: the language allows it, so it could be published")


class Linted(BaseModel):
    """All findings in the order of their places; and the documents as they are published, where the language allows them."""

    findings: list[FindingView]
    documents: list[dict[str, Any]]


@router.post("/lint", operation_id="lint_draft")
async def lint_draft(body: Written, around: Around) -> Linted:
    """Say what is wrong with a draft, as `makegood lint` does; it may name published calendars."""
    calendars = Known(dict(read_calendar(each.document) for each in await published.read_calendars(around.engine)))
    # beside the loop: a long draft takes longer to read than others are to wait
    return await asyncio.to_thread(_linted, body, calendars, await around.now())


def _linted(body: Written, known: Known, now: datetime) -> Linted:
    try:
        found = language.read(body.text, body.file, known)
    except ProblemsFoundError as problems:
        return Linted(findings=[_finding(each, opinion=False) for each in problems.findings], documents=[])
    said = opinions([(body.file, each) for each in found], now)
    return Linted(findings=[_finding(each, opinion=True) for each in said], documents=[each.raw for each in found])


def _finding(found: Finding, *, opinion: bool) -> FindingView:
    return FindingView(file=found.file, line=found.line, column=found.column, message=found.message, opinion=opinion)
