"""The routes of the table of acts (`contracts.acts`): one below `/v1/cases/{case_id}` for each row."""

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.acts import ACTS, Act, Needs
from services.chassis.access import Principal, Who
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.recovery.acting import People, Wish
from services.recovery.api.views import CaseView, view
from services.recovery.domain.case import Case
from services.recovery.domain.deeds import Actor
from services.recovery.store import CREATED, Answer

router = APIRouter(prefix="/v1", tags=["acts"])


def actor(who: Principal) -> Actor:
    """Who acts, as the domain knows them."""
    return Actor(who.subject, who.roles, who.teams)


def render(case: Case) -> bytes:
    """A case as it is answered, and kept where the answer must be the same again."""
    return view(case).model_dump_json().encode()


def answer(found: Answer) -> Response:
    """The response of an act."""
    return Response(found.body, found.status, {"ETag": etag(found.version)}, "application/json")


def _endpoint(act: Act) -> Callable[..., Awaitable[Response]]:
    async def do(request: Request, case_id: UUID, who: Principal, seen: Any, **given: Any) -> Response:
        body, once = given.get("body"), None
        if act.creates:
            asked = None if body is None else body.model_dump(mode="json")
            once = Once.of(who.subject, given["key"], f"{act.name} {case_id}", asked)
        needs = {} if body is None else body.model_dump()
        if act.thing is not None:
            needs[act.thing] = given[f"{act.thing}_id"]
        people: People = request.app.state.people
        return answer(await people.do(Wish(case_id, act, actor(who), seen, needs, once), render))

    do.__signature__ = _signature(act)  # type: ignore[attr-defined]  # FastAPI reads what an act takes from here
    do.__doc__ = act.meaning
    return do


def _signature(act: Act) -> Signature:
    named: dict[str, Any] = {"request": Request, "case_id": UUID}
    if act.thing is not None:
        named[f"{act.thing}_id"] = UUID
    if act.needs is not Needs:
        named["body"] = act.needs
    named |= {"who": Who, "seen": IfMatch}
    if act.creates:
        named["key"] = IdempotencyKey
    return Signature([Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in named.items()])


_OK: Final = 200
for _act in (each for each in ACTS if not each.is_file):
    router.add_api_route(
        f"/cases/{{case_id}}/{_act.path}",
        _endpoint(_act),
        methods=["POST"],
        operation_id=_act.name,
        response_model=CaseView,
        status_code=CREATED if _act.creates else _OK,
    )
