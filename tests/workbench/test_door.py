"""Signing in at a real provider: who chose rightly is in, with nothing of a token in the browser, and nobody else is."""

import re
from html import unescape
from http.cookies import SimpleCookie

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.workbench import sessions
from services.workbench.api.page import own_path
from services.workbench.sessions import COOKIE
from services.workbench.store.tables import sessions as table
from tests.recovery.conftest import Lane
from tests.workbench.browser import DESK, OURS, PROVIDER, Browser


async def test_who_signs_in_comes_to_the_page_they_wanted_under_their_name(browser: Browser) -> None:
    turned_away = await browser.get("/cases")
    assert (turned_away.status_code, turned_away.headers["location"]) == (303, "/sign-in?then=%2Fcases")
    back = await browser.sign_in("promoter", "/cases")
    assert (back.status_code, back.headers["location"]) == (303, "/cases")
    assert "Promoter" in (await browser.get("/cases")).text


async def test_htmx_is_told_to_take_the_whole_window_to_the_door(browser: Browser) -> None:
    assert (await browser.get("/cases", **{"hx-request": "true"})).headers["hx-redirect"].startswith("/sign-in")


async def test_the_cookie_is_bound_to_this_host_and_holds_no_token(browser: Browser, engine: AsyncEngine) -> None:
    back = await browser.sign_in("promoter")
    cookie = SimpleCookie(back.headers["set-cookie"])[COOKIE]
    assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
    assert len(bytes.fromhex(cookie.value)) == 32
    kept = await sessions.read(engine, cookie.value)
    assert kept is not None
    assert kept["token"] not in back.headers["set-cookie"]
    async with engine.connect() as connection:
        stored = list(await connection.scalars(sa.select(table.c.sealed)))
    assert not any(kept["token"].encode() in each for each in stored), "what is stored opens nothing without the cookie"


async def test_what_the_provider_sends_back_is_taken_once_and_by_the_browser_that_began(browser: Browser) -> None:
    address = await browser.chosen("promoter")
    begun = browser.client.cookies[COOKIE]
    browser.client.cookies.clear()
    assert (await browser.get(address)).status_code == 502, "another browser has not begun it"
    browser.client.cookies.set(COOKIE, begun, domain="workbench.example")
    assert (await browser.get(address)).status_code == 303
    browser.client.cookies.clear()
    browser.client.cookies.set(COOKIE, begun, domain="workbench.example")
    assert (await browser.get(address)).status_code == 502, "it was used before"


async def test_another_state_is_refused(browser: Browser) -> None:
    address = await browser.chosen("promoter")
    assert (await browser.get(address.replace("state=", "state=x"))).status_code == 502


async def test_who_signed_out_is_out_even_with_the_old_cookie(browser: Browser) -> None:
    await browser.sign_in("promoter")
    old = browser.client.cookies[COOKIE]
    assert (await browser.send("/sign-out")).headers["location"] == "/sign-out/done"
    browser.client.cookies.set(COOKIE, old, domain="workbench.example")
    assert (await browser.get("/")).status_code == 303


async def test_who_signs_out_is_signed_out_at_the_provider_and_no_token_goes_there(browser: Browser) -> None:
    await browser.sign_in("promoter")
    await browser.send("/sign-out")
    page = (await browser.get("/sign-out/done")).text
    address = unescape(re.findall(r'content="0; url=([^"]+)"', page)[0])
    assert address.startswith(PROVIDER + "/sign-out?client_id=makegood-workbench&post_logout_redirect_uri=")
    assert "token" not in address
    back = await browser.client.get(address)
    assert (back.status_code, back.headers["location"]) == (303, DESK + "/")


@pytest.mark.parametrize("cookie", ["", "x", "00", "0" * 64, "é", "f" * 63])
async def test_a_made_up_cookie_opens_nothing(browser: Browser, cookie: str) -> None:
    answer = await browser.client.get("/", headers=[(b"cookie", f"{COOKIE}={cookie}".encode())])
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}, {"origin": "null"},
     {"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", "origin": DESK}],
)  # fmt: skip
async def test_a_form_from_another_site_changes_nothing(broken: Lane, browser: Browser, headers: dict[str, str]) -> None:
    await browser.sign_in("promoter")
    assert (await browser.client.post("/sign-out", headers=headers)).status_code == 403
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "evil", "", "/\t/evil.example", "/a\nb"]
)
def test_nobody_is_sent_to_another_site_from_here(path: str) -> None:
    assert own_path(path) == "/"


async def test_a_page_of_ours_is_where_one_goes_on(browser: Browser) -> None:
    assert own_path("/cases?state=open") == "/cases?state=open"
    await browser.sign_in("promoter")
    answer = await browser.client.post("/reading", data={"language": "de", "zone": "Europe/Berlin", "then": "//evil"}, headers=OURS)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/", "/register", "/sign-in", "/nothing", "/assets/none/workbench.css", "/readyz"])
async def test_every_answer_has_the_one_strict_policy(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_page_of_somebody_is_kept_nowhere(browser: Browser) -> None:
    await browser.sign_in("promoter")
    assert (await browser.get("/")).headers["cache-control"] == "no-store"
