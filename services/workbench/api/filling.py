"""Filling in a form that is none of a case's: what was written stays where it is refused."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from fastapi import Request

from services.workbench import forms
from services.workbench.api.page import Page
from services.workbench.forms import Form, NotFilledError
from services.workbench.upstream import RefusedError

_FIELDS: Final = 60
_UNREADABLE: Final = 422
Values = Mapping[str, str]


class Outcome(NamedTuple):
    """What a service answered; or what the form shows where nothing was done, and the status of that page."""

    answer: Any
    attempt: dict[str, Any] | None = None
    status: int = 200


async def fill_in(page: Page, request: Request, form: Form, do: Callable[[dict[str, Any], Values], Awaitable[Any]]) -> Outcome:
    """Do what was filled in."""
    async with request.form(max_files=0, max_fields=_FIELDS) as found:
        sent = {key: value for key, value in found.items() if isinstance(value, str)}
    attempt = {"act": form.act, "thing": form.thing, "sent": sent, "error": None, "field": None}
    try:
        return Outcome(await do(forms.read(form.fields, sent, page.reader.zone), sent))
    except NotFilledError as error:
        return Outcome(None, attempt | {"field": error.field, "right": error.right}, _UNREADABLE)
    except RefusedError as error:
        return Outcome(None, attempt | {"error": error}, error.status)


def version(sent: Values) -> int:
    """The version on which a form was filled in; one that is no number is nobody's."""
    text = sent.get("version", "")
    return int(text) if text.isdecimal() else 0
