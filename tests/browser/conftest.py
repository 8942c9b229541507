"""A real Chromium before a running stack in which the story of the lost passport is under way."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright, expect

from deploy.local import stack as local
from deploy.local.state import State
from services.cli import publish, story, telling
from tests.browser.windows import ENGLISH, Open, Window, launch
from tests.judged import PROMISES

expect.set_options(timeout=20_000)
"""Milliseconds: the machine may have more to do than this."""
UNDER_WAY = story.STORY[:3]
"""Until the promoter has pledged to call and asked for leave and for help: the case is hers, and all of that is due."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever stands in this folder needs Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


TRACES = "http://127.0.0.1:9/trace/{trace}"
"""Where traces would be shown."""


@pytest.fixture(scope="session")
def stack(servers: Path) -> Iterator[State]:
    """A system of its own on the replay clock."""
    data = servers / "browser"
    try:
        with pytest.MonkeyPatch.context() as settings:
            settings.setenv("MAKEGOOD_TRACES_URL", TRACES)
            up = local.up(data, "replay", print)
        publish.publish_to(up, [PROMISES])
        telling.tell(up, print, UNDER_WAY)
        yield up
    finally:
        local.down(data, print)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()


@pytest.fixture
async def window(stack: State, chromium: Browser) -> AsyncIterator[Open]:
    """Give what opens a window with cookies of its own, signed in as somebody or as nobody.

    Whatever a page complained of (an error of a script, something that its policy blocked) fails the test at its end.
    """
    opened: list[Window] = []
    async with AsyncExitStack() as after:

        async def open_window(person: str | None = None, **settings: Any) -> Window:
            around: Mapping[str, Any] = {**ENGLISH, **settings}
            context = await chromium.new_context(service_workers="block", **around)
            after.push_async_callback(context.close)
            opened.append(found := Window(await context.new_page(), stack.apis["workbench"], stack.health["identity"]))
            if person is not None:
                await found.sign_in(person)
            return found

        yield open_window
    assert [complaint for each in opened for complaint in each.complaints] == []
