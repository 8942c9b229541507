"""Two hundred payloads in every field that the running system accepts: no script runs, and the policy of the pages has nothing to report.

It comes last, since what it leaves behind is on the pages of all. Fields are those of the table of acts, so that a new one is tried, too.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from contracts.acts import ACTS, Act
from contracts.roles import Role
from deploy.local.state import State
from services.cli import replay
from services.cli.client import Client, RefusedError
from services.cli.story import PROMOTER, STORY, TEAM, Event, Step, moment
from services.cli.telling import Telling, telling
from services.workbench import forms
from services.workbench.forms import Field
from tests.browser.payloads import PAYLOADS, chunks
from tests.browser.windows import Open, Window
from tests.workbench.test_forms import example

CUSTOMER: Final = "crm:hostile"
ENDS: Final = frozenset({"merge_case", "unmerge_case", "decline_case", "group_case", "ungroup_case", "offer_case"})
"""Acts that would leave the case with nothing to be done, or with somebody who is not there."""
BESIDE: Final = {
    "ask_approval": {"kind": "exception"},
    "give": {"kind": "deed"},
    "add_entry": {"kind": "staff_time", "minutes": "3", "rate.amount": "30.00", "rate.currency": "EUR"},
    "draft_message": {"subject": "About your passport", "text": "It is on its way."},
}
"""What a field needs beside it to be taken."""
MOST_FIELDS: Final = 14
"""So many fields at least take each of the payloads."""
LAST: Final = ("remedy_case", "confirm_case", "review_case", "give_feedback")
ZONE: Final = ZoneInfo("UTC")
_LISTEN: Final = """
window.ran = []; window.reported = [];
window.hit = () => window.ran.push(document.currentScript?.outerHTML ?? "a handler");
window.alert = window.hit;
addEventListener("securitypolicyviolation", each => window.reported.push(each.violatedDirective + " " + each.blockedURI));
"""


@pytest.fixture(scope="module")
def company(stack: State) -> Iterator[Telling]:
    with telling(stack, lambda _: None) as begin:
        yield begin(CUSTOMER)


@pytest.fixture(scope="module")
def promoter(stack: State) -> Iterator[Client]:
    with Client(stack, PROMOTER, (Role.LEAD,), (TEAM,)) as client:
        yield client


@pytest.fixture(scope="module")
def lead(stack: State) -> Iterator[Client]:
    with Client(stack, "lead", (Role.LEAD,), (TEAM,)) as client:
        yield client


@pytest.fixture(scope="module")
def hostile(stack: State, company: Telling, promoter: Client, lead: Client) -> tuple[str, str]:
    """A case and its customer, whose every word is a payload; paths of their pages."""
    first = moment("2012-11-20", "09:00")
    failing = tuple(each for step in STORY[:2] for each in step.does if isinstance(each, Event) and "need" not in each.type)
    company.take(Step(first, failing, ("case.opened",)))
    company.reach(moment("2012-11-20", "10:30"))
    case = company.case()
    accepted = _write_everywhere((promoter, lead), case)
    whole = [field for field, texts in accepted.items() if all(any(each in text for text in texts) for each in PAYLOADS)]
    assert len(whole) >= MOST_FIELDS, sorted(accepted)
    _tell(stack, moment("2012-11-20", "11:00").timestamp())
    company.reach(moment("2012-11-20", "13:00"))
    return f"/cases/{case}", f"/customers/{company.customer}"


def _tell(stack: State, after: float) -> None:
    """Touchpoints with payloads in every attribute and in their data, some of which are refused and lie in quarantine."""

    def event(number: int, **said: Any) -> dict[str, Any]:
        at = datetime.fromtimestamp(after + number, UTC).isoformat().replace("+00:00", "Z")
        plain = {"specversion": "1.0", "id": f"xss-{number}", "source": "bank/web", "type": "form.sent", "subject": CUSTOMER, "time": at}
        return plain | said

    attributes = ("source", "type", "subject", "id")
    events = [event(number, **{attributes[number % 4]: each}) for number, each in enumerate(each for each in PAYLOADS for _ in attributes)]
    last = len(events)
    events += [event(last + number, data={each: each, "statement": each, "case_id": each}) for number, each in enumerate(PAYLOADS[:40])]
    last = len(events)
    pairs = [PAYLOADS[number : number + 20] for number in range(0, len(PAYLOADS), 20)]
    events += [event(last + number, data={each: each for each in some}) for number, some in enumerate(pairs)]
    replay.produce(stack, events)


def _write_everywhere(people: tuple[Client, Client], case: str) -> dict[tuple[str, str], set[str]]:
    """Do every act with payloads in its texts, one field at a time; by act and field what was accepted."""
    accepted: dict[tuple[str, str], set[str]] = defaultdict(set)
    _act(people[0], case, "owner", {})
    acts = [each for each in forms.FILLED_IN if each.name not in {*ENDS, *LAST, "own_case"}]
    for act in [*acts, *(each for name in LAST for each in ACTS if each.name == name)]:
        for field in forms.fields_of(act.name):
            if field.kind in {"text", "words"}:
                for text in chunks(field.longest or 200):
                    if not any(_try(each, case, act, field, text) for each in people):
                        break  # what is refused once is an address, an amount or an id, or can be done once
                    accepted[act.name, field.name].add(text)
    return accepted


def _try(person: Client, case: str, act: Act, field: Field, text: str) -> bool:
    """Whether an act is done with that text in that field."""
    sent = {each.name: example(each) for each in forms.fields_of(act.name) if each.required} | BESIDE.get(act.name, {}) | {field.name: text}
    read = person.get("recovery", f"/v1/cases/{case}")
    things = [each for each in read[_PARTS[act.thing]] if not each.get("done")] if act.thing in _PARTS else []
    if act.thing is not None and not things:
        return False
    try:
        _act(person, case, forms.path_of(act.name, str(things[-1]["id"]) if things else ""), forms.filled(act.name, sent, ZONE))
    except RefusedError:
        return False
    return True


_PARTS: Final[dict[str | None, str]] = {
    "pledge": "pledges", "task": "tasks", "help": "help_requests", "approval": "approvals", "gesture": "gestures", "message": "messages",
    "compensation": "compensations",
}  # fmt: skip


def _act(promoter: Client, case: str, path: str, body: dict[str, Any]) -> None:
    read = promoter.call("GET", "recovery", f"/v1/cases/{case}")
    headers = {"If-Match": read.headers["ETag"], "Idempotency-Key": str(uuid4())}
    promoter.post("recovery", f"/v1/cases/{case}/{path}", headers=headers, json=body)


async def _runs_nothing(window: Window, path: str) -> None:
    """Open a page and everything that can be opened on it; nothing ran, nothing was blocked, and every link leads where links lead."""
    await window.open(path)
    assert await window.page.locator("main h1").count() == 1, f"{path} is no page"
    await window.page.evaluate("() => document.querySelectorAll('details').forEach(each => each.open = true)")
    assert await window.page.evaluate("() => [window.ran, window.reported]") == [[], []], path
    schemes = await window.page.evaluate(
        "() => [...document.querySelectorAll('a[href], form')].map(each => new URL(each.href ?? each.action).protocol)"
    )
    assert set(schemes) <= {"http:"}, path


@pytest.mark.parametrize("person", ["promoter", "operations", "director", "auditor"])
async def test_no_payload_runs_on_any_page_that_shows_it(window: Open, hostile: tuple[str, str], person: str) -> None:
    found = await window(person)
    await found.page.context.add_init_script(_LISTEN)
    for path in (*hostile, "/", "/cases", "/operations", "/customers"):
        await _runs_nothing(found, path)


async def test_payloads_are_there_as_the_words_they_are(window: Open, hostile: tuple[str, str]) -> None:
    """Breaks if the pages above show nothing of what was written: then nothing could have run on them."""
    case, customer = hostile
    found = await window("promoter")
    for path in (case, customer):
        await found.open(path)
        text = await found.page.locator("main").evaluate("found => found.textContent")
        shown = [each for each in PAYLOADS if " ".join(each.split()) in " ".join(text.split())]
        assert len(shown) >= len(PAYLOADS) / 2, (path, len(shown))


async def test_what_is_asked_for_and_what_is_sent_in_vain_comes_back_as_words(window: Open, hostile: tuple[str, str]) -> None:
    """What a page repeats of an address or a form, in the browser that sent it."""
    found = await window("promoter")
    await found.page.context.add_init_script(_LISTEN)
    for text in chunks(190):
        await _runs_nothing(found, "/customers?" + urlencode({"identifier": text}))
    for text in chunks(190)[::8]:
        await _runs_nothing(found, "/cases?" + urlencode({"owner": text}))
        await _runs_nothing(found, "/sign-in?" + urlencode({"then": text}))
    await found.open(hostile[0])
    for text in chunks(4000):
        act = found.page.locator("#act-note_case")
        await act.evaluate("found => found.open = true")
        await act.locator("textarea").fill(text)
        await act.locator('[name="version"]').evaluate("found => found.value = 1")
        await act.get_by_role("button").click()
        await act.locator(".conflict").wait_for()
        assert await found.page.evaluate("() => [window.ran, window.reported]") == [[], []]
        assert await act.locator("textarea").input_value() == text


async def test_the_trap_itself_springs(window: Open) -> None:
    """Breaks if the tests above could not notice a script that runs, or one that the policy blocks."""
    found = await window()
    await found.page.context.add_init_script(_LISTEN)
    await found.open("/register")
    await found.page.evaluate("() => document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x onerror=hit()>')")
    await found.page.wait_for_function("() => window.reported.length")
    found.complaints.clear()
    await found.page.evaluate("() => hit()")
    assert len(await found.page.evaluate("() => window.ran")) == 1
