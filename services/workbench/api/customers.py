"""Customers: finding one, and what they have lived with us."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.workbench.api.cases import picture_of
from services.workbench.api.page import SignedIn

router = APIRouter(prefix="/customers")
_LINE: Final = 100
_COMMITMENTS: Final = 50


@router.get("")
async def find_customer(page: SignedIn, identifier: Annotated[str, Query(max_length=500)] = "") -> Response:
    """Find a customer by any identifier; the only one found is shown at once."""
    found: list[dict[str, Any]] = []
    if identifier:
        answer = await page.get("journey", "/v1/customers", identifier=identifier)
        found = answer["items"]
    if len(found) == 1:
        return page.to(f"/customers/{found[0]['key']}")
    return page.render("customers.html", identifier=identifier, found=found)


@router.get("/{customer}")
async def show_customer(customer: UUID, page: SignedIn, cursor: Annotated[str | None, Query(max_length=2000)] = None) -> Response:
    """Where they stand with us, what they need, what they said, and all that happened."""
    who = await page.get("journey", f"/v1/customers/{customer}")
    base = f"/v1/customers/{customer}"
    line, journey, relationship, needs, feedback, cases, commitments = await asyncio.gather(
        page.get("journey", base + "/timeline", limit=_LINE, order="newest", cursor=cursor, ahead=None if cursor else True),
        page.look("journey", base + "/journey"), page.look("journey", base + "/relationship"), page.look("journey", base + "/needs"),
        page.look("journey", base + "/feedback"), page.look("recovery", "/v1/cases", customer=str(customer), limit=_COMMITMENTS),
        page.look("promises", "/v1/commitments", customer=str(customer), limit=_COMMITMENTS),
    )  # fmt: skip
    entries, ahead = line["items"][::-1], line["ahead"] or []
    return page.render(
        "customer.html", who=who, entries=entries, ahead=ahead, picture=picture_of(entries, ahead, page), following=line["next"],
        journey=journey, relationship=relationship, needs=needs, feedback=feedback, cases=[] if cases is None else cases["items"],
        commitments=[] if commitments is None else commitments["items"],
    )  # fmt: skip
