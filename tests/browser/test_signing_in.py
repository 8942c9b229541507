"""Signing in at the local stack: by a list of people, with whatever hands one has."""

from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

from deploy.local.people import PEOPLE
from tests.browser.windows import Open, Window


async def _open_list(window: Window) -> None:
    """Ask the provider as the workbench does."""
    asked = {
        "response_type": "code",
        "client_id": "makegood-workbench",
        "redirect_uri": f"{window.workbench}/sign-in/done",
        "scope": "openid profile",
        "state": "state",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    await window.page.goto(f"{window.identity}/authorize?{urlencode(asked)}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_list_of_people_has_no_barrier(window: Open, scheme: str, width: int) -> None:
    found = await window(color_scheme=scheme, viewport={"width": width, "height": 640})
    await _open_list(found)
    assert await found.faults() == []
    assert not await found.overflows()
    buttons = await found.page.get_by_role("button").all()
    assert [await each.get_attribute("value") for each in buttons] == [each.subject for each in PEOPLE]


async def test_somebody_is_chosen_with_the_keyboard_alone_and_without_a_script(window: Open) -> None:
    found = await window(java_script_enabled=False)
    await _open_list(found)
    for _ in range(2):
        await found.page.keyboard.press("Tab")
    async with found.page.expect_response(f"{found.identity}/authorize") as answer:
        await found.page.keyboard.press("Enter")
    location = (await (await answer.value).all_headers())["location"]
    assert location.startswith(f"{found.workbench}/sign-in/done?code=")


async def test_whoever_signs_in_and_out_needs_the_keyboard_alone_and_is_known_by_one_closed_cookie(window: Open) -> None:
    """Breaks if a browser does not take the cookie from the local stack, which has no certificate, or a page could read it."""
    found = await window()
    await found.open("/sign-in")
    await found.tab_to('main a[href^="/sign-in/begin"]')
    await found.page.keyboard.press("Enter")
    await found.page.wait_for_url(f"{found.identity}/**")
    await found.tab_to('button[value="lead"]')
    await found.page.keyboard.press("Enter")
    await found.page.wait_for_url(f"{found.workbench}/")
    who = found.page.locator("header summary")
    await expect(who).to_have_text("Supervisor")

    (cookie,) = await found.page.context.cookies()
    assert cookie["name"].startswith("__Host-")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")
    assert await found.page.evaluate("() => [document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]

    await found.page.reload()
    await found.tab_to("header summary")
    await found.page.keyboard.press("Enter")
    await found.tab_to('form[action="/sign-out"] button')
    await found.page.keyboard.press("Enter")
    await found.page.wait_for_url(f"{found.workbench}/sign-in?then=%2F")  # by way of the provider
    assert await found.page.context.cookies() == []
    await found.open("/cases")
    await expect(found.page).to_have_url(f"{found.workbench}/sign-in?then=%2Fcases")
