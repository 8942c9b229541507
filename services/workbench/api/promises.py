"""Promises: what we promise and how we keep it, for those inside and for anybody; and why a commitment came out as it did."""

import asyncio
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from services.workbench.api.page import Anybody, SignedIn

router = APIRouter()
SHOWN: Final = 50
Name = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9-]+$")]


@router.get("/promises")
async def list_promises(page: SignedIn) -> Response:
    """Every promise with how it was kept."""
    published, performance = await asyncio.gather(page.get("promises", "/v1/promises"), page.get("promises", "/v1/performance"))
    kept = {each["promise"]: each for each in performance["items"]}
    newest = {each["name"]: each for each in sorted(published["items"], key=lambda each: each["version"])}
    rows = [(each, kept.get(name)) for name, each in sorted(newest.items())]
    return page.render("promises.html", rows=rows)


@router.get("/promises/{name}")
async def show_promise(name: Name, page: SignedIn) -> Response:
    """One promise: what it says, how it was kept by segment, and what broke last."""
    promise, performance, broken = await asyncio.gather(
        page.get("promises", f"/v1/promises/{name}"),
        page.get("promises", f"/v1/promises/{name}/performance"),
        page.look("promises", "/v1/commitments", promise=name, judgement="broken", limit=10),
    )
    return page.render(
        "promise.html", name=name, versions=promise["items"], performance=performance["items"],
        broken=[] if broken is None else broken["items"],
    )  # fmt: skip


@router.get("/commitments")
async def list_commitments(
    page: SignedIn,
    promise: Annotated[str | None, Query(max_length=200)] = None,
    customer: UUID | None = None,
    judgement: Annotated[str | None, Query(max_length=40)] = None,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """Commitments of a promise or of a customer, the latest first."""
    chosen = {"promise": promise or None, "customer": None if customer is None else str(customer), "judgement": judgement or None}
    found = await page.get("promises", "/v1/commitments", order="latest", limit=SHOWN, cursor=cursor, **chosen)
    return page.render("commitments.html", items=found["items"], following=found["next"], chosen=chosen)


@router.get("/commitments/{commitment}")
async def explain_commitment(commitment: UUID, page: SignedIn) -> Response:
    """Why a commitment came out as it did; made to be printed."""
    return page.render("commitment.html", why=await page.get("promises", f"/v1/commitments/{commitment}/explanation"))


@router.get("/register")
async def show_register(page: Anybody) -> Response:
    """What we promise to everybody, and how we keep it; nobody has to sign in."""
    register = await page.services.get(None, "promises", "/v1/register")
    return page.render("register.html", register=register)
