"""Customers found by an identifier or by key."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.chassis.problems import NOT_FOUND, Problem
from services.journey.store import reads

router = APIRouter(prefix="/v1", tags=["journey"])


class CustomerView(BaseModel):
    """A customer as found; `provisional` while only things lead to them."""

    key: UUID
    provisional: bool


class Customers(BaseModel):
    """The customers found."""

    items: list[CustomerView]


class CustomerDetails(CustomerView):
    """A customer with everything that leads to them."""

    keys: list[UUID] = Field(description="all keys of this person, `key` first: a timeline by any of them is the same")
    identifiers: list[str] = Field(description="what systems call them, as emitters write it")
    since: datetime = Field(description="when they were met first")


@router.get("/customers", operation_id="find_customers")
async def find_customers(
    request: Request, identifier: Annotated[str, Query(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
) -> Customers:
    """The customer that an identifier leads to, as emitters write it: `crm:4711`, `order:o1`."""
    found = await reads.find_customer(request.app.state.engine, identifier)
    return Customers(items=[] if found is None else [CustomerView(key=found[0], provisional=found[1])])


@router.get("/customers/{customer_id}", operation_id="get_customer")
async def get_customer(customer_id: UUID, request: Request) -> CustomerDetails:
    """A customer by any of the keys that are theirs."""
    person = await reads.read_person(request.app.state.engine, customer_id)
    if person is None:
        raise Problem(NOT_FOUND, "No event has led to a customer of that key; GET /v1/customers?identifier= finds them by their names.")
    return CustomerDetails(
        key=person.keys[0], provisional=person.provisional, keys=person.keys, identifiers=person.identifiers, since=person.since
    )
