"""How promises are kept, and how their objectives stand: JSON for programs, CSV for spreadsheets."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.chassis import csvs
from services.chassis.status import Status, read_status
from services.promises.api.shared import Around, Name, no_such_promise
from services.promises.performance import COLUMNS, performance_of, rows_of

router = APIRouter(prefix="/v1", tags=["performance"])


class Performance(BaseModel):
    """How promises have been kept: for each the fields that a backtest reports, then those of its objective."""

    items: list[dict[str, Any]] = Field(
        description="one object a promise, as `makegood backtest --json` prints it; then `interval` (where the true share of all "
        "its commitments lies) and `objective` (null where it has none): share, interval and error budget over the window, "
        "together and by segment"
    )


@router.get("/performance", operation_id="list_performance", response_model=Performance, responses=csvs.DESCRIBED)
async def list_performance(request: Request, around: Around) -> Performance | Response:
    """How every promise has been kept, in the order of first publication."""
    return _answer(request, await performance_of(around.engine))


@router.get("/promises/{name}/performance", operation_id="get_performance", response_model=Performance, responses=csvs.DESCRIBED)
async def get_performance(name: Name, request: Request, around: Around) -> Performance | Response:
    """How one promise has been kept."""
    items = await performance_of(around.engine, name)
    if not items:
        raise no_such_promise()
    return _answer(request, items)


def _answer(request: Request, items: list[dict[str, Any]]) -> Performance | Response:
    if csvs.wanted(request):
        rows = (row for item in items for row in rows_of(item))
        return Response(csvs.render(COLUMNS, rows), media_type=csvs.MEDIA_TYPE)
    return Performance(items=items)


@router.get("/status", operation_id="get_status")
async def get_status(around: Around) -> Status:
    """Where every partition stands."""
    return await read_status(around.engine, "promises", {"look-back": await around.look_back.waiting()})
