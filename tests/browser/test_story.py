"""The story of the lost passport, worked wholly in the browser by two people in two windows, while time passes on the replay clock.

Company systems tell what happens to the customer; everything that people do, the promoter and her supervisor do on pages. Each sees
what the other does without asking for it. It comes last: it moves the clock that all tests of this folder share.
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.async_api import Locator, expect

from deploy.local.state import State
from services.cli.story import STORY, Event, Step, moment
from services.cli.telling import Telling, telling
from tests.browser.acting import do, goes_on
from tests.browser.windows import Open, Window

CUSTOMER = "crm:4812"
ZONE = "America/Caracas"
CALL = "I call you by ten tomorrow, and I will have found a way to a new passport."
LEAVE = "Two days off on my own leave, to go through the offices with her."
WHO_KNOWS = "Who knows somebody at the immigration office?"
A_WHILE = timedelta(minutes=15)
_TRIES = 5
PATIENCE = 30_000
"""Milliseconds in which what a system told has to show on a page that nobody loads again."""


@pytest.fixture
def company(stack: State) -> Iterator[Telling]:
    """The company's systems, which tell what happens to this customer."""
    with telling(stack, lambda _: None) as begin:
        yield begin(CUSTOMER)


async def happens(company: Telling, number: int, at: datetime | None = None) -> None:
    """Let the events of a step of the story happen, by default a while after its acts."""
    step = STORY[number]
    events = tuple(each for each in step.does if isinstance(each, Event))
    await asyncio.to_thread(company.take, Step(at or step.at + A_WHILE, events, ()))


async def until(company: Telling, number: int) -> None:
    """Let it be the time of a step of the story."""
    await asyncio.to_thread(company.reach, STORY[number].at)


async def reads_at_home(window: Window) -> None:
    """Choose the zone in which times are read and written."""
    await window.page.locator("header summary").click()
    await window.page.locator('input[name="zone"]').fill(ZONE)
    await window.page.get_by_role("button", name="Keep").click()
    await expect(window.page.locator("footer")).to_contain_text(ZONE)


async def state_is(window: Window, state: str) -> None:
    """Wait until the page, which nobody loads again, shows that state of the case."""
    await expect(window.page.locator("header.case .state").first).to_have_text(state, timeout=PATIENCE)


async def test_the_passport_is_lost_and_the_relationship_restored(window: Open, company: Telling) -> None:
    promoter, lead = await window("promoter"), await window("lead")
    await reads_at_home(promoter)
    await goes_on(promoter)
    await _it_is_lost(company, promoter)
    await _she_takes_it(promoter)
    await _others_help(company, promoter, lead)
    await _she_calls_the_same_night(company, promoter, lead)
    await _it_is_made_good(company, promoter)
    await _the_customer_confirms(company, promoter)
    await _what_it_cost_is_settled(company, promoter, lead)
    await _she_comes_back(company, promoter)
    await _the_relationship_shows_it(promoter)


async def _it_is_lost(company: Telling, promoter: Window) -> None:
    """The case comes to the page by itself, and one click takes it."""
    await happens(company, 0, moment("2012-09-03", "10:20"))
    await happens(company, 1, moment("2012-09-03", "10:30"))
    line = promoter.page.locator("section", has=promoter.page.locator("#free")).locator(".rows > li", has_text="documents-handed-back")
    await expect(line).to_be_visible(timeout=PATIENCE)
    await _take(promoter, line)
    await expect(line).to_have_count(0)
    case = await asyncio.to_thread(company.case)
    await promoter.page.locator(f'section:has(#mine) a[href="/cases/{case}"]').click()
    await state_is(promoter, "owned")
    await goes_on(promoter)


async def _take(promoter: Window, line: Locator) -> None:
    """Take a case that nobody has; where it moved since the line was shown, look again and take it then, as people do."""
    done, refused = promoter.page.locator("#told", has_text="Done."), promoter.page.locator('#main [role="alert"]')
    for _ in range(_TRIES):
        await line.get_by_role("button", name="Take it").first.click()
        await expect(done.or_(refused).first).to_be_visible()
        if await done.is_visible():
            return
        words = await refused.first.inner_text()
        await promoter.page.reload()
    pytest.fail(f"it could not be taken: {words}")


async def _she_takes_it(promoter: Window) -> None:
    await do(promoter, "pledge", what=CALL, due="2012-09-04T10:00")
    await do(promoter, "ask_approval", kind="time_off", days="2", what=LEAVE, due="2012-09-03T12:00")
    grant = promoter.page.locator("li", has_text=LEAVE).locator('details[id^="act-grant_approval"]')
    await grant.locator("summary").click()
    await grant.locator("textarea").fill("It is my own leave.")
    await grant.get_by_role("button").click()
    await expect(grant.get_by_role("alert")).to_contain_text("Nobody decides what they asked")
    await do(promoter, "ask_help", what=WHO_KNOWS, due="2012-09-03T22:00")


async def _others_help(company: Telling, promoter: Window, lead: Window) -> None:
    await until(company, 3)
    await lead.open("/")
    case = await asyncio.to_thread(company.case)
    asked = lead.page.locator("section", has=lead.page.locator("#asked")).locator(
        ".rows > li", has=lead.page.locator(f'[href^="/cases/{case}"]')
    )
    decide = asked.filter(has_text="To decide")
    await decide.get_by_role("button", name="Grant").click()
    await expect(decide.locator(".slot")).to_contain_text(LEAVE)
    await decide.locator("textarea").fill("Go with her; we manage.")
    await decide.get_by_role("button", name="Do it").click()
    await expect(lead.page.locator("#told")).to_have_text("Done.")
    await expect(promoter.page.locator("li", has_text=LEAVE)).to_contain_text("Go with her; we manage.", timeout=PATIENCE)

    await do(promoter, "finish_task", "Search counter")
    await lead.open(f"/cases/{case}")
    await goes_on(lead)
    await do(lead, "pass_help", WHO_KNOWS, assignee="the executive's sister", why="She knows the office.")
    await do(lead, "pass_help", WHO_KNOWS, assignee="the director of immigration", why="He can say yes.")
    await expect(promoter.page.locator("li", has_text=WHO_KNOWS)).to_contain_text("the director of immigration", timeout=PATIENCE)


async def _she_calls_the_same_night(company: Telling, promoter: Window, lead: Window) -> None:
    await until(company, 4)
    await do(lead, "answer_help", WHO_KNOWS, text="The director of immigration sees her himself.")
    await expect(promoter.page.locator("li", has_text=WHO_KNOWS)).to_contain_text("sees her himself", timeout=PATIENCE)
    await do(promoter, "thank_help", WHO_KNOWS, text="I owe you all a coffee.")
    await do(promoter, "record_contact", channel="phone", reached="yes", said="She cried, and then she laughed.", felt="desperate")
    await happens(company, 4)
    await do(promoter, "fulfil_pledge", CALL)
    await expect(promoter.page.locator("li", has_text=CALL).locator(".state")).to_have_text(["kept"], timeout=PATIENCE)


async def _it_is_made_good(company: Telling, promoter: Window) -> None:
    await until(company, 5)
    fee = {"kind": "third_party", "what": "The fee of the new passport.", "bearer": "employee"}
    await do(promoter, "add_entry", money__amount="80.00", money__currency="USD", **fee)
    await expect(promoter.page.locator('tr[id^="entry-"]', has_text="The fee")).to_contain_text("out of their own pocket, not repaid yet")
    await do(promoter, "finish_task", "open")
    await do(promoter, "remedy_case", what="A new passport this morning, its fee paid.")
    await state_is(promoter, "remedied")


async def _the_customer_confirms(company: Telling, promoter: Window) -> None:
    """An employee's word does not confirm; the customer's does, and the page shows it without being asked."""
    await until(company, 6)
    await do(promoter, "give", kind="deed", what="Drives her to the airport.")
    await happens(company, 6)
    await state_is(promoter, "watching")
    await do(promoter, "thank", "Drives her", words="I had meant not to come back. I have changed my mind.")


async def _what_it_cost_is_settled(company: Telling, promoter: Window, lead: Window) -> None:
    await until(company, 7)
    await do(lead, "repay", "The fee")
    await do(lead, "pay_compensation", "documents-handed-back", unit="branch")
    await expect(promoter.page.locator('tr[id^="entry-"]', has_text="The fee")).to_contain_text("repaid by lead", timeout=PATIENCE)
    await do(promoter, "set_cause", component="procedures", what="Nothing says in whose hand the papers are.")
    await do(promoter, "give_feedback", friend="5")


async def _she_comes_back(company: Telling, promoter: Window) -> None:
    await happens(company, 8)
    await state_is(promoter, "restored")
    await do(promoter, "review_case", what="Papers go from hand to hand in a tray with a number.")


async def _the_relationship_shows_it(promoter: Window) -> None:
    """The loyalty is at first to the promoter; that the customer was leaving for good was never asked."""
    await promoter.page.get_by_role("link", name="the customer").first.click()
    await expect(promoter.page.locator("main")).to_contain_text("leaving-for-good")
    await expect(promoter.page.locator("main")).to_contain_text("promoter")
