"""Doing something with a case as people do: open the form, fill it in, send it, and see that it was done."""

from playwright.async_api import Locator, expect

from tests.browser.windows import Window

DONE = "Done."
_TRIES = 5


async def fill(form: Locator, values: dict[str, str]) -> None:
    """Fill in what a form asks for, by the names of its fields; a double underscore stands for the dot in a name."""
    for name, value in values.items():
        field = form.locator(f'[name="{name.replace("__", ".")}"]')
        if await field.evaluate("found => found.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)


def of_act(window: Window, name: str, about: str = "") -> Locator:
    """The form of an act on the case's page; `about` are words of the thing that it is about."""
    act = window.page.locator(f'details.act[id="act-{name}"], details.act[id^="act-{name}-"]')
    return window.page.locator(".rows > li, tr", has_text=about).locator(act).first if about else act.first


async def begin(window: Window, name: str, about: str = "", **values: str) -> Locator:
    """Open the form of an act and fill it in."""
    act = of_act(window, name, about)
    await act.locator("summary").click()
    await fill(act, values)
    return act


async def send(act: Locator) -> None:
    """Send a form."""
    await act.get_by_role("button").last.click()


async def do(window: Window, name: str, about: str = "", **values: str) -> None:
    """Do an act on the page of its case. Where the case moved meanwhile, read what happened and send it again, as people do."""
    before, act = await count(window), await begin(window, name, about, **values)
    done = window.page.locator("#told", has_text=DONE)
    for _ in range(_TRIES):
        seen = await act.locator('[name="version"]').input_value()
        await send(act)
        newer = act.locator(f'form:not(:has([name="version"][value="{seen}"])) .conflict')
        await expect(done.or_(newer)).to_be_visible()
        if await done.is_visible():
            break
    assert await count(window) > before, f"{name} is not in the trail"


async def count(window: Window) -> int:
    """How many acts the trail on the page has."""
    return await window.page.locator("#trail ~ details tbody tr").count()


async def goes_on(window: Window) -> None:
    """Wait until the page is told of what happens."""
    await window.page.locator("html[data-going-on]").wait_for(state="attached")


async def my_case(window: Window) -> str:
    """The page of the case that the promoter has."""
    await window.open("/")
    path = await window.page.locator("section:has(#mine) .rows > li > a").first.get_attribute("href")
    assert path is not None
    return path
