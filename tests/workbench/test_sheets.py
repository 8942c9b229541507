"""The forms beside those of cases ask for what recovery takes, and what was written stays where it is refused."""

import json
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import contracts
from services.workbench import forms, sheets
from services.workbench.forms import Form
from services.workbench.reader import Reader
from tests.driving import NOON
from tests.recovery.conftest import Lane
from tests.workbench.browser import Browser

SCHEMAS: dict[str, Any] = json.loads((Path(contracts.__file__).parent / "openapi" / "recovery.json").read_text())["components"]["schemas"]
ASKED = {
    "NewMassFailure": sheets.DECLARE, "Changed": sheets.CHANGE, "Closing": sheets.CLOSE, "NewImprovement": sheets.BEGIN,
    "Improvement": sheets.IMPROVE, "NewRecognition": sheets.RECOGNISE, "NewNote": sheets.COACH, "Profile": sheets.DESCRIBE,
}  # fmt: skip
NOT_ASKED = {"NewMassFailure": {"plan"}}
"""The plan is added act by act on the page of the mass failure."""


def asked(schema: str, before: str = "") -> dict[str, bool]:
    """What a document takes, by its path: whether it must be there."""
    found: dict[str, bool] = {}
    for name, said in SCHEMAS[schema]["properties"].items():
        inside = next((each["$ref"] for each in (said, *said.get("anyOf", ())) if "$ref" in each), "").rsplit("/", 1)[-1]
        if SCHEMAS.get(inside, {}).get("properties"):
            found |= dict.fromkeys(asked(inside, f"{before}{name}."), False)
        else:
            found[before + name] = name in SCHEMAS[schema].get("required", ())
    return found


@pytest.mark.parametrize("schema", ASKED)
def test_a_form_asks_for_what_the_service_takes_and_for_nothing_else(schema: str) -> None:
    fields = {each.name: each for each in ASKED[schema].fields}
    wanted = {name: must for name, must in asked(schema).items() if name not in NOT_ASKED.get(schema, ())}
    assert fields.keys() == wanted.keys()
    assert not {name for name, must in wanted.items() if must and not fields[name].required} - {
        "skills",
        "languages",
        "serves",
        "avoids",
        "willing",
    }


@pytest.mark.parametrize("form", sheets.SHEETS, ids=lambda form: form.act)
def test_what_is_known_already_comes_back_as_it_was(form: Form) -> None:
    """Breaks if a form that is sent without a change would change something."""
    reader = Reader("en", ZoneInfo("America/Caracas"), NOON)
    by_kind: dict[str, Any] = {"list": ["a", "b"], "yes_no": True, "number": 3, "instant": "2026-03-01T08:30:00-04:00"}
    body = forms.read(form.fields, {each.name: "x" if each.kind not in by_kind else _sent(each.kind) for each in form.fields}, reader.zone)
    shown = sheets.as_sent(form, body, reader)["sent"]
    assert forms.read(form.fields, shown, reader.zone) == body


def _sent(kind: str) -> str:
    return {"list": "a, b", "yes_no": "yes", "number": "3", "instant": "2026-03-01T08:30"}[kind]


async def test_a_lead_declares_a_mass_failure_does_an_act_in_all_cases_and_sees_how_far_it_has_come(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("lead")
    new = await browser.get("/mass-failures/new?since=2026-02-28T00:00:00Z&promise=papers-returned")
    assert 'value="papers-returned"' in new.text
    unsaid = await browser.send("/mass-failures", key="k1", what="The safe jammed.", since="2026-02-28T00:00")
    assert unsaid.status_code == 422
    assert ">The safe jammed.</textarea>" in unsaid.text
    declared = await browser.send("/mass-failures", key="k2", what="The safe jammed.", since="2026-02-28T00:00", promises="papers-returned")
    assert declared.status_code == 303
    page = declared.headers["location"]
    chosen = (await browser.get(f"{page}?act=note_case")).text
    version = re.search(r'name="version" value="(\d+)"', chosen)
    assert version is not None
    done = await browser.send(f"{page}/acts/note_case", version=version[1], key="k3", text="We know of it.", within="", of="")
    assert done.headers["location"] == page
    late = await browser.send(f"{page}/change", version=version[1], what="The safe jammed, again.", lead="lead", until="")
    assert late.status_code == 412
    assert ">The safe jammed, again.</textarea>" in late.text
    text = (await browser.get(page)).text
    assert "note case" in text
    (run,) = re.findall(rf'href="({page}/acts/[0-9a-f-]+)">note case', text)
    assert "Nowhere." in (await browser.get(run)).text
    assert "The safe jammed." in (await browser.get("/mass-failures?state=open")).text
    assert "Nothing failed for many." in (await browser.get("/mass-failures?state=closed")).text


async def test_who_leads_nobody_declares_nothing(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("promoter")
    assert "Declare" not in (await browser.get("/mass-failures")).text
    refused = await browser.send("/mass-failures", key="k", what="All of it.", since="2026-02-28T00:00", promises="papers-returned")
    assert refused.status_code == 403
    assert ">All of it.</textarea>" in refused.text


async def test_an_improvement_says_whether_it_is_proven(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("lead")
    begun = await browser.send(
        "/improvements", key="k", what="A tray of its own.", component="procedures", owner="lead", due="2026-04-01T12:00"
    )
    page = begun.headers["location"]
    assert "figures are missing" in (await browser.get("/improvements")).text
    figures = {"before.decided": "1000", "before.broken": "120", "after.decided": "900", "after.broken": "40"}
    more = {"version": "1", "what": "A tray of its own.", "owner": "lead", "due": "2026-04-01T12:00"}
    assert (await browser.send(page, **more, **figures)).status_code == 303
    text = (await browser.get(page)).text
    assert "✓ proven" in text
    assert re.search(r"-\d+\.\d %", text)
    again = await browser.send(page, **more, **figures)
    assert again.status_code == 412


async def test_people_say_how_they_want_to_serve_and_their_absence_stays_when_something_else_is_changed(
    broken: Lane, browser: Browser
) -> None:
    await browser.sign_in("promoter")
    page = "/people/promoter"
    version = re.search(r'name="version" value="(\d+)"', (await browser.get(page)).text)
    assert version is not None
    away = {"away.since": "2099-03-02T08:00", "away.until": "2099-03-09T08:00", "away.cover": "executive", "away.lends": "no"}
    said = {"serves": "To the end.", "avoids": "", "skills": "documents", "languages": "es, en", "willing": "yes", "peer": ""}
    assert (await browser.send(page, version=version[1], **said, **away)).status_code == 303
    text = (await browser.get(page)).text
    assert "To the end." in text
    form = re.search(r'id="sheet-describe".*?</form>', text, re.DOTALL)
    assert form is not None
    assert 'value="2099-03-09T08:00"' in form[0]
    assert "executive" in form[0]
    assert "promoter" in (await browser.get("/people")).text


async def test_what_people_carry_is_shown_to_nobody_who_works_on_no_case(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("auditor")
    text = (await browser.get("/people")).text
    assert "Who carries what is for those who work on cases." in text
    assert "It is for the person and whoever leads them." in text


async def test_in_a_surge_the_order_of_triage_leads_to_the_cases(broken: Lane, browser: Browser) -> None:
    await browser.sign_in("lead")
    text = (await browser.get("/surge?days=7")).text
    assert "What comes first" in text
    assert 'href="/cases/' in text
    assert (await browser.get("/surge?days=no")).status_code == 404


async def test_a_note_is_seen_by_the_lead_and_the_person_and_by_nobody_else(broken: Lane, browser: Browser) -> None:
    """Breaks if notes are read in any other name than the reader's."""
    await browser.sign_in("promoter")
    assert (await browser.send("/people/promoter", version="0", willing="yes")).status_code in {303, 412}
    refused = await browser.send("/people/promoter/notes", key="k1", text="How did you say no to him?")
    assert refused.status_code == 404
    assert ">How did you say no to him?</textarea>" in refused.text
    assert (await browser.send("/people/promoter/notes", key="k2", text="How did you say no to him?", lead="lead")).status_code == 303
    assert "How did you say no to him?" in (await browser.get("/people/promoter")).text
    await browser.sign_in("lead")
    assert "How did you say no to him?" in (await browser.get("/people/promoter")).text
    assert (await browser.send("/people/promoter/notes", key="k3", text="By saying why.")).status_code == 303
    assert "By saying why." in (await browser.get("/people/promoter")).text
    await browser.sign_in("director")
    assert "By saying why." not in (await browser.get("/people/promoter")).text
