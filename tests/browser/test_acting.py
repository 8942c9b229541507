"""Working a case in the browser: nobody overwrites anybody, nothing that was begun is lost, and hands that only type get everywhere."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.acting import begin, count, do, goes_on, my_case, send
from tests.browser.windows import Open, Window

PATIENCE = 30_000
"""Milliseconds in which what one person does has to show in another one's window."""


async def both(window: Open, *others: str) -> tuple[str, Window, list[Window]]:
    """The promoter's case, open in her window and in those of others, each told of what happens."""
    promoter = await window("promoter")
    case = await my_case(promoter)
    found = [await window(each) for each in others]
    for each in (promoter, *found):
        await each.open(case)
        await goes_on(each)
    return case, promoter, found


async def focused(window: Window) -> Any:
    """What has the focus: its name or id, and where its caret is."""
    return await window.page.evaluate("() => { const e = document.activeElement; return [e.name || e.id, e.selectionStart ?? null]; }")


async def in_trail(window: Window, words: str) -> Locator:
    """The line of the trail that holds these words."""
    return window.page.locator("#trail ~ details tbody tr", has_text=words)


async def test_what_another_does_shows_at_once_and_leaves_what_is_being_written_alone(window: Open) -> None:
    """Breaks if an update takes the focus, moves the caret, closes the form or empties it."""
    _, promoter, (lead,) = await both(window, "lead")
    act = await begin(promoter, "note_case", text="She flies on Wednesday")
    await promoter.page.keyboard.press("Home")
    version = await act.locator('[name="version"]').input_value()
    await do(lead, "note_case", text="The lead looks on.")
    await expect(await in_trail(promoter, "The lead looks on.")).to_have_count(1, timeout=PATIENCE)
    assert await focused(promoter) == ["text", 0]
    assert await act.locator("textarea").input_value() == "She flies on Wednesday"
    assert await act.locator('[name="version"]').input_value() == version, "a conflict would no longer be found"


async def test_who_was_slower_sees_what_happened_beside_what_they_wrote_and_can_send_it_again(window: Open) -> None:
    _, promoter, (lead,) = await both(window, "lead")
    act = await begin(promoter, "note_case", text="Mine comes second.")
    await do(lead, "note_case", text="The lead was faster.")
    await send(act)
    conflict = act.locator(".conflict")
    await expect(conflict).to_contain_text("lead")
    await expect(conflict).to_contain_text("The lead was faster.")
    await expect(conflict).to_be_focused()
    assert await act.locator("textarea").input_value() == "Mine comes second."
    assert await (await in_trail(promoter, "Mine comes second.")).count() == 0
    await send(act)
    await expect(promoter.page.locator("#told")).to_have_text("Done.")
    assert await (await in_trail(promoter, "Mine comes second.")).count() == 1
    await expect(act.locator("summary")).to_be_focused()


async def test_what_was_refused_stays_as_it_was_written_while_the_page_goes_on(window: Open) -> None:
    """Breaks if only a form that is being typed into is left alone: a conflict comes with news, which would empty it."""
    _, promoter, (lead,) = await both(window, "lead")
    act = await begin(promoter, "note_case", text="Mine comes third.")
    await do(lead, "note_case", text="The lead was faster once.")
    await send(act)
    await expect(act.locator(".conflict")).to_contain_text("The lead was faster once.")
    await do(lead, "note_case", text="The lead was faster twice.")
    await expect(await in_trail(promoter, "The lead was faster twice.")).to_have_count(1, timeout=PATIENCE)
    assert await act.locator("textarea").input_value() == "Mine comes third."
    await expect(act.locator(".conflict")).to_contain_text("The lead was faster once.")
    await send(act)
    await expect(act.locator(".conflict")).to_contain_text("The lead was faster twice.")
    await send(act)
    await expect(promoter.page.locator("#told")).to_have_text("Done.")
    assert await (await in_trail(promoter, "Mine comes third.")).count() == 1


async def test_a_page_that_was_read_before_somebody_s_own_act_never_takes_it_back(window: Open) -> None:
    """Breaks if only acts that began since the page was asked for are looked at, not one that was under way then."""
    promoter = await window("promoter")
    case = await my_case(promoter)
    news, read, late = asyncio.Event(), asyncio.Event(), asyncio.Event()
    asked = 0

    async def tell(route: Route) -> None:
        await news.wait()
        await route.fulfill(content_type="text/event-stream", body="retry: 600000\n\nid: 1\ndata: 0\n\n")

    async def hold(route: Route) -> None:
        nonlocal asked
        if route.request.method == "POST":
            news.set()
            await read.wait()
            await route.continue_()
        elif "hx-request" in route.request.headers:
            asked += 1
            answer = await route.fetch()
            read.set()
            await late.wait()
            await route.fulfill(response=answer)
        else:
            await route.continue_()

    await promoter.page.route(f"**{case}/live?**", tell)
    await promoter.page.route(re.compile(f"{case}(/acts/note_case)?$"), hold)
    await promoter.open(case)
    await send(await begin(promoter, "note_case", text="Not to be taken back."))
    await expect(promoter.page.locator("#told")).to_have_text("Done.")
    note = await in_trail(promoter, "Not to be taken back.")
    assert (await note.count(), asked) == (1, 1)
    late.set()
    await promoter.page.locator('html[data-taken="1"]').wait_for(state="attached")
    assert (await note.count(), asked) == (1, 2), "what was read too early was taken"


async def test_what_was_begun_is_kept_when_it_can_no_longer_be_done(window: Open) -> None:
    """Breaks if an update takes a form off the page with what somebody has written into it."""
    _, promoter, (lead,) = await both(window, "lead")
    asked = "An exception, decided while somebody writes"
    await do(promoter, "ask_approval", kind="exception", what=asked, due="2030-01-01T10:00")
    await begin(promoter, "refuse_approval", asked, why="Not before Wednesday")
    await expect(lead.page.locator("li", has_text=asked)).to_be_visible(timeout=PATIENCE)
    await do(lead, "grant_approval", asked, why="Do it.")
    kept = promoter.page.locator("#kept")
    await expect(kept).to_be_visible(timeout=PATIENCE)
    await expect(kept.locator("textarea")).to_have_value("Not before Wednesday")


async def test_two_forms_of_one_person_are_no_conflict_to_each_other(window: Open) -> None:
    _, promoter, _ = await both(window)
    other = await begin(promoter, "set_severity", severity="high")
    await do(promoter, "note_case", text="Done before the other form was sent.")
    await send(other)
    await expect(promoter.page.locator("#told")).to_have_text("Done.")


async def test_a_page_that_was_cut_off_goes_on_where_it_was(window: Open) -> None:
    """Breaks if what happened while the network was away is shown only after the next thing."""
    case, promoter, (lead,) = await both(window, "lead")
    before = await count(promoter)
    await promoter.page.context.set_offline(True)
    await do(lead, "note_case", text="Said while she was away.")
    await promoter.page.context.set_offline(False)
    await expect(await in_trail(promoter, "Said while she was away.")).to_have_count(1, timeout=PATIENCE)
    customer = await promoter.page.locator("main").get_attribute("data-live")
    assert customer is not None
    address = f"{case}/live?{customer.partition('?')[2].partition('&after')[0]}"
    read = """async ([address, place]) => {
      const stop = new AbortController();
      const answer = await fetch(address, {headers: {"Last-Event-ID": place}, signal: stop.signal});
      let text = "";
      for await (const each of answer.body.pipeThrough(new TextDecoderStream())) {
        text += each;
        if (text.includes("data:")) break;
      }
      return text;
    }"""
    assert "data:" in await promoter.page.evaluate(read, [address, f"{before}|"])


async def test_an_act_is_done_from_a_line_of_today_and_what_was_written_stays_in_the_line(window: Open) -> None:
    promoter, lead = await window("promoter"), await window("lead")
    case = await my_case(promoter)
    line = promoter.page.locator("section:has(#next) .rows > li", has_text="I call you by ten")
    await line.get_by_role("button", name="Takes longer").click()
    due = line.locator('.slot [name="due"]')
    await expect(due).to_be_focused()
    await due.fill("2012-09-05T10:00")
    await line.locator('.slot [name="channel"]').select_option("phone")
    await line.locator('.slot [name="why"]').fill("The office opens later.")
    await lead.open(case)
    await do(lead, "note_case", text="Somebody else was here.")
    await line.get_by_role("button", name="Do it").click()
    await expect(line.locator(".slot .conflict")).to_contain_text("Somebody else was here.")
    assert await line.locator('.slot [name="due"]').input_value() == "2012-09-05T10:00"
    await line.get_by_role("link", name="Leave it").click()
    await expect(line.locator(".slot")).to_be_empty()


async def test_a_case_is_worked_with_the_keyboard_alone(window: Open) -> None:
    promoter = await window("promoter")
    press = promoter.page.keyboard.press
    await promoter.tab_to(".rows > li > a")
    await press("ArrowDown")
    assert await promoter.page.evaluate("() => [...document.querySelectorAll('.rows > li > a')].indexOf(document.activeElement)") == 1
    await promoter.tab_to('section:has(#mine) .rows a[href^="/cases/"]')
    await press("Enter")
    await promoter.page.wait_for_url("**/cases/*")
    await promoter.tab_to("#act-note_case > summary")
    await press("Enter")
    await press("Tab")
    await promoter.page.keyboard.type("Written without a mouse.")
    await press("Escape")
    assert await promoter.page.evaluate("() => document.activeElement.tagName") == "SUMMARY"
    await press("Enter")
    await press("Tab")
    await press("Control+Enter")
    await expect(promoter.page.locator("#told")).to_have_text("Done.")
    assert await (await in_trail(promoter, "Written without a mouse.")).count() == 1
    await expect(promoter.page.locator("#act-note_case > summary")).to_be_focused()


async def test_a_case_is_worked_without_a_script(window: Open) -> None:
    """Breaks if a form is sent by a script alone, or if what happened needs one to be read."""
    found = await window("promoter", java_script_enabled=False)
    case = await my_case(found)
    await found.open(case)
    act = found.page.locator("#act-note_case")
    await act.locator("summary").click()
    await act.locator("textarea").fill("Written without a script.")
    await act.get_by_role("button").click()
    await found.page.wait_for_url("**?done=note_case**")
    await expect(found.page.locator("#told")).to_have_text("Done.")
    await found.page.locator("#trail ~ details summary").click()
    await expect(found.page.locator("#trail ~ details")).to_contain_text("Written without a script.")


async def test_a_case_on_paper_has_all_that_happened_and_nothing_to_press(window: Open) -> None:
    """Breaks if what is folded away on the screen stays away on paper, where nobody can open it."""
    found = await window("promoter")
    await found.open(await my_case(found))
    trail = found.page.locator("#trail ~ details table")
    assert await trail.evaluate("each => each.checkVisibility({contentVisibilityAuto: true})") is False
    await found.page.emulate_media(media="print")
    assert await trail.evaluate("each => each.checkVisibility({contentVisibilityAuto: true})") is True
    await expect(found.page.locator("header.top")).to_be_hidden()
    assert await found.page.locator("button, input, textarea").evaluate_all("all => all.filter(each => each.checkVisibility())") == []


async def test_a_newcomer_is_led_once_around_and_understands_where_they_are(window: Open) -> None:
    """From the first page by the help to every place that it names, each with a heading of its own, and no way that leads nowhere."""
    found = await window("promoter")
    await found.page.get_by_role("link", name="Help").click()
    ways = found.page.locator("section:has(#first-round) li a")
    names = [await each.inner_text() for each in await ways.all()]
    assert len(names) >= 6
    for number, name in enumerate(names):
        await ways.nth(number).click()
        await expect(found.page.locator("main h1")).to_be_visible()
        heading = await found.page.locator("main h1").inner_text()
        assert name in {heading, "Our promises"}, heading
        await found.page.go_back()
        await expect(found.page.locator("main h1")).to_have_text("Help")
    for key in ("Tab", "Enter", "Ctrl", "Esc"):
        await expect(found.page.locator("kbd", has_text=key).first).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_moves_while_a_page_comes(window: Open, width: int) -> None:
    found = await window("promoter", viewport={"width": width, "height": 800})
    await found.page.context.add_init_script(
        "window.shifts = []; new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(each => each.value)))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    for path in ("/", await my_case(found), "/cases", "/promises", "/operations", "/register"):
        await found.page.goto(found.workbench + path, wait_until="networkidle" if path == "/register" else "load")
        await found.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await found.page.evaluate("() => window.shifts") == [], path


async def test_what_is_left_is_counted_down_in_working_time_by_the_clock_of_the_system(window: Open) -> None:
    """Breaks if the wall's clock is taken where a replay's counts, or if closed hours are counted."""
    found = await window("promoter")
    left = found.page.locator("section:has(#next) [data-left]").first
    said = await left.inner_text()
    assert said.endswith("of working time")
    await found.page.evaluate("() => new Promise(done => setTimeout(done, 1500))")
    assert await left.inner_text() == said, "on a replay's clock time stands still"
    turn = """([now, hours]) => { Object.assign(document.getElementById("main").dataset, {now, hours, clock: "live"}); }"""
    due = await left.get_attribute("data-left")
    ends = await found.page.evaluate("due => Date.parse(due) / 1000", due)
    hours = f"{ends - 50_000:.0f}-{ends - 48_000:.0f} {ends - 100:.0f}-{ends + 100:.0f}"
    at = await found.page.evaluate("seconds => new Date(seconds * 1000).toISOString()", ends - 48_005)
    await found.page.evaluate(turn, [at, hours])
    await expect(left).to_have_text("1 min 40 s of working time", timeout=10_000)
    await expect(left).to_have_text("1 min 40 s of working time")
