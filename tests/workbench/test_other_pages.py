"""What the pages beside those of cases show where a service does not answer, and that what people write there is text."""

from uuid import UUID

import pytest

from tests.recovery.conftest import Lane
from tests.workbench.browser import Browser
from tests.workbench.test_pages import XSS


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/promises", "promises"), ("/promises/papers-returned", "promises"), ("/promises.csv", "promises"), ("/drafts", "promises"),
        (f"/backtests/{UUID(int=1)}", "promises"), ("/commitments", "promises"), ("/register", "promises"), ("/register.csv", "promises"),
        ("/indicators", "journey"), ("/indicators.csv", "journey"), ("/indicators/teams.csv", "journey"),
        (f"/customers/{UUID(int=1)}", "journey"),
    ],
)  # fmt: skip
async def test_a_page_whose_service_does_not_answer_says_which_and_nothing_is_lost(
    broken: Lane, browser: Browser, path: str, service: str
) -> None:
    await browser.sign_in("director")
    page = await browser.get(path)
    assert page.status_code == 503
    assert f"The service {service} does not answer." in page.text


@pytest.mark.parametrize("path", ["/mass-failures", "/mass-failures/new", "/improvements", "/people", "/surge"])
async def test_what_recovery_knows_is_there_while_the_others_do_not_answer(broken: Lane, browser: Browser, path: str) -> None:
    await browser.sign_in("director")
    assert (await browser.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [f"/mass-failures/{UUID(int=1)}", f"/improvements/{UUID(int=1)}", f"/mass-failures/{UUID(int=1)}/acts/{UUID(int=2)}"],
)
async def test_what_there_is_not_is_not_found(broken: Lane, browser: Browser, path: str) -> None:
    await browser.sign_in("director")
    assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/promises/a/b",
        "/promises/..%2fx",
        "/backtests/x",
        "/mass-failures/x",
        "/indicators?by=x",
        "/indicators?bucket=century",
        "/people/a%00b",
    ],
)
async def test_an_address_that_nobody_made_is_not_found(broken: Lane, browser: Browser, path: str) -> None:
    await browser.sign_in("director")
    assert (await browser.get(path)).status_code in {404, 422}


async def test_what_people_write_beside_cases_is_text_and_nothing_else(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("lead")
    declared = await browser.send(
        "/mass-failures", key="k1", what=XSS, since="2026-02-28T00:00", promises="papers-returned", segments="<b>"
    )
    begun = await browser.send("/improvements", key="k2", what=XSS, component="people", owner="<i>x</i>", due="2026-04-01T12:00")
    await browser.send("/people/lead", version="0", serves=XSS, avoids=XSS, willing="no", peer="<b>")
    pages = ["/mass-failures", declared.headers["location"], "/improvements", begun.headers["location"], "/people", "/people/lead"]
    pages += [
        "/mass-failures/new?promise=%3Cscript%3E&since=%3Cscript%3E",
        "/improvements?promise=%3Cscript%3E&component=people",
        "/?x=%3Cscript%3E",
    ]
    for path in pages:
        text = (await browser.get(path)).text
        assert "<script>" not in text
        assert "<img src=x" not in text
        assert "<b>" not in text
        assert "49014001" not in text
