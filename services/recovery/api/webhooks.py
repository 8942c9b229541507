"""Systems that are told the facts of cases, and the log of everything that was told by other ways than the log of events."""

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from contracts import topics
from contracts.acts import Needs
from contracts.recovery import EVENTS
from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import NOT_FOUND, Problem
from services.recovery.api.acts import answer
from services.recovery.store import deliveries
from services.recovery.store.deliveries import Hook
from services.recovery.telling import hooks

router = APIRouter(prefix="/v1", tags=["webhooks"])
TYPES = sorted(each.name for each in EVENTS if each.topic == topics.RECOVERY and each.name.startswith("makegood.case."))
NO_WEBHOOK = "There is no such webhook."
POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[datetime, UUID])


def _some_fact(pattern: str) -> str:
    if not any(fnmatchcase(each, pattern) for each in TYPES):
        message = f"no fact of a case is called so; `makegood.case.*` is all of them, {TYPES[0]} one"
        raise ValueError(message)
    return pattern


class NewWebhook(Needs):
    """A system that wants to be told facts, signed as Standard Webhooks says."""

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[!-~]+$")] = Field(description="a public https address")
    types: Annotated[list[Annotated[str, Field(max_length=200), AfterValidator(_some_fact)]], Field(min_length=1, max_length=100)]


class Webhook(BaseModel):
    """A system that is told facts."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    url: str
    types: list[str]
    version: int
    created_at: datetime
    created_by: str


class CreatedWebhook(Webhook):
    """A new webhook."""

    secret: str = Field(description="what signatures are checked with; it is shown in this answer and nowhere else")


class Webhooks(BaseModel):
    """Systems that are told facts, the oldest first; `next` continues behind them."""

    items: list[Webhook]
    next: str | None


class Delivery(BaseModel):
    """Something told, or to be told: a message to a customer, a notice to somebody of the company, a fact to a system."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="of a webhook, its `webhook-id`")
    kind: Literal["message", "notice", "webhook"]
    about: UUID = Field(description="the message, the case, or the webhook")
    case_id: UUID
    due: datetime
    state: Literal["waiting", "sent", "failed", "discarded"]
    attempts: int
    settled_at: datetime | None
    reason: str | None = Field(description="why the last attempt failed")


class Deliveries(BaseModel):
    """Some deliveries, the latest due first; `next` continues behind them."""

    items: list[Delivery]
    next: str | None


@router.post("/webhooks", operation_id="create_webhook", status_code=201, response_model=CreatedWebhook)
async def create_webhook(body: NewWebhook, request: Request, who: Who, key: IdempotencyKey) -> Response:
    """Tell a system the facts of cases from now on."""
    _require_shape(body, request)
    hook = Hook(uuid4(), body.url, body.types, hooks.new_secret(), 1, datetime.now(UTC), who.subject)
    made = CreatedWebhook(**hook._asdict() | {"secret": hooks.shown(hook.secret)})
    once = Once.of(who.subject, key, "create_webhook", body.model_dump(mode="json"))
    return answer(await deliveries.add_hook(request.app.state.engine, once, hook, made.model_dump_json().encode()))


@router.get("/webhooks", operation_id="list_webhooks")
async def list_webhooks(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: Cursor = None) -> Webhooks:
    """Every system that is told facts; never its secret."""
    found = await deliveries.hooks(request.app.state.engine, cursors.behind(cursor, POSITION), limit + 1)
    items, following = cursors.page(found, limit, lambda each: (each.created_at, each.id))
    return Webhooks(items=[Webhook.model_validate(each) for each in items], next=following)


@router.get("/webhooks/{webhook_id}", operation_id="get_webhook")
async def get_webhook(webhook_id: UUID, request: Request, response: Response) -> Webhook:
    """One system that is told facts; never its secret."""
    return _shown(await deliveries.hook(request.app.state.engine, webhook_id), response)


@router.put("/webhooks/{webhook_id}", operation_id="change_webhook")
async def change_webhook(webhook_id: UUID, body: NewWebhook, request: Request, response: Response, seen: IfMatch) -> Webhook:
    """Tell a system elsewhere, or of other facts; its secret stays, and what is on its way goes where it is now."""
    _require_shape(body, request)
    return _shown(await deliveries.change_hook(request.app.state.engine, webhook_id, seen, body.url, body.types), response)


@router.delete("/webhooks/{webhook_id}", operation_id="delete_webhook", status_code=204)
async def delete_webhook(webhook_id: UUID, request: Request, seen: IfMatch) -> Response:
    """Tell a system no longer, nor what was on its way."""
    if not await deliveries.remove_hook(request.app.state.engine, webhook_id, seen):
        raise Problem(NOT_FOUND, NO_WEBHOOK)
    return Response(status_code=204)


@router.get("/deliveries", operation_id="list_deliveries")
async def list_deliveries(
    request: Request,
    about: Annotated[UUID | None, Query(description="a webhook, or a message")] = None,
    case_id: UUID | None = None,
    state: Literal["waiting", "sent", "failed", "discarded"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> Deliveries:
    """What was told and what waits to be, the latest due first; words are not shown."""
    chosen = {"about": about, "case_id": case_id, "state": state}
    found = await deliveries.log(request.app.state.engine, chosen, cursors.behind(cursor, POSITION), limit + 1)
    items, following = cursors.page(found, limit, lambda each: (each.due, each.id))
    return Deliveries(items=[Delivery.model_validate(each) for each in items], next=following)


@router.post("/deliveries/{delivery_id}/redeliver", operation_id="redeliver", status_code=202)
async def redeliver(delivery_id: UUID, request: Request) -> Response:
    """Deliver a fact or a notice once more; a message to a customer its owner sends again."""
    if not await deliveries.redeliver(request.app.state.engine, delivery_id):
        raise Problem(NOT_FOUND, "There is no such delivery to a system or to somebody of the company that is not on its way already.")
    return Response(status_code=202)


def _require_shape(body: NewWebhook, request: Request) -> None:
    hooks.require_shape(body.url, loopback=request.app.state.settings.webhooks_to_loopback)


def _shown(found: Hook | None, response: Response) -> Webhook:
    if found is None:
        raise Problem(NOT_FOUND, NO_WEBHOOK)
    response.headers["ETag"] = etag(found.version)
    return Webhook.model_validate(found)
