"""Operations: is it healthy, how far behind is it, and what waits for a person."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Path, Query
from starlette.responses import Response

from services.workbench.api.page import Page, SignedIn
from services.workbench.reader import parsed
from services.workbench.upstream import RefusedError

router = APIRouter(prefix="/operations")
_SERVICES: Final = ("journey", "promises", "recovery")
_SHOWN: Final = 50
_BEHIND_SECONDS: Final = 5.0
"""A lane whose barrier is older than this is pointed out; a silent one is ticked after half a second."""
_WITHOUT_BARRIER: Final = {"journey": ("makegood.promises", "makegood.recovery")}
"""Topics that a service reads facts of, by which no time passes for it."""
_SLOW_SECONDS: Final = 0.5
_EVENT: Final = 60_000
_TRACE: Final = re.compile(r"\b[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b")
_UNREADABLE: Final = 422
Topic = Annotated[Literal["touchpoints", "acts"], Path()]
Partition = Annotated[int, Path(ge=0, lt=2**31)]
Offset = Annotated[int, Path(ge=0, lt=2**63)]


@router.get("")
async def show_operations(
    page: SignedIn,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    settled: Annotated[bool, Query(description="those that were settled, instead of those that wait")] = False,  # noqa: FBT002
    done: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """Every lane, what is behind and slow, silent sources, refused records and what could not be delivered."""
    missing, sources, quarantine, failed, *statuses = await asyncio.gather(
        page.services.missing(), page.look("journey", "/v1/sources"),
        page.look("journey", "/v1/quarantine", limit=_SHOWN, settled=settled, cursor=cursor),
        page.look("recovery", "/v1/deliveries", state="failed", limit=_SHOWN),
        *(_status(page, each) for each in _SERVICES),
    )  # fmt: skip
    return page.render(
        "operations.html", missing=missing, statuses=dict(zip(_SERVICES, statuses, strict=True)), settled=settled, done=done,
        sources=[] if sources is None else sources["items"], quarantine=quarantine, failed=failed,
    )  # fmt: skip


async def _status(page: Page, service: str) -> Any:
    """How far a service has come, how old the barrier of each of its lanes is, and how long it took to say so."""
    began = time.perf_counter()
    status = await page.look(service, "/v1/status")
    if status is None:
        return None
    ages = [None if each["arrival"] is None else _age(page, each["arrival"]) for each in status["lanes"]]
    lanes = [each | {"age": age, "behind": _is_behind(service, each, age)} for each, age in zip(status["lanes"], ages, strict=True)]
    took = time.perf_counter() - began
    return status | {"lanes": lanes, "took": took * 1000, "slow": took > _SLOW_SECONDS}


def _age(page: Page, arrival: str) -> float:
    """Seconds; a barrier that is ahead of the reader's clock is no older than now."""
    return max((page.reader.now - parsed(arrival)).total_seconds(), 0.0)


def _is_behind(service: str, lane: Mapping[str, Any], age: float | None) -> bool:
    """Whether a lane's barrier is old, or was never heard where there should be one."""
    return lane["topic"] not in _WITHOUT_BARRIER.get(service, ()) if age is None else age > _BEHIND_SECONDS


@router.get("/quarantine/{topic}/{partition}/{position}")
async def show_record(topic: Topic, partition: Partition, position: Offset, page: SignedIn) -> Response:
    """One refused record: what was sent, why it was refused, and what can be done about it."""
    return await _record(page, f"{topic}/{partition}/{position}")


@router.post("/quarantine/{topic}/{partition}/{position}")
async def settle_record(
    topic: Topic, partition: Partition, position: Offset, page: SignedIn,
    act: Annotated[Literal["try", "release", "dismiss"], Form()],
    event: Annotated[str, Form(max_length=_EVENT)] = "", before: Annotated[str, Form(max_length=_EVENT)] = "",
    reason: Annotated[str, Form(max_length=4000)] = "",
) -> Response:  # fmt: skip
    """Try what would come of a record as it is or corrected, take it in after all, or say that nobody needs it."""
    where, body = f"{topic}/{partition}/{position}", dict[str, Any]()
    sent = {"event": event, "reason": reason}
    if act == "dismiss":
        body = {"reason": reason}
    elif event.replace("\r\n", "\n").strip() != before.replace("\r\n", "\n").strip():
        try:
            body = {"event": json.loads(event)}
        except ValueError as error:
            return await _record(page, where, _UNREADABLE, sent=sent, unreadable=str(error))
    path = f"/v1/quarantine/{where}/{'dismiss' if act == 'dismiss' else 'release'}{'?dry_run=true' if act == 'try' else ''}"
    try:
        answer = await page.services.post(page.someone, "journey", path, body or None)
    except RefusedError as refused:
        return await _record(page, where, refused.status, sent=sent, refused=refused)
    if act == "try":
        return await _record(page, where, sent=sent, tried=answer)
    return page.to(f"/operations?done={act}")


async def _record(page: Page, where: str, status: int = 200, **came: Any) -> Response:
    record = await page.get("journey", f"/v1/quarantine/{where}")
    text = record["text"]
    traces = page.request.app.state.settings.traces_url
    return page.render(
        "quarantined.html", status, record=record, target=f"/operations/quarantine/{where}", event=_readable(text),
        may_act="operations" in page.roles,
        trace=trace_of(text or "", traces),
        **{"sent": None, "refused": None, "tried": None, "unreadable": None} | came,
    )  # fmt: skip


def trace_of(record: str, address: str) -> str | None:
    """Where the trace of a record is shown that names one (W3C Trace Context); None without such an address."""
    trace = _TRACE.search(record)
    return address.replace("{trace}", trace[1]) if address and trace else None


def _readable(text: str | None) -> str:
    """An event as it is put right by hand: JSON on several lines; what is none stays as it was sent."""
    try:
        return json.dumps(json.loads(text or ""), indent=2, ensure_ascii=False)
    except ValueError:
        return text or ""
