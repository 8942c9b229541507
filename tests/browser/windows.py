"""One person's window: signing in, looking it over with axe, and hearing what its page complains of."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from playwright.async_api import Browser, ConsoleMessage, Page, Playwright

CHROMIUM: Final = os.environ.get("MAKEGOOD_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
AXE: Final = Path(sys.prefix) / "browser" / "node_modules" / "axe-core" / "axe.min.js"
SIGN_IN: Final = "/sign-in/begin"
ENGLISH: Final[Mapping[str, Any]] = {
    "locale": "en-GB",
    "timezone_id": "America/Caracas",
    "viewport": {"width": 1280, "height": 800},
    "reduced_motion": "reduce",  # a colour on its way to another one is not what anybody reads
}
_MOST_TABS: Final = 100


@dataclass(slots=True)
class Window:
    """A page with cookies of its own, and what it complained of."""

    page: Page
    workbench: str
    identity: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("console", lambda message: self._hear(message))  # noqa: PLW0108  (Playwright marks the method, which a slotted object refuses)

    def _hear(self, message: ConsoleMessage) -> None:
        """Note what a page complains of; that something was refused (403, 404) is an answer, and no complaint."""
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    async def open(self, path: str) -> None:
        """Go to a page of the workbench."""
        await self.page.goto(self.workbench + path)

    async def sign_in(self, person: str) -> None:
        """Sign in as somebody of the local stack, by the list."""
        await self.open(SIGN_IN)
        await self.page.locator(f'button[name="person"][value="{person}"]').click()
        await self.page.wait_for_url(f"{self.workbench}/**")

    async def tab_to(self, selector: str) -> None:
        """Press Tab until something has the focus; fail where the keyboard alone never gets there."""
        for _ in range(_MOST_TABS):
            await self.page.keyboard.press("Tab")
            if await self.page.locator(selector).evaluate_all("found => found.includes(document.activeElement)"):
                return
        raise AssertionError(f"{selector} was not reached by {_MOST_TABS} times Tab on {self.page.url}")

    async def faults(self) -> list[str]:
        """What axe finds wrong with the page as it stands, each with where."""
        # Over the inspector, which the page's own policy does not bind.
        inspector = await self.page.context.new_cdp_session(self.page)
        await inspector.send("Runtime.evaluate", {"expression": AXE.read_text()})
        run = {"expression": "axe.run(document)", "awaitPromise": True, "returnByValue": True}
        answer = await inspector.send("Runtime.evaluate", run)
        await inspector.detach()
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        found = answer["result"]["value"]
        assert found["passes"], "axe looked at nothing"
        return [f"{each['id']}: {each['help']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]

    async def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(await self.page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"))


async def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium; as root it cannot have its sandbox."""
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])


class Open(Protocol):
    """Opens a window, with settings of a browser context (`color_scheme`, `viewport`, `java_script_enabled`, ...)."""

    async def __call__(self, person: str | None = None, **settings: Any) -> Window:
        """Signed in as somebody, or as nobody."""
