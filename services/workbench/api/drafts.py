"""Drafts: a promise while it is written, tried on history, and published by those who may. A draft is kept in the page alone."""

import asyncio
from datetime import datetime
from hashlib import blake2b
from io import StringIO
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Form, Query
from ruamel.yaml import YAML
from starlette.responses import Response

from services.workbench.api.page import Page, SignedIn
from services.workbench.reader import parsed
from services.workbench.upstream import RefusedError

router = APIRouter()
LONGEST: Final = 60_000
"""Characters of a draft; a form holds no more."""
_LATEST: Final = 10
_INVALID: Final = 422
_SKELETON: Final = """\
apiVersion: makegood/v1
kind: Promise
metadata:
  name: parcel-on-time
  owner: logistics
spec:
  statement: Your parcel arrives by the date we showed you at checkout.
  published: [{channel: web, reference: checkout page, since: 2026-01-01}]
  dimension: timeliness
  component: procedures
  response:
    when: {type: order.placed}
    expect: {type: order.delivered}
    correlate: data.order_id
    by: data.due
"""
Text = Annotated[str, Form(max_length=LONGEST)]
Day = Annotated[str, Form(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
What = Literal["lint", "backtest", "publish"]


@router.get("/drafts")
async def write_draft(page: SignedIn, promise: Annotated[str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9-]+$")] = None) -> Response:
    """A draft to be written: of the version that a promise has, or of a new one."""
    if promise is None:
        return await _page(page, _SKELETON)
    versions = await page.get("promises", f"/v1/promises/{promise}")
    document = dict(max(versions["items"], key=lambda each: each["version"])["document"])
    document["metadata"] = {name: value for name, value in document["metadata"].items() if name != "effective_from"}
    return await _page(page, _written(document))


def _written(document: dict[str, Any]) -> str:
    """A document as people write it."""
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = False, 120, True
    yaml.dump(document, text)
    return text.getvalue()


@router.post("/drafts/findings")
async def look_through(page: SignedIn, text: Text = "") -> Response:
    """What is wrong with a draft, while it is written."""
    return page.render("findings.html", findings=_beside_lines((await _lint(page, text))["findings"], text), linted=True)


@router.post("/drafts")
async def take_draft(
    page: SignedIn,
    text: Text = "",
    do: Annotated[What, Form()] = "lint",
    since: Day = "",
    until: Day = "",
    sure: Annotated[str, Form(max_length=10)] = "",
    key: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Look a draft through, try it on history, or publish it."""
    # browsers end lines in two characters; lines and columns are those of one
    text = text.replace("\r\n", "\n")
    linted = await _lint(page, text)
    unsure = do == "publish" and not sure
    if do == "lint" or not linted["documents"] or unsure:
        return await _page(page, text, findings=linted["findings"], since=since, until=until, unsure=unsure)
    try:
        if do == "publish":
            return await _page(page, text, findings=linted["findings"], published=await _publish(page, linted["documents"]))
        body = _asked(page, linted["documents"], since, until)
        begun = await page.services.post(page.someone, "promises", "/v1/backtests", body, key=_once(key, body))
    except RefusedError as error:
        return await _page(page, text, error.status, findings=linted["findings"], since=since, until=until, error=error)
    return page.to(f"/backtests/{begun['id']}")


async def _lint(page: Page, text: str) -> Any:
    return await page.services.post(page.someone, "promises", "/v1/lint", {"text": text.replace("\r\n", "\n")})


def _asked(page: Page, documents: list[dict[str, Any]], since: str, until: str) -> dict[str, Any]:
    """What a backtest is asked for; its days begin where the reader's do."""
    body: dict[str, Any] = {"documents": documents}
    for name, day in (("from", since), ("to", until)):
        if day:
            try:
                body[name] = datetime.fromisoformat(day).replace(tzinfo=page.reader.zone).isoformat()
            except ValueError:
                raise RefusedError(_INVALID, {"title": day, "detail": "2026-11-23"}) from None
    return body


def _once(key: str, body: dict[str, Any]) -> str:
    """The same of one page sent again is the same backtest; another draft of that page is another one."""
    return blake2b(key.encode() + orjson.dumps(body), digest_size=16).hexdigest()


async def _publish(page: Page, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Publish what stands in a draft, calendars before the promises that name them; journey is told of each promise, too."""
    published = []
    for kind, path in (("Calendar", "/v1/calendars"), ("Promise", "/v1/promises")):
        for document in documents:
            if document["kind"] == kind:
                found = await page.services.post(page.someone, "promises", path, document)
                published.append(found | {"kind": kind})
                if kind == "Promise":
                    await page.services.put(page.someone, "journey", f"/v1/promises/{found['name']}/versions/{found['version']}", document)
    return published


def _beside_lines(findings: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Each finding beside the line that it is about."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [each | {"text": lines[each["line"] - 1] if 0 < each["line"] <= len(lines) else ""} for each in findings]


async def _page(page: Page, text: str, status: int = 200, *, findings: list[dict[str, Any]] | None = None, **values: Any) -> Response:
    linted = findings is not None
    latest = await page.shown("promises", "/v1/backtests", limit=_LATEST)
    shown = {"published": [], "error": None, "unsure": False, "since": "", "until": ""} | values
    return page.render(
        "draft.html", status, text=text, findings=_beside_lines(findings or [], text), linted=linted, longest=LONGEST,
        key=str(uuid4()), backtests=None if latest is None else latest["items"], **shown,
    )  # fmt: skip


@router.get("/backtests/{backtest}")
async def show_backtest(backtest: UUID, page: SignedIn) -> Response:
    """How far a backtest has come, and what it came to, beside how the promise is kept now."""
    found, performance = await asyncio.gather(page.get("promises", f"/v1/backtests/{backtest}"), page.look("promises", "/v1/performance"))
    now = {} if performance is None else {each["promise"]: each for each in performance["items"]}
    seconds = (datetime.now(page.reader.zone) - parsed(found["asked_at"])).total_seconds()
    return page.render("backtest.html", found=found, now=now, seconds=seconds)


@router.post("/backtests/{backtest}/end")
async def end_backtest(backtest: UUID, page: SignedIn) -> Response:
    """Cancel a backtest, or let what it came to be forgotten."""
    await page.services.delete(page.someone, "promises", f"/v1/backtests/{backtest}")
    return page.to("/drafts")
