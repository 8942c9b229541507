"""Status links made for customers, listed and revoked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.chassis.access import Who
from services.chassis.problems import NOT_FOUND, Kind, Problem
from services.journey.status import links
from services.journey.status.links import NoSecretError, Ticket
from services.journey.status.stands import find_zone
from services.journey.store import links as store
from services.journey.store.links import Link

LONGEST_DAYS = 90
PROBLEMS = {NoSecretError: Kind(409, "no-status-secret", "Status links are not set up here")}

router = APIRouter(prefix="/v1", tags=["journey"])


def _known(name: str) -> str:
    if find_zone(name) is None:
        message = "a zone is named as in the IANA database, for example Europe/Berlin"
        raise ValueError(message)
    return name


class LinkAsked(BaseModel):
    """What link is wanted."""

    model_config = ConfigDict(extra="forbid")
    days: int = Field(default=30, ge=1, le=LONGEST_DAYS, description="how long it is good for")
    zone: Annotated[str, AfterValidator(_known)] | None = Field(
        default=None, max_length=64, description="IANA name of the customer's zone; else what was described of them as `zone`, else UTC"
    )


class LinkView(BaseModel):
    """One status link, without what opens it."""

    id: UUID
    zone: str | None
    made_by: str
    made_at: datetime
    expires: datetime
    revoked_by: str | None
    revoked_at: datetime | None


class NewLink(LinkView):
    """A status link as it is given to the customer; its token is shown this once."""

    token: str
    path: str = Field(description="the page's path on this service")


class Links(BaseModel):
    """The status links of a customer, the newest first."""

    items: list[LinkView]


@router.post("/customers/{customer_id}/status-links", operation_id="make_status_link", status_code=201)
async def make_status_link(customer_id: UUID, body: LinkAsked, request: Request, who: Who) -> NewLink:
    """A link by which the customer, and whoever has it, sees how it stands with what was promised to them."""
    secret = links.secret_of(request.app.state.settings)
    now = datetime.now(UTC).replace(microsecond=0)
    link = Link(uuid4(), customer_id, body.zone, who.subject, now, now + timedelta(days=body.days))
    if not await store.make(request.app.state.engine, link):
        raise _nobody()
    token = links.sign(Ticket(link.id, link.expires), secret)
    return NewLink(**_shown(link).model_dump(), token=token, path=f"/v1/status/{token}")


@router.get("/customers/{customer_id}/status-links", operation_id="list_status_links")
async def list_status_links(customer_id: UUID, request: Request) -> Links:
    """Which links were made for a customer, and which of them were revoked."""
    return Links(items=[_shown(each) for each in await store.links_of(request.app.state.engine, customer_id)])


@router.delete("/customers/{customer_id}/status-links/{link_id}", operation_id="revoke_status_link", status_code=204)
async def revoke_status_link(customer_id: UUID, link_id: UUID, request: Request, who: Who) -> None:
    """Let a link open nothing from now on; once more changes nothing."""
    if not await store.revoke(request.app.state.engine, customer_id, link_id, who.subject, datetime.now(UTC)):
        raise Problem(NOT_FOUND, "This customer has no such link.")


def _shown(link: Link) -> LinkView:
    return LinkView.model_validate(link, from_attributes=True)


def _nobody() -> Problem:
    return Problem(NOT_FOUND, "No event has led to a customer of that key.")
