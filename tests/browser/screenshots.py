"""`make screenshots`: every page that somebody can come to, at three widths, light and dark, into .local/screenshots.

Of the demo's system: it is started where none runs on the data folder, and left up.
"""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser, async_playwright

from deploy.errors import StackError
from deploy.local import state
from deploy.local.people import PEOPLE
from deploy.local.state import State
from services.cli import console, demo
from services.cli.client import running
from services.cli.stack import teller
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
            paths = [path async for path in walk(window)]
            for path in paths:
                # What everybody sees alike is told by its first viewer; the start is everybody's own.
                if path == "/" or path not in known:
                    taken += await _picture(window, path, person or NOBODY)
            known.update(paths)
            console.output().print(f"{person or NOBODY}: {len(paths)} pages")
            await window.page.context.close()
        await browser.close()
        return taken


async def _window(browser: Browser, stack: State, person: str | None) -> Window:
    context = await browser.new_context(**ENGLISH)
    window = Window(await context.new_page(), stack.apis["workbench"], stack.health["identity"])
    if person is not None:
        await window.sign_in(person)
    return window


async def _picture(window: Window, path: str, person: str) -> int:
    name = re.sub(r"[^\w-]+", "-", path.strip("/")) or "start"
    await window.open(path)
    for scheme in SCHEMES:
        await window.page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            await window.page.set_viewport_size({"width": width, "height": HEIGHT})
            await window.page.screenshot(path=FOLDER / f"{person}-{name}-{width}-{scheme}.png", full_page=True)
    return len(SCHEMES) * len(WIDTHS)


if __name__ == "__main__":
    main()
