"""`make screenshots`: every page that somebody can come to, in every state, at three widths, light and dark, into .local/screenshots.

Of the demo's system: it is started where none runs on the data folder, and left up.
"""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser, Error, async_playwright

from deploy.errors import StackError
from deploy.local import state
from deploy.local.people import PEOPLE
from deploy.local.state import State
from services.cli import console, demo
from services.cli.client import running
from services.cli.stack import teller
from tests.browser.states import STATES
from tests.browser.walking import walk
from tests.browser.windows import ENGLISH, Window, launch

FOLDER: Final = Path(".local") / "screenshots"
WIDTHS: Final = (360, 768, 1280)
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
HEIGHT: Final = 800
NOBODY: Final = "nobody"


def main() -> None:
    """Write the pictures anew."""
    stack = _stack()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    taken = asyncio.run(_take(stack))
    console.output().print(f"{taken} pictures are in {FOLDER}")


def _stack() -> State:
    try:
        return running()
    except StackError:
        demo.run(state.data_folder(), teller())
        return running()


async def _take(stack: State) -> int:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        taken, known = 0, set[str]()
        for person in (None, *(each.subject for each in PEOPLE)):
            window = await _window(browser, stack, person)
            # Where nobody is signed in, many a page is the door.
            paths = [path async for path in walk(window) if person or not await window.page.locator('main[data-page="door"]').count()]
            for path in paths:
                # What everybody sees alike is told by its first viewer; the start is everybody's own.
                if path == "/" or path not in known:
                    await window.open(path)
                    taken += await _picture(window, f"{person or NOBODY}-{path}")
            known.update(paths)
            console.output().print(f"{person or NOBODY}: {len(paths)} pages")
            await window.page.context.close()
        for name, (person, way) in STATES.items():
            window = await _window(browser, stack, person)
            try:
                await way(window, stack)
                taken += await _picture(window, f"state-{name}")
            except (Error, AssertionError) as error:
                console.output().print(f"{name}: {error}")
            await window.page.context.close()
        console.output().print(f"{len(STATES)} states")
        await browser.close()
        return taken


async def _window(browser: Browser, stack: State, person: str | None) -> Window:
    context = await browser.new_context(**ENGLISH)
    window = Window(await context.new_page(), stack.apis["workbench"], stack.health["identity"])
    if person is not None:
        await window.sign_in(person)
    return window


async def _picture(window: Window, name: str) -> int:
    """Take what is on the page now."""
    name = re.sub(r"[^\w-]+", "-", name).strip("-")
    for scheme in SCHEMES:
        await window.page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            await window.page.set_viewport_size({"width": width, "height": HEIGHT})
            await window.page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png", full_page=True)
    return len(SCHEMES) * len(WIDTHS)


if __name__ == "__main__":
    main()
