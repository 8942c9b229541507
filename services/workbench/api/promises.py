"""Promises: what we promise and how we keep it, for those inside and for anybody; and why a commitment came out as it did."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from services.workbench.api.page import Anybody, Page, SignedIn, spreadsheet
from services.workbench.plots import Curve, Plot, Sample, plot, with_gaps
from services.workbench.reader import parsed

router = APIRouter()
SHOWN: Final = 50
_LAST: Final = 10
"""Breaks that are accounted for on the page of their promise; all of them are listed a link away."""
_MOST_SEGMENTS: Final = 100
"""Of a promise's segments those broken most often are shown; all of them are a link away."""
Name = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9-]+$")]
Bucket = Literal["day", "week", "month"]


@router.get("/promises")
async def list_promises(page: SignedIn) -> Response:
    """Every promise with how it was kept, and how that went from month to month."""
    published, performance, months = await asyncio.gather(
        page.get("promises", "/v1/promises"),
        page.get("promises", "/v1/performance"),
        page.look("journey", "/v1/indicators", by="promise", zone=page.reader.zone.key),
    )
    kept = {each["promise"]: each for each in performance["items"]}
    newest = {each["name"]: each for each in sorted(published["items"], key=lambda each: each["version"])}
    went = {name: shares([each for each in _rows(months) if each["promise"] == name], "month") for name in newest}
    rows = [(each, kept.get(name), went[name]) for name, each in sorted(newest.items())]
    return page.render("promises.html", rows=rows)


@router.get("/promises.csv")
async def list_promises_as_table(page: SignedIn) -> Response:
    """How every promise was kept, for a spreadsheet."""
    return spreadsheet("promises", await page.services.csv(page.session, "promises", "/v1/performance"))


@router.get("/promises/{name}.csv")
async def show_promise_as_table(name: Name, page: SignedIn) -> Response:
    """How one promise was kept, with every segment, for a spreadsheet."""
    return spreadsheet(name, await page.services.csv(page.session, "promises", f"/v1/promises/{name}/performance"))


@router.get("/promises/{name}")
async def show_promise(name: Name, page: SignedIn, bucket: Bucket = "month") -> Response:
    """One promise: what it says, how it was kept over time and by segment, and what broke last."""
    promise, performance, went, broken = await asyncio.gather(
        page.get("promises", f"/v1/promises/{name}"),
        page.get("promises", f"/v1/promises/{name}/performance"),
        page.look("journey", "/v1/indicators", by="promise", promise=name, bucket=bucket, zone=page.reader.zone.key),
        page.look("promises", "/v1/commitments", promise=name, judgement="broken", order="latest", limit=_LAST),
    )
    (kept,) = performance["items"]
    objective = kept["objective"]
    accounts = await _accounts(page, [] if broken is None else broken["items"])
    return page.render(
        "promise.html", name=name, versions=promise["items"], retirements=promise["retirements"], kept=kept, bucket=bucket, went=went,
        plot=shares(_rows(went), bucket, None if objective is None else objective["target"]),
        segments=[_shared(each) for each in sorted(kept["segments"], key=lambda each: -each["broken"])[:_MOST_SEGMENTS]],
        broken=accounts, held=held(why for _, why in accounts),
        more=broken is not None and broken["next"] is not None,
    )  # fmt: skip


async def _accounts(page: Page, broken: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], Any]]:
    """Each of them with its explanation, None where it cannot be had any more."""
    found = list(broken)
    whys = await asyncio.gather(*(page.look("promises", f"/v1/commitments/{each['id']}/explanation") for each in found))
    return list(zip(found, whys, strict=True))


def held(explanations: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """How long each held the clock in all of these commitments together, in seconds, the longest first; as in one explanation."""
    total = Counter[str]()
    for why in explanations:
        for each in ((why and why["clock"]) or {}).get("holders", ()):
            total[each["holder"]] += each["seconds"]
    return {"holders": [{"holder": holder, "seconds": seconds} for holder, seconds in total.most_common()]}


def _shared(segment: Mapping[str, Any]) -> dict[str, Any]:
    """A segment with its shares of what was decided; None where nothing was."""
    decided = segment["kept"] + segment["broken"]
    return {**segment, **{f"{name}_share": segment[name] / decided if decided else None for name in ("kept", "broken")}}


def _rows(answer: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [] if answer is None else list(answer["items"])


def shares(rows: Iterable[Mapping[str, Any]], bucket: Bucket, target: float | None = None) -> Plot | None:
    """How a share kept went, of the rows of an indicator."""
    samples = [Sample(parsed(each["start"]), each["kept_share"], each["kept_low"], each["kept_high"]) for each in rows]
    return plot([Curve("", with_gaps(samples, bucket))], highest=1.0, target=target)


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
    went = {
        each["promise"]: plot(
            [Curve("", with_gaps([Sample(parsed(month["month"]), month["share"]) for month in each["months"]], "month"))], highest=1.0
        )
        for each in register["items"]
    }
    return page.render("register.html", register=register, went=went)


@router.get("/register.csv")
async def show_register_as_table(page: Anybody) -> Response:
    """The same, for a spreadsheet."""
    return spreadsheet("register", await page.services.csv(None, "promises", "/v1/register"))
