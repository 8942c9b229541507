"""Signing in at the local stack: by a list of people, with whatever hands one has."""

from urllib.parse import urlencode

import pytest

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
