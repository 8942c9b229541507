"""The forms beside those of cases: what is asked where many cases, improvements and people are concerned. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from services.workbench.forms import Field, Form
from services.workbench.reader import Reader

_COMPONENTS: Final = ("product", "procedures", "facilities", "systems", "information", "people")
_BECAUSE: Final = ("did_not_know", "could_not", "did_not_want")
_NAME: Final = 200
_WORDS: Final = 4000
_FIGURES: Final = tuple(
    Field(f"{when}.{what}", "number", "", required=False, lowest=0) for when in ("before", "after") for what in ("decided", "broken")
)


def _words(name: str, hint: str = "", *, required: bool = True) -> Field:
    return Field(name, "words", hint, required, longest=_WORDS)


def _text(name: str, hint: str = "", *, required: bool = True) -> Field:
    return Field(name, "text", hint, required, longest=_NAME)


def _instant(name: str, hint: str = "", *, required: bool = True) -> Field:
    return Field(name, "instant", hint, required)


def _sheet(name: str, meaning: str, *fields: Field) -> Form:
    return Form(name, meaning, fields, for_owner=False)


DECLARE: Final = _sheet(
    "declare", "Say that many failures are one.", _words("what", "What went wrong, for all; no word of one customer."),
    _text("lead", "Who leads it, and acts for the owners in all cases; you, where left out.", required=False),
    _instant("since", "Failures before it do not belong."),
    _instant("until", "Nor those from then on; left out: it goes on.", required=False),
    Field("promises", "list", "One of which failed; none: any.", required=False),
    Field("components", "list", "Of the promises that failed.", required=False),
    Field("segments", "list", "By which the promises are counted: places, sources.", required=False),
)  # fmt: skip
CHANGE: Final = _sheet(
    "change", "Say anew what it is, who leads it, and until when failures belong.", _words("what"), _text("lead"),
    _instant("until", required=False),
)  # fmt: skip
CLOSE: Final = _sheet("close", "End it, once none of its cases is in work.", _words("why", "Why nothing more is to be done for all."))
BEGIN: Final = _sheet(
    "begin", "Change something, so that a cause does not come again.", _words("what", "What changes."),
    _text("promise", "Whose failures; all where it is left out.", required=False),
    Field("component", "choice", "", required=True, choices=_COMPONENTS),
    Field("because", "choice", "", required=False, choices=_BECAUSE), _text("owner"), _instant("due"),
)  # fmt: skip
IMPROVE: Final = _sheet(
    "improve", "Say how it stands; figures of your own stand in place of what is counted.", _words("what"), _text("owner"), _instant("due"),
    _instant("done_at", "Since when it is in effect.", required=False),
    Field("days", "number", "How long before and after it verdicts are counted.", required=False, lowest=1, highest=366), *_FIGURES,
)  # fmt: skip
RECOGNISE: Final = _sheet(
    "recognise", "Say what somebody did beyond duty.", _text("person"), _text("case", "The number of the case, as in its address."),
    _words("what", "What they did, as it was seen."),
)  # fmt: skip
DESCRIBE: Final = _sheet(
    "describe", "Say how you want to serve; all of it is voluntary.", _words("serves", required=False), _words("avoids", required=False),
    Field("skills", "list", "", required=False), Field("languages", "list", "", required=False),
    Field("willing", "yes_no", "Whether you want to be asked.", required=False),
    _text("peer", "Whom you would talk to after a hard case.", required=False),
    _instant("away.since", required=False), _instant("away.until", required=False), _text("away.cover", required=False),
    Field("away.lends", "yes_no", "Whether the cover decides by your authority, too.", required=False),
)  # fmt: skip
COACH: Final = _sheet(
    "coach", "Write a note that you two see, and nobody else.", _words("text"),
    _text("lead", "For which lead it is; whoever leads writes for themselves.", required=False),
)  # fmt: skip
SHEETS: Final = (DECLARE, CHANGE, CLOSE, BEGIN, IMPROVE, RECOGNISE, DESCRIBE, COACH)


def as_sent(form: Form, known: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """What is known already, as a form shows it: as if it had been filled in with that."""
    sent = {field.name: _shown(field, _at(known, field.name), reader) for field in form.fields}
    return {"act": form.act, "thing": "", "sent": sent, "error": None, "field": None}


def _at(known: Any, path: str) -> Any:
    for name in path.split("."):
        known = None if known is None else known.get(name)
    return known


def _shown(field: Field, value: Any, reader: Reader) -> str:
    if value is None:
        return ""
    if field.kind == "yes_no":
        return "yes" if value else "no"
    if field.kind == "list":
        return ", ".join(value)
    return reader.local(value) if field.kind == "instant" else str(value)
