"""What holds for every page that somebody can come to, whoever they are."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from deploy.local.people import PEOPLE
from deploy.local.state import State
from services.workbench import api
from tests.browser.states import STATES, shows
from tests.browser.walking import walk
from tests.browser.windows import Open

EVERYBODY = [None, *{each.roles: each.subject for each in reversed(PEOPLE)}.values()]
"""Nobody, and one of each role."""
WHO_SEES_MOST = [None, "director", "operations"]
"""Between them they see every form and every list; the width of a page does not depend on who reads it."""
NARROW = {"width": 360, "height": 640}
WIDTHS = (360, 768, 1280)
FROM_THE_RIGHT = "() => { document.documentElement.dir = 'rtl'; }"
OUT_OF_REACH = """() => {
    const beyond = (each, [left, right]) => {
        const {left: from, right: to, width} = each.getBoundingClientRect();
        return width > 1 && (from < left - 1 || to > right + 1);
    };
    const drawn = [...document.querySelectorAll('svg text')].filter(each => {
        const {left, right} = each.ownerSVGElement.getBoundingClientRect();
        return beyond(each, [left, right]);
    });
    const laid = [...document.querySelectorAll('main *:not(svg *)')].filter(each => beyond(each, [-Infinity, window.innerWidth]));
    return [...drawn, ...laid].map(each => each.outerHTML.slice(0, 120));
}"""
"""What of a page that reads from the right has left its picture, or lies beyond the edge that nobody can scroll to."""
TEMPLATES = Path(api.__file__).parents[1] / "templates"


@pytest.mark.parametrize("person", EVERYBODY)
async def test_no_page_has_a_barrier_in_light_or_dark(window: Open, person: str | None) -> None:
    """Breaks on whatever axe finds: a label that is missing, a contrast that is too low, a landmark twice."""
    found = await window(person)
    faults: dict[str, list[str]] = {}
    async for path in walk(found):
        for scheme in ("light", "dark"):
            await found.page.emulate_media(color_scheme=scheme)
            if here := await found.faults():
                faults[f"{path} {scheme}"] = here
    assert faults == {}


@pytest.mark.parametrize("person", WHO_SEES_MOST)
async def test_every_page_fits_a_telephone_and_can_be_read_without_a_script(window: Open, person: str | None) -> None:
    found = await window(person, viewport=NARROW, java_script_enabled=False)
    wide, empty = [], []
    async for path in walk(found):
        if await found.overflows():
            wide.append(path)
        if not await found.page.locator("main h1").inner_text():
            empty.append(path)
    assert (wide, empty) == ([], [])


@pytest.mark.parametrize("person", WHO_SEES_MOST)
async def test_a_page_that_reads_from_the_right_fits_and_has_no_barrier(window: Open, person: str | None) -> None:
    """Breaks on a style that says left or right for start or end, and on a picture whose words turn round with the page."""
    found = await window(person)
    faults: dict[str, list[str]] = {}
    async for path in walk(found):
        await found.page.evaluate(FROM_THE_RIGHT)
        for width in (360, 1280):
            await found.page.set_viewport_size({"width": width, "height": 800})
            here = await found.page.evaluate(OUT_OF_REACH)
            if await found.overflows():
                here.append("too wide")
            if here := here + await found.faults():
                faults[f"{path} {width}"] = here
    assert faults == {}


def test_every_page_is_among_the_states_that_are_looked_at() -> None:
    pages = {each.stem for each in TEMPLATES.glob("*.html") if '{% extends "base.html" %}' in each.read_text()}
    assert {each.partition(":")[0] for each in STATES} == pages


@pytest.mark.parametrize("name", STATES)
async def test_no_state_of_a_page_has_a_barrier_in_light_or_dark_or_is_too_wide(window: Open, stack: State, name: str) -> None:
    """Breaks on what no link leads to: what was refused, what is not there, what is very long, what is forbidden, what takes long."""
    person, way = STATES[name]
    found = await window(person)
    await way(found, stack)
    await expect(shows(found, name)).to_be_visible()
    wide = []
    for width in WIDTHS:
        await found.page.set_viewport_size({"width": width, "height": 800})
        if await found.overflows():
            wide.append(width)
    faults = {}
    for scheme in ("light", "dark"):
        await found.page.emulate_media(color_scheme=scheme)
        faults[scheme] = await found.faults()
    assert (wide, faults) == ([], {"light": [], "dark": []})
