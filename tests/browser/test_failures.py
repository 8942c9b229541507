"""A lead works a mass failure and an improvement in the browser."""

from playwright.async_api import expect

from tests.browser.windows import Open


async def test_a_mass_failure_is_declared_and_worked_in_all_its_cases_while_its_page_shows_how_far_that_has_come(window: Open) -> None:
    lead = await window("lead")
    await lead.open("/mass-failures/new?since=2012-09-01T00:00:00Z&promise=documents-handed-back")
    await lead.page.locator("#declare--what").fill("The safe of the branch jammed.")
    await lead.page.get_by_role("button", name="Do it").click()
    await expect(lead.page.locator("h1")).to_have_text("The safe of the branch jammed.")
    await expect(lead.page.locator("#progress")).to_contain_text("group case")
    await expect(lead.page.locator("#progress")).to_contain_text("100.0 %", timeout=30_000)
    await lead.page.get_by_label("In every case").select_option("note_case")
    await lead.page.get_by_role("button", name="Fill it in").click()
    await lead.page.locator("#note_case--text").fill("Whoever calls about it: the safe is open again.")
    assert await lead.faults() == []
    await lead.page.locator("#sheet-note_case").get_by_role("button", name="Do it").click()
    row = lead.page.locator("#plan ~ div tr", has_text="note case")
    await expect(row).to_contain_text("100.0 %", timeout=30_000)
    assert await lead.faults() == []
    await row.get_by_role("link").click()
    await expect(lead.page.locator("main")).to_contain_text("Nowhere.")
    await lead.open("/mass-failures")
    await lead.page.get_by_role("link", name="The safe of the branch jammed.").click()
    await lead.page.get_by_role("link", name="Their cases").click()
    await expect(lead.page.locator(".rows > li")).to_have_count(1)


async def test_a_mass_failure_is_closed_once_none_of_its_cases_is_in_work(window: Open) -> None:
    lead = await window("lead")
    for promise, what in (("documents-handed-back", "The safe jammed again."), ("a-box-each-month", "No box came.")):
        await lead.open(f"/mass-failures/new?since=2012-09-01T00:00:00Z&promise={promise}")
        await lead.page.locator("#declare--what").fill(what)
        await lead.page.get_by_role("button", name="Do it").click()
        await expect(lead.page.locator("h1")).to_have_text(what)
        if promise == "documents-handed-back":
            await expect(lead.page.locator("#progress")).to_contain_text("100.0 %", timeout=30_000)
        close = lead.page.locator("#sheet-close")
        await close.locator("summary").click()
        await close.locator("textarea").fill("Nothing more is to be done.")
        await close.get_by_role("button").click()
        if promise == "documents-handed-back":
            await expect(close.get_by_role("alert")).to_be_visible()
            await expect(close.locator("textarea")).to_have_value("Nothing more is to be done.")
    await expect(lead.page.locator("main .state").first).to_have_text("closed")
    await expect(lead.page.locator("#sheet-close")).to_have_count(0)
    await lead.open("/mass-failures?state=closed")
    await expect(lead.page.locator("main")).to_contain_text("No box came.")


async def test_an_improvement_is_begun_and_stands_among_those_that_are_due(window: Open) -> None:
    lead = await window("lead")
    await lead.open("/improvements?component=procedures")
    await lead.page.locator("#begin--what").fill("A tray of its own.")
    await lead.page.locator("#begin--owner").fill("lead")
    await lead.page.locator("#begin--due").fill("2099-01-01T12:00")
    await lead.page.get_by_role("button", name="Do it").click()
    await expect(lead.page.locator("h1")).to_have_text("A tray of its own.")
    assert await lead.faults() == []
    await lead.open("/improvements")
    await expect(lead.page.locator("main")).to_contain_text("A tray of its own.")
    await lead.open("/people")
    assert await lead.faults() == []
