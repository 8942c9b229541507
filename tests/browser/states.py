"""Every page of the workbench, in every state that it was designed for, each with the way there.

A state is named for the template of its page, and for what is special about it behind a colon.
"""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from playwright.async_api import Locator, expect

from deploy.local.state import State
from services.cli import replay
from services.cli.client import Client
from tests.browser.acting import begin, send
from tests.browser.windows import Window

Way = Callable[[Window, State], Awaitable[None]]
PROMISE: Final = "documents-handed-back"
BEFORE_IT: Final = "2012-09-01T00:00:00Z"
LONG: Final = "Donaudampfschifffahrtsgesellschaftskapitän" * 4
"""A word that no line ends for."""
_ANSWERED: Final = 60_000
"""Milliseconds: a service that does not answer is waited for."""
_WHERE_TO: Final = "links => links.map(link => link.getAttribute('href'))"


class Place(NamedTuple):
    """Who comes there, and how."""

    person: str | None
    way: Way


def at(path: str) -> Way:
    """A page that has an address of its own."""

    async def way(window: Window, _: State) -> None:
        await window.open(path)

    return way


def first(path: str, below: str) -> Way:
    """The first page below one that a list leads to."""

    async def way(window: Window, _: State) -> None:
        await window.open(path)
        await window.page.locator(f'main :is(.rows > li, tr) a[href^="{below}"]').first.click()
        await window.page.wait_for_url(f"**{below}*")

    return way


async def _press(holder: Locator, words: str, **values: str) -> None:
    for name, value in values.items():
        await holder.locator(f'[name="{name}"]').fill(value)
    await holder.get_by_role("button", name=words).click()


async def refused_record(window: Window, stack: State, number: int = 0) -> None:
    """Let a record be refused, and open the one that came to the list by it; others, of other lanes, may be there already."""
    event = {
        "specversion": "0.9",
        "id": f"wrong-{number}",
        "source": "bank/web",
        "type": "form.sent",
        "subject": "crm:4711",
        "time": "2012-09-03T14:45:30Z",
        "traceparent": f"00-{number + 1:032x}-00000000000000a1-01",
        "data": {"number": number},
    }
    lines = window.page.locator("section:has(#refused) .rows > li > a")
    await window.open("/operations")
    before = set(await lines.evaluate_all(_WHERE_TO))
    await asyncio.to_thread(replay.produce, stack, [event])
    for _ in range(100):
        await window.open("/operations")
        if new := [each for each in await lines.evaluate_all(_WHERE_TO) if each not in before]:
            break
        await window.page.wait_for_timeout(100)
    await window.open(new[0])
    await expect(window.page.locator("#event")).to_have_value(re.compile(f"wrong-{number}"))


async def declared(window: Window, _: State, what: str = "The safe of the branch jammed.") -> None:
    """A mass failure whose cases all are in it."""
    await window.open(f"/mass-failures/new?since={BEFORE_IT}&promise={PROMISE}")
    await _press(window.page.locator("#sheet-declare"), "Do it", what=what)
    await expect(window.page.locator("h1")).to_have_text(what)


async def _declared_at_length(window: Window, stack: State) -> None:
    await declared(window, stack, LONG)


async def _closed_too_soon(window: Window, stack: State) -> None:
    await declared(window, stack)
    await expect(window.page.locator("#progress")).to_contain_text("100.0 %", timeout=_ANSWERED)
    close = window.page.locator("#sheet-close")
    await close.locator("summary").click()
    await close.locator("textarea").fill("Nothing more is to be done.")
    await close.get_by_role("button").click()
    await expect(close.get_by_role("alert")).to_be_visible()


async def _done_in_all_cases(window: Window, stack: State) -> None:
    await declared(window, stack)
    await window.page.get_by_label("In every case").select_option("note_case")
    await window.page.get_by_role("button", name="Fill it in").click()
    await _press(window.page.locator("#sheet-note_case"), "Do it", text="The safe is open again.")
    await window.page.locator("#plan ~ div tr", has_text="note case").get_by_role("link").click()
    await window.page.wait_for_url("**/acts/*")


async def _begun_improvement(window: Window, _: State) -> None:
    await window.open("/improvements?component=procedures")
    sheet = window.page.locator("#sheet-begin")
    await _press(sheet, "Do it", what="A tray of its own.", owner="lead", due="2099-01-01T12:00")
    await window.page.wait_for_url("**/improvements/*")


async def _tried(window: Window, _: State) -> None:
    await window.open("/drafts")
    await window.page.get_by_role("button", name="Try it").click()
    await window.page.wait_for_url("**/backtests/*")
    await expect(window.page.locator("#backtest")).to_contain_text("would have been kept", timeout=_ANSWERED)


async def _found_wrong(window: Window, _: State) -> None:
    await window.open("/drafts")
    await window.page.locator("#text").fill(f"kind: Promise\nmetadata: {{name: {LONG}}}\n")
    await expect(window.page.locator("#findings li").first).to_be_visible()


async def a_case(window: Window, state: State) -> None:
    """The page of a case, whoever has it."""
    await first("/cases", "/cases/")(window, state)


async def _act_alone(window: Window, state: State) -> None:
    await a_case(window, state)
    path = await window.page.evaluate("() => location.pathname")
    await window.open(f"{path}/acts/note_case?then=/")


async def _act_refused(window: Window, state: State) -> None:
    await a_case(window, state)
    await send(await begin(window, "give", kind="deed", what=LONG))
    await expect(window.page.locator("details.act[open]").get_by_role("alert")).to_be_visible()


async def _at_length(window: Window, state: State) -> None:
    await a_case(window, state)
    await send(await begin(window, "note_case", text=LONG * 20))
    await expect(window.page.locator("#told")).to_have_text("Done.")
    await window.page.locator("#trail ~ details summary").click()


async def _signed_out(window: Window, state: State) -> None:
    await a_case(window, state)
    act = await begin(window, "note_case", text="Written before the session ended.")
    await window.page.context.clear_cookies()
    await send(act)
    await expect(act.locator("#answer")).to_be_visible()


async def _on_the_way_out(window: Window, _: State) -> None:
    await window.page.route(f"{window.identity}/**", lambda route: route.fulfill(status=204))  # a page stays where that is answered
    await window.open("/sign-out/done")


async def _sent_slowly(window: Window, state: State) -> None:
    await a_case(window, state)
    act = await begin(window, "note_case", text="On its way.")
    await window.page.route("**/acts/note_case", lambda _: None)
    await send(act)
    await expect(window.page.locator("#told")).to_have_text("It is being sent.")


def _silent(service: str, path: str) -> Way:
    """A page whose service does not answer."""

    async def way(window: Window, stack: State) -> None:
        process = stack.pids[f"{service}-api"]
        os.kill(process, signal.SIGSTOP)
        try:
            await window.page.goto(window.workbench + path, timeout=_ANSWERED)
        finally:
            os.kill(process, signal.SIGCONT)

    return way


async def _nobody_known(window: Window, stack: State) -> None:
    """A customer of whom hardly anything is known."""
    event = {"specversion": "1.0", "id": "only", "source": "bank/web", "type": "visit.started", "subject": "crm:only-once"}
    await asyncio.to_thread(replay.produce, stack, [event | {"time": "2012-09-03T14:45:30Z"}])
    with Client(stack) as client:
        for _ in range(100):
            if client.get("journey", "/v1/customers", identifier="crm:only-once")["items"]:
                break
            await window.page.wait_for_timeout(100)
    await window.open("/customers?identifier=crm:only-once")


STATES: Final[dict[str, Place]] = {
    "act": Place("promoter", _act_alone),
    "backtest": Place("director", _tried),
    "bulk": Place("lead", _done_in_all_cases),
    "case": Place("promoter", a_case),
    "case: not for them to act": Place("auditor", a_case),
    "case: refused": Place("executive", _act_refused),
    "case: being sent": Place("promoter", _sent_slowly),
    "case: very long": Place("promoter", _at_length),
    "cases": Place("promoter", at("/cases")),
    "cases: none": Place("promoter", at("/cases?owner=nobody-of-that-name")),
    "commitment": Place("promoter", first(f"/commitments?promise={PROMISE}", "/commitments/")),
    "commitments": Place("promoter", at(f"/commitments?promise={PROMISE}")),
    "commitments: none": Place("promoter", at("/commitments?promise=nothing-of-that-name")),
    "customer": Place("promoter", at("/customers?identifier=crm:4711")),
    "customer: hardly known": Place("promoter", _nobody_known),
    "customer: not for them to know": Place("operations", at("/customers?identifier=crm:4711")),
    "customers": Place("promoter", at("/customers")),
    "customers: none": Place("promoter", at(f"/customers?identifier={LONG}")),
    "door": Place(None, at("/sign-in")),
    "draft": Place("director", at("/drafts")),
    "draft: wrong": Place("promoter", _found_wrong),
    "failure": Place("lead", declared),
    "failure: very long": Place("lead", _declared_at_length),
    "failure: refused": Place("lead", _closed_too_soon),
    "failure_new": Place("lead", at("/mass-failures/new")),
    "failures": Place("lead", at("/mass-failures")),
    "failures: none": Place("auditor", at("/mass-failures?state=closed")),
    "farewell": Place("promoter", _on_the_way_out),
    "help": Place(None, at("/help")),
    "improvement": Place("lead", _begun_improvement),
    "improvements": Place("lead", at("/improvements")),
    "indicators": Place("director", at("/indicators")),
    "indicators: none": Place("director", at("/indicators?since=2001-01-01&until=2001-02-01")),
    "nothing": Place("promoter", at("/nothing")),
    "operations": Place("operations", at("/operations")),
    "operations: settled": Place("operations", at("/operations?settled=true")),
    "operations: not for them to settle": Place("promoter", at("/operations")),
    "people": Place("lead", at("/people")),
    "person": Place("promoter", at("/people/promoter")),
    "promise": Place("director", at(f"/promises/{PROMISE}")),
    "promises": Place("promoter", at("/promises")),
    "quarantined": Place("operations", refused_record),
    "refused": Place("promoter", at("/cases?state=nothing")),
    "refused: not theirs to read": Place("promoter", at("/people/lead")),
    "register": Place(None, at("/register")),
    "sign_in_failed": Place(None, at("/sign-in/done")),
    "signed_out": Place("promoter", _signed_out),
    "surge": Place("lead", at("/surge")),
    "today": Place("promoter", at("/")),
    "today: of who has no case": Place("operations", at("/")),
    "unreachable": Place("director", _silent("promises", "/promises")),
}


def shows(window: Window, name: str) -> Locator:
    """What is on the page of a state, and on no other."""
    page = name.partition(":")[0]
    return window.page.locator({"signed_out": "#answer"}.get(page, f'main[data-page="{page}"]'))
