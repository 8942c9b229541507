"""Customers: finding one, and what they have lived with us."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.workbench.api.cases import picture_of
from services.workbench.api.page import Page, SignedIn
from services.workbench.plots import Curve, Plot, Sample, plot
from services.workbench.reader import parsed
from services.workbench.ways import Way, in_lines, way

router = APIRouter(prefix="/customers")
_LINE: Final = 100
_SHOWN: Final = 50
_BEST: Final = 100.0
"""The score goes from 0 to this."""


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
        page.look("journey", base + "/feedback"), page.look("recovery", "/v1/cases", customer=str(customer), limit=_SHOWN),
        page.look("promises", "/v1/commitments", customer=str(customer), limit=_SHOWN, order="latest"),
    )  # fmt: skip
    entries, ahead = line["items"][::-1], line["ahead"] or []
    ways = await _ways(page, [] if journey is None else journey["items"])
    above, below = _iceberg([] if needs is None else needs["items"])
    return page.render(
        "customer.html", who=who, entries=entries, ahead=ahead, picture=await picture_of(entries, ahead, page), following=line["next"],
        older=cursor is not None,
        ways=ways, in_lines=in_lines, relationship=relationship, score=_score(relationship), needs=needs, above=above, below=below,
        feedback=feedback, cases=cases and cases["items"], commitments=commitments,
    )  # fmt: skip


async def _ways(page: Page, travelled: Iterable[Mapping[str, Any]]) -> list[Way]:
    """The maps that this customer has set foot on, with their place on each."""
    begun = [each for each in travelled if each["visits"]]
    totals = await asyncio.gather(*(page.look("journey", f"/v1/journey-maps/{each['map']}") for each in begun))
    return [way(map_, each) for map_, each in zip(totals, begun, strict=True) if map_ is not None]


def _iceberg(needs: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """What was said, which everybody sees; and what lies under the water line."""
    found = list(needs)
    return [each for each in found if each["kind"] == "manifest"], [each for each in found if each["kind"] != "manifest"]


def _score(relationship: Mapping[str, Any] | None) -> Plot | None:
    """How the score went, from piece to piece, and where it stands now; what became of pieces since lets it fall between."""
    if relationship is None or relationship["score"] is None or not relationship["history"]:
        return None
    samples = [Sample(parsed(each["time"]), each["score"]) for each in relationship["history"]]
    now = Sample(parsed(relationship["as_of"]), relationship["score"])
    return plot([Curve("", [*samples, now])], lowest=0.0, highest=_BEST)
