"""The pages in front of a real recovery service: reading, acting, being too late, and what is shown where something is missing."""

import re

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.recovery.conftest import Lane
from tests.recovery.office import CASE, Desk
from tests.workbench.browser import OURS, Browser

PAGE = CASE.removeprefix("/v1")
XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7001*7001}}"


async def test_today_shows_what_nobody_has_and_what_is_due_of_mine(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    assert "papers-returned" in (await browser.get("/")).text.partition("Nobody has these")[2]
    assert (await browser.act(PAGE, "own_case")).headers["location"] == PAGE + "?done=own_case&version=2"
    assert (await browser.act(PAGE, "pledge", what="I call you by ten.", due="2099-03-02T10:00")).status_code == 303
    due, _, rest = (await browser.get("/")).text.partition("Asked of you")
    assert "I call you by ten." in due
    assert "papers-returned" in rest.partition("Nobody has these")[0]
    assert "Every case has an owner." in rest


async def test_an_act_sent_again_with_the_same_form_happens_once(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    await browser.act(PAGE, "own_case")
    values = {"version": "2", "key": "the-form-s-key", "thing": "", "what": "I call.", "due": "2099-03-02T10:00"}
    assert [(await browser.send(f"{PAGE}/acts/pledge", **values)).status_code for _ in range(2)] == [303, 303]
    assert (await browser.get(PAGE)).text.count("<strong>I call.</strong>") == 1


async def test_who_was_slower_sees_what_happened_and_keeps_what_they_wrote(ana: Desk, browser: Browser) -> None:
    await browser.sign_in("promoter")
    await browser.get(PAGE)
    await ana.act("/owner")
    late = await browser.send(f"{PAGE}/acts/note_case", version="1", thing="", key="k", text="She called again.")
    assert late.status_code == 412
    assert "Somebody was faster" in late.text
    assert "<strong>ana</strong> owned" in late.text
    assert ">She called again.</textarea>" in late.text
    again = await browser.send(f"{PAGE}/acts/note_case", version="2", thing="", key="k", text="She called again.")
    assert again.status_code == 303


async def test_a_refusal_stands_at_the_form_in_the_words_of_the_service(ana: Desk, browser: Browser) -> None:
    await ana.act("/owner")
    await browser.sign_in("promoter")
    refused = await browser.act(PAGE, "remedy_case", what="A new passport.")
    assert refused.status_code == 403
    assert "Only the owner of the case may do this; take ownership first." in refused.text
    assert ">A new passport.</textarea>" in refused.text


async def test_what_was_filled_in_wrongly_is_said_at_its_field(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    await browser.act(PAGE, "own_case")
    wrong = await browser.act(PAGE, "pledge", what="I call.", due="tomorrow")
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    assert "2026-11-23T14:30" in wrong.text


@pytest.mark.parametrize("path", [f"{PAGE}/acts/nothing", f"{PAGE}/acts/fulfil_pledge"])
async def test_an_act_that_there_is_not_is_not_found(broken: Lane, browser: Browser, path: str) -> None:
    await browser.sign_in("promoter")
    assert (await browser.send(path, version="1", thing="no-id", key="k")).status_code == 404


async def test_the_case_is_there_while_other_services_do_not_answer(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    page = await browser.get(PAGE)
    assert page.status_code == 200
    assert "It cannot be shown at the moment." in page.text
    assert (await browser.get("/promises")).status_code == 503
    assert "journey" in (await browser.get("/customers?identifier=crm:1")).text


async def test_what_people_write_is_text_and_nothing_else(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    await browser.act(PAGE, "own_case")
    await browser.act(PAGE, "pledge", what=XSS, due="2099-03-02T10:00")
    await browser.act(PAGE, "note_case", text=XSS)
    for path in (PAGE, "/", "/cases?owner=" + "%3Cscript%3E"):
        text = (await browser.get(path)).text
        assert "<script>" not in text
        assert "<img src=x" not in text
        assert "49014001" not in text


async def test_who_may_only_read_is_offered_nothing_to_do(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("auditor")
    page = await browser.get(PAGE)
    assert "Your role does nothing in this case." in page.text
    assert "/acts/" not in page.text


async def test_a_list_goes_on_where_it_ended(broken: Lane, browser: Browser, engine: AsyncEngine) -> None:
    await browser.sign_in("promoter")
    assert "papers-returned" in (await browser.get("/cases?state=open")).text
    assert "No case is like that." in (await browser.get("/cases?state=restored")).text
    assert (await browser.get("/cases?state=nothing")).status_code == 422
    assert (await browser.get("/cases/no-id")).status_code == 404


def alone(name: str, holder: str = "") -> str:
    """Where an act of the case stands alone, as the first page leads there."""
    return f"{PAGE}/acts/{name}?then=/&holder={holder}"


async def test_from_a_line_of_today_one_is_at_the_act_and_afterwards_back(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    assert f'action="{PAGE}/acts/own_case"' in (await browser.get("/")).text
    values = {"version": "1", "thing": "", "key": "k", "then": "/", "holder": ""}
    assert (await browser.send(f"{PAGE}/acts/own_case", **values)).headers["location"] == "/?done=own_case"
    assert "Done." in (await browser.get("/?done=own_case")).text
    assert 'name="text"' in (await browser.get(alone("note_case"))).text
    assert (await browser.get(alone("nothing"))).status_code == 404


async def test_who_was_slower_from_today_keeps_what_they_wrote_in_its_line(ana: Desk, browser: Browser) -> None:
    await browser.sign_in("promoter")
    await ana.act("/owner")
    holder = f"take-case-{PAGE.rpartition('/')[2]}"
    values = {"version": "1", "thing": "", "key": "k", "then": "/", "holder": holder, "text": "She called again."}
    late = await browser.send(f"{PAGE}/acts/note_case", **values)
    assert late.status_code == 412
    assert (late.headers["hx-retarget"], late.headers["hx-reselect"]) == (f"#{holder}", ".doing")
    assert "<strong>ana</strong> owned" in late.text
    assert ">She called again.</textarea>" in late.text


@pytest.mark.parametrize("holder", ["body", "main, body", "#main", "take-case-1' onclick='x"])
async def test_an_answer_is_put_nowhere_but_into_a_line(broken: Lane, browser: Browser, holder: str) -> None:
    await browser.sign_in("promoter")
    late = await browser.send(f"{PAGE}/acts/note_case", version="9", thing="", key="k", then="/", holder=holder, text="x")
    assert "hx-retarget" not in late.headers


async def test_what_was_written_is_not_lost_where_the_case_offers_the_act_no_more(ana: Desk, browser: Browser) -> None:
    """Breaks if the page after a conflict shows only what can still be done."""
    await ana.act("/owner")
    await browser.sign_in("promoter")
    await ana.act("/remedy", {"what": "A new passport."})
    late = await browser.send(f"{PAGE}/acts/remedy_case", version="2", thing="", key="k", what="An old passport.")
    assert late.status_code == 412
    assert ">An old passport.</textarea>" in late.text


async def test_who_is_signed_out_is_told_so_beside_what_they_wrote(broken: Lane, browser: Browser) -> None:
    answer = await browser.client.post(f"{PAGE}/acts/note_case", data={"text": "x"}, headers=OURS | {"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-retarget"]) == (401, "find .answer")
    assert "what you wrote is still here" in answer.text


async def test_a_file_is_refused_in_words_where_nobody_looks_through_files(ana: Desk, browser: Browser) -> None:
    await browser.sign_in("promoter")
    sent = {"version": "1", "key": "k"}
    file = {"file": ("letter.txt", b"Dear all", "text/plain")}
    refused = await browser.client.post(f"{PAGE}/files", data=sent, files=file, headers=OURS)
    assert refused.status_code == 503
    assert "Your file was not kept." in refused.text
    assert "scanner" in refused.text


async def test_the_first_page_weighs_at_most_a_hundred_kilobytes_with_all_that_it_loads(broken: Lane, browser: Browser) -> None:
    """Breaks when a file is loaded on every page that few need; counted as it goes over the wire."""
    await browser.sign_in("promoter")
    async with browser.client.stream("GET", "/", headers={"accept-encoding": "gzip"}) as page:
        weight = sum([len(each) async for each in page.aiter_raw()])
        assert page.headers["content-encoding"] == "gzip"
    text = (await browser.get("/")).text
    loaded = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', text))
    assert len(loaded) >= 6
    for path in loaded:
        async with browser.client.stream("GET", path, headers={"accept-encoding": "gzip"}) as file:
            assert file.status_code == 200, path
            assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
            weight += sum([len(each) async for each in file.aiter_raw()])
    assert weight <= 100_000


async def test_a_file_of_another_release_is_not_given_out_under_its_address(browser: Browser) -> None:
    text = (await browser.get("/register")).text
    path = re.findall(r'"(/assets/[^"]+/workbench.css)"', text)[0]
    assert (await browser.get(path)).status_code == 200
    digest = path.split("/")[2]
    assert (await browser.get(path.replace(digest, "0" * 12))).status_code == 404
    assert (await browser.get(f"/assets/{digest}/../../settings.py")).status_code == 404
