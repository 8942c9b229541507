"""Whoever runs the system puts right in the browser what could not be read."""

import json
import re

import pytest
from playwright.async_api import expect

from deploy.local.state import State
from tests.browser.conftest import TRACES
from tests.browser.states import refused_record
from tests.browser.windows import Open


async def test_a_refused_record_is_looked_at_tried_out_put_right_and_taken_in(window: Open, stack: State) -> None:
    operations = await window("operations")
    await refused_record(operations, stack, 1)
    page = operations.page
    await page.get_by_role("button", name="Try it out").click()
    await expect(page.locator("#tried")).to_contain_text("refused")
    right = json.loads(await page.locator("#event").input_value()) | {"specversion": "1.0"}
    await page.locator("#event").fill(json.dumps(right)[:-1])
    await page.get_by_role("button", name="Take it in").click()
    await expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    await page.locator("#event").fill(json.dumps(right))
    await page.get_by_role("button", name="Try it out").click()
    await expect(page.locator("#tried")).to_contain_text("applied")
    await expect(page.locator("#tried")).to_contain_text("Nothing has been changed.")
    await page.get_by_role("button", name="Take it in").click()
    await expect(page.locator("#told")).to_have_text("Done.")
    await page.get_by_role("link", name="Those that were settled").click()
    await expect(page.locator("section:has(#refused) .rows > li").last).to_contain_text("release: operations")


async def test_a_refused_record_that_nobody_needs_is_dismissed_with_a_reason_and_without_a_script(window: Open, stack: State) -> None:
    operations = await window("operations", java_script_enabled=False)
    await refused_record(operations, stack, 2)
    await operations.page.locator("#reason").fill("A test of theirs.")
    await operations.page.get_by_role("button", name="Dismiss it").click()
    await operations.page.wait_for_url("**/operations?done=dismiss")


async def test_from_a_refused_record_one_comes_into_the_trace_of_how_it_came(window: Open, stack: State) -> None:
    operations = await window("operations")
    await refused_record(operations, stack, 3)
    trace = operations.page.get_by_role("link", name="Trace")
    assert await trace.get_attribute("href") == TRACES.replace("{trace}", f"{4:032x}"), "the trace that its sender began"
    async with operations.page.expect_request(TRACES.replace("{trace}", "*")):
        await trace.click()


@pytest.mark.parametrize("person", ["auditor", "promoter"])
async def test_who_may_not_settle_is_offered_nothing_to_settle_with(window: Open, person: str) -> None:
    found = await window(person)
    await found.open("/operations")
    assert await found.page.locator("h2", has_text="journey").count() == 1
    assert await found.page.locator("form[action^='/operations/quarantine']").count() == 0


async def test_every_lane_says_how_old_its_barrier_is(window: Open) -> None:
    found = await window("operations")
    await found.open("/operations")
    for service in ("journey", "promises", "recovery"):
        table = found.page.get_by_role("region", name=service)
        await expect(table.locator("tbody tr").first).to_contain_text(re.compile(r"\ds|\d s|not heard yet"))
    facts = found.page.get_by_role("region", name="journey").locator("tr", has_text="makegood.promises/")
    await expect(facts.first).to_be_visible()
    await expect(facts.filter(has_text="behind")).to_have_count(0)
