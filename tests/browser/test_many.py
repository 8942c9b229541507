"""Ten thousand of everything: lists that stay short, quick to read and narrow, and tables of which no cell is a formula.

On a system of its own. Every case came the whole way: a touchpoint in Kafka, the promise that it breaks, the case that this opens.
"""

import asyncio
import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson
import pytest
from playwright.async_api import ViewportSize, expect

from bench.timeline import send
from contracts.roles import Role
from deploy.local import stack as local
from deploy.local.state import State
from services.chassis.instants import text_of
from services.cli.client import Client
from services.cli.publish import publish_to
from services.workbench.api import indicators, promises
from tests.browser.windows import Open

MANY: Final = 10_000
ONE: Final = "crm:one"
HIS: Final = 1_000
REFUSED: Final = 1_000
MOST_LINES: Final = 600
"""Of a page's lists and tables together."""
MOST_BYTES: Final = 100_000
FORMULAS: Final = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0")
LISTS: Final = {
    "/": "lead", "/cases": "lead", "/cases?state=open": "lead", "/surge": "lead", "/mass-failures": "lead",
    "/commitments?promise=handled-right": "lead", f"/customers?identifier={ONE}": "lead", "/promises": "director",
    "/promises/handled-right": "director", "/indicators?by=segment&bucket=day": "director", "/operations": "operations",
}  # fmt: skip
OPENAPI: Final = Path("contracts") / "openapi"
A4: ViewportSize = {"width": 718, "height": 1046}
"""CSS pixels between margins of 1 cm."""
_SECONDS: Final = 300
_FAILED: Final = "SELECT count(*) FROM recovery.failures"
_QUARANTINED: Final = "SELECT count(*) FROM journey.quarantine"


@pytest.fixture(scope="module")
def stack(servers: Path) -> Iterator[State]:
    """A system on the live clock, in which ten thousand promises were broken."""
    data = servers / "many"
    try:
        up = local.up(data, "live", print)
        publish_to(up, [Path(__file__).with_name("many.yaml")], lambda _: None)
        asyncio.run(_fill(up))
        yield up
    finally:
        local.down(data, print)


async def _fill(stack: State) -> None:
    now = datetime.now(UTC) - timedelta(seconds=10)
    await send(stack, [orjson.dumps(_touchpoint(number, now)) for number in range(MANY + REFUSED)])
    connection = await asyncpg.connect(stack.database["admin"])
    try:
        until = time.monotonic() + _SECONDS
        while (await connection.fetchval(_FAILED), await connection.fetchval(_QUARANTINED)) != (MANY, REFUSED):
            assert time.monotonic() < until, "not all of them came"
            await asyncio.sleep(0.5)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _touchpoint(number: int, now: datetime) -> dict[str, Any]:
    """A parcel that was handled wrongly; the first are all of one customer, and behind the last come some that nobody can read."""
    hub = FORMULAS[number] if number < len(FORMULAS) else f"hub {number % 500}"
    return {
        "specversion": "1.0" if number < MANY else "0.9",
        "id": f"parcel-{number}",
        "source": "carrier/parcels",
        "type": "parcel.handled",
        "subject": ONE if number < HIS else f"crm:{number}",
        "time": text_of(now + timedelta(microseconds=number)),
        "datacontenttype": "application/json",
        "data": {"parcel_id": f"p-{number}", "as_asked": False, "hub": hub},
    }


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_of_ten_thousand_is_one_short_page_that_fits_a_telephone_and_paper(window: Open, path: str) -> None:
    """Breaks if a page shows all there is: counted in lines, and in bytes as they go over the wire."""
    found = await window(LISTS[path], viewport={"width": 360, "height": 640})
    answers: list[int] = []
    inspector = await found.page.context.new_cdp_session(found.page)
    await inspector.send("Network.enable")
    inspector.on("Network.loadingFinished", lambda each: answers.append(int(each["encodedDataLength"])))
    await found.open(path)
    assert sum(answers) <= MOST_BYTES
    lines = found.page.locator("main .rows > li, main tbody tr")
    assert 0 < await lines.count() <= MOST_LINES
    assert not await found.overflows()
    await found.page.emulate_media(media="print")
    await found.page.set_viewport_size(A4)
    assert not await found.overflows()
    await found.page.emulate_media(media="screen", color_scheme="dark")
    assert await found.faults() == []


@pytest.mark.parametrize("path", ["/cases", "/commitments?promise=handled-right", "/surge", "/operations"])
async def test_a_long_list_goes_on_and_shows_nothing_twice(window: Open, path: str) -> None:
    found = await window(LISTS[path])
    await found.open(path)
    seen: list[str] = []
    for _ in range(3):
        ways = found.page.locator("main :is(.rows > li, tbody th) > a:first-child")
        seen += [str(await each.get_attribute("href")) for each in await ways.all()]
        following = found.page.locator('a[rel="next"]')
        before = found.page.url
        await following.click()
        await expect(found.page).not_to_have_url(before)
    assert len(seen) == len(set(seen)) == 150


async def test_a_mass_failure_of_ten_thousand_is_worked_from_one_page(window: Open) -> None:
    lead = await window("lead", viewport={"width": 360, "height": 640})
    await lead.open("/mass-failures/new?since=2020-01-01T00:00:00Z&promise=handled-right")
    await lead.page.locator("#declare--what").fill("A belt stood still.")
    await lead.page.get_by_role("button", name="Do it").click()
    await expect(lead.page.locator("h1")).to_have_text("A belt stood still.")
    await expect(lead.page.locator("#progress")).to_contain_text("100.0 %", timeout=240_000)
    assert not await lead.overflows()
    assert await lead.faults() == []


def _tables(client: Client) -> Iterator[tuple[str, str]]:
    """Every table of the three services that is given out as CSV, and what it says."""
    for service in ("journey", "promises", "recovery"):
        for path, way in orjson.loads((OPENAPI / f"{service}.json").read_bytes())["paths"].items():
            if "text/csv" in way.get("get", {}).get("responses", {}).get("200", {}).get("content", {}):
                where = path.replace("{name}", "handled-right")
                query = {"by": "segment"} if path == "/v1/indicators" else {}
                answer = client.call("GET", service, where, params=query, headers={"accept": "text/csv"})
                yield f"{service} {path}", answer.text


def _cells(table: str) -> Iterator[str]:
    for row in csv.reader(io.StringIO(table, newline="")):
        yield from row


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _runs(table: str) -> list[str]:
    """Cells that a spreadsheet would run; a number below nothing is none."""
    return [each for each in _cells(table) if each.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(each)]


def _defused(table: str) -> int:
    return sum(each.startswith(tuple(f"'{sign}" for sign in "=+-@\t\r")) for each in _cells(table))


def test_no_table_of_the_services_runs_a_formula_that_somebody_wrote(stack: State) -> None:
    _spend(stack)
    with Client(stack) as client:
        tables = dict(_tables(client))
    assert len(tables) >= 9
    assert {name: _runs(table) for name, table in tables.items() if _runs(table)} == {}
    theirs = {name for name, table in tables.items() if _defused(table)}
    assert theirs >= {"journey /v1/indicators", "promises /v1/performance", "promises /v1/promises/{name}/performance",
                      "promises /v1/register", "recovery /v1/ledger"}  # fmt: skip


def _spend(stack: State) -> None:
    """Something that a case cost, borne by whoever calls themselves a formula."""
    with Client(stack, "lead", (Role.LEAD,), ("branch",)) as lead:
        case = lead.get("recovery", "/v1/cases", limit=1)["items"][0]["id"]
        for path, body in (
            ("owner", {}),
            ("ledger", {"kind": "refund", "what": "=1", "money": {"amount": "1.00", "currency": "EUR"}, "borne_by": "=1+1"}),
        ):
            seen = lead.call("GET", "recovery", f"/v1/cases/{case}")
            headers = {"If-Match": seen.headers["ETag"], "Idempotency-Key": str(uuid4())}
            lead.post("recovery", f"/v1/cases/{case}/{path}", json=body, headers=headers)


async def test_no_table_that_a_page_gives_out_runs_a_formula_that_somebody_wrote(window: Open) -> None:
    """Breaks if a page makes a table of its own, or one is added that nobody tried."""
    found = await window("director")
    ways = [each.path for module in (promises, indicators) for each in module.router.routes if each.path.endswith(".csv")]
    asked = {"{name}": ["handled-right"], "{which}": ["teams", "contacts"]}
    theirs = set()
    for way in ways:
        inside = next((each for each in asked if each in way), "")
        for value in asked.get(inside, [""]):
            path = way.replace(inside, value) if inside else way
            answer = await found.page.request.get(f"{found.workbench}{path}?by=segment")
            table = await answer.text()
            assert answer.ok, path
            assert "attachment" in answer.headers["content-disposition"]
            assert _runs(table) == [], path
            theirs |= {path} if _defused(table) else set()
    assert theirs >= {"/promises.csv", "/promises/handled-right.csv", "/indicators.csv", "/register.csv"}
