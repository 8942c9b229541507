"""A person's excuse for a commitment: asked for, decided by the approver that was named, and taken back.

What is granted or taken back is answered once Kafka has acknowledged the touchpoint that tells the engine of it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import NOT_FOUND, UNAVAILABLE, Problem
from services.chassis.relay import NotAcknowledgedError
from services.promises import excuses as rules
from services.promises.api.commitments import find, require_known
from services.promises.api.shared import NAME, Around, Input, Surroundings, Words
from services.promises.excuses import About, Act, Excuse, Said, Standing
from services.promises.store import excuses

router = APIRouter(prefix="/v1", tags=["excuses"])


class NewExcuse(Input):
    """Why the company is not to answer for a break, what shows it, and who is to decide."""

    reason: str = Field(max_length=100, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="a code to count by: `force-majeure`")
    text: Words
    evidence: list[Annotated[str, Field(min_length=1, max_length=2000, pattern=NAME)]] = Field(
        min_length=1, max_length=20, description="what shows it: references, addresses of documents"
    )
    approver: str = Field(min_length=1, max_length=200, pattern=NAME, description="the subject of their token; not one's own")


class Decision(Input):
    """What the approver decides, and why."""

    granted: bool
    text: Words


class TakingBack(Input):
    """Why an excuse is taken back."""

    text: Words


class ActView(BaseModel):
    """One act: asking, granting, refusing, taking back."""

    number: int
    kind: Standing
    by: str
    at: datetime
    content: dict[str, Any]


class ExcuseView(BaseModel):
    """Where the latest excuse of a commitment stands, and every act that led there."""

    commitment: UUID
    state: Standing
    acts: list[ActView]


@router.get("/commitments/{commitment_id}/excuse", operation_id="get_excuse")
async def get_excuse(commitment_id: UUID, around: Around, response: Response) -> ExcuseView:
    """Where a commitment's excuse stands; its ETag is what acts on it name in If-Match."""
    excuse = await excuses.read_excuse(around.engine, commitment_id)
    if excuse.standing is None:
        raise Problem(NOT_FOUND, "No excuse was ever asked for.")
    return _answer(response, commitment_id, excuse)


@router.post("/commitments/{commitment_id}/excuse", operation_id="ask_excuse", status_code=201)
async def ask_excuse(commitment_id: UUID, body: NewExcuse, around: Around, who: Who, key: IdempotencyKey, response: Response) -> ExcuseView:
    """Ask for an excuse; nothing changes until the approver has granted it."""
    said = Said(who.subject, await around.now(), body.model_dump())
    once = Once.of(who.subject, key, f"ask {commitment_id}", body.model_dump())
    about = await _about(around, commitment_id)
    return _answer(response, commitment_id, await _add(around, about, once, lambda excuse: rules.ask(excuse, about, said)))


@router.post("/commitments/{commitment_id}/excuse/decision", operation_id="decide_excuse", status_code=202)
async def decide_excuse(
    commitment_id: UUID, body: Decision, around: Around, who: Who, key: IdempotencyKey, seen: IfMatch, response: Response
) -> ExcuseView:
    """Grant or refuse, as the approver that was named; the verdict follows when the engine has read of it."""
    said = Said(who.subject, await around.now(), {"text": body.text})
    once = Once.of(who.subject, key, f"decide {commitment_id}", body.model_dump())

    def decide(excuse: Excuse) -> Act:
        seen.require(len(excuse.acts))
        return rules.decide(excuse, said, granted=body.granted)

    about = await _about(around, commitment_id)
    return _answer(response, commitment_id, await _add(around, about, once, decide))


@router.post("/commitments/{commitment_id}/excuse/taking-back", operation_id="take_back_excuse", status_code=202)
async def take_back_excuse(
    commitment_id: UUID, body: TakingBack, around: Around, who: Who, key: IdempotencyKey, seen: IfMatch, response: Response
) -> ExcuseView:
    """Take back what was granted; the verdict follows when the engine has read of it."""
    said = Said(who.subject, await around.now(), {"text": body.text})
    once = Once.of(who.subject, key, f"take back {commitment_id}", body.model_dump())

    def decide(excuse: Excuse) -> Act:
        seen.require(len(excuse.acts))
        return rules.take_back(excuse, said)

    about = await _about(around, commitment_id)
    return _answer(response, commitment_id, await _add(around, about, once, decide))


async def _about(around: Surroundings, commitment_id: UUID) -> About:
    commitment, promise, version = await find(around, commitment_id)
    await require_known(around, commitment.customer)
    return About(
        commitment.id, promise, version, commitment.customer, commitment.correlation, commitment.trigger_event, commitment.state,
        commitment.standing,
    )  # fmt: skip


async def _add(around: Surroundings, about: About, once: Once, decide: Callable[[Excuse], Act]) -> Excuse:
    def decided(excuse: Excuse) -> tuple[Act, bytes | None]:
        act = decide(excuse)
        return act, rules.touchpoint(excuse, act, about)

    excuse = await excuses.add_act(around.engine, about.commitment, once, decided)
    try:
        await around.messenger.tell()
    except NotAcknowledgedError as error:
        detail = "It is kept, and told as soon as Kafka answers; sent again under the same key, it is the same."
        raise Problem(UNAVAILABLE, detail, headers={"Retry-After": "1"}) from error
    return excuse


def _answer(response: Response, commitment_id: UUID, excuse: Excuse) -> ExcuseView:
    response.headers["ETag"] = etag(len(excuse.acts))
    assert excuse.standing is not None
    acts = [ActView(**act._replace(content=dict(act.content))._asdict()) for act in excuse.acts]
    return ExcuseView(commitment=commitment_id, state=excuse.standing, acts=acts)
