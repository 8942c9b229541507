"""A walk through the pages that somebody can come to by links, each kind of page once."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Final
from urllib.parse import urlsplit

from tests.browser.windows import Window

PER_LIST: Final = 1
"""Of the pages that one list leads to, so many are visited; what navigation leads to always is."""
_LEADS_OUT: Final = re.compile(r"^/(sign-in|sign-out)\b")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LINKS: Final = "links => links.map(each => [each.href, each.closest('nav') !== null])"
_HTML: Final = "text/html"


async def walk(window: Window, start: str = "/") -> AsyncIterator[str]:
    """Open page after page, and yield the path of each that is one."""
    pending, known, of_list = [start], {start}, Counter[str]()
    while pending:
        path = pending.pop(0)
        answer = await window.page.request.get(window.workbench + path, max_retries=3)  # a kept connection may be closed just now
        if not answer.headers.get("content-type", "").startswith(_HTML):
            continue  # a download
        await window.open(path)
        yield path
        links = await window.page.locator("a[href]").evaluate_all(_LINKS)
        for found, navigates in _inside(links, window.workbench):
            kind = _kind(found)
            if found in known or (kind and not navigates and of_list[kind] >= PER_LIST):
                continue
            known.add(found)
            of_list[kind] += not navigates
            pending.append(found)


def _kind(path: str) -> str:
    """Pages that are alike: those of ids at the same place, else those of names below the same page; nothing for a page at the top."""
    shape = _ID.sub("*", path)
    return shape if shape.endswith("*") else shape.rpartition("/")[0]


def _inside(links: Iterable[tuple[str, bool]], workbench: str) -> Iterable[tuple[str, bool]]:
    """The paths of the links that stay on the workbench, without what they ask for or point at there."""
    for address, navigates in links:
        path = urlsplit(address).path
        if address.startswith(f"{workbench}/") and not _LEADS_OUT.match(path):
            yield path, navigates
