"""A promise is written, looked through, tried on what happened and published, all in the browser."""

from playwright.async_api import expect

from tests.browser.windows import Open, Window

DRAFT = """apiVersion: makegood/v1
kind: Promise
metadata:
  name: looked-after
  owner: branch
spec:
  statement: Whoever comes to us is asked what they need.
  published: [{channel: branch, reference: card at the counter, since: 2026-01-01}]
  response:
    when: {type: visit.started}
    expect: {type: document.handed_over}
    within: 2 hours
"""


async def _write(window: Window, text: str) -> None:
    await window.page.locator("#text").fill(text)


async def test_a_draft_is_looked_through_while_it_is_written_and_each_finding_stands_beside_its_line(window: Open) -> None:
    director = await window("director")
    await director.open("/drafts")
    await _write(director, DRAFT.replace("owner:", "ovner:"))
    findings = director.page.locator("#findings")
    await expect(findings).to_contain_text("draft.yaml:5:3")
    await expect(findings.locator("pre", has_text="ovner: branch")).to_have_count(1)
    await expect(director.page.locator("#text")).to_be_focused()
    await expect(director.page.locator("#told")).to_be_empty()
    assert await director.faults() == []
    assert await director.page.locator("#text").input_value() == DRAFT.replace("owner:", "ovner:")
    await _write(director, DRAFT)
    await expect(findings).not_to_contain_text("draft.yaml:5:3")


async def test_a_draft_is_tried_on_what_happened_and_published_by_who_may(window: Open) -> None:
    director = await window("director")
    await director.open("/drafts")
    await _write(director, DRAFT)
    await director.page.get_by_role("button", name="Try it").click()
    await director.page.wait_for_url("**/backtests/*")
    await expect(director.page.locator("#backtest")).to_contain_text("would have been kept", timeout=20_000)
    assert await director.faults() == []
    await director.page.get_by_role("button", name="Forget it").click()
    await director.page.wait_for_url("**/drafts")

    await _write(director, DRAFT)
    await director.page.get_by_role("button", name="Publish it").click()
    await expect(director.page.get_by_role("alert")).to_contain_text("Say first")
    await director.page.get_by_role("checkbox").check()
    await director.page.get_by_role("button", name="Publish it").click()
    await director.page.get_by_role("link", name="looked-after").click()
    await expect(director.page.locator("main")).to_contain_text("Whoever comes to us is asked what they need.")
    await director.page.get_by_role("link", name="Draft the next version").click()
    assert "name: looked-after" in await director.page.locator("#text").input_value()


async def test_without_a_script_a_button_looks_a_draft_through(window: Open) -> None:
    agent = await window("promoter", java_script_enabled=False)
    await agent.open("/drafts")
    await _write(agent, DRAFT.replace("within: 2 hours", "within: 2 moons"))
    await agent.page.get_by_role("button", name="Look it through").click()
    await expect(agent.page.locator("#findings")).to_contain_text("draft.yaml:12:")
    await expect(agent.page.locator("#text")).to_contain_text("2 moons")
    await expect(agent.page.get_by_role("heading", name="Publish it")).to_have_count(0)
    await expect(agent.page.locator("main")).to_contain_text("Your role tries no drafts.")
