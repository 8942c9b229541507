"""What becomes of what was to be done in a case that is merged into another."""

from datetime import timedelta
from uuid import UUID

from services.recovery.domain import failing
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import CASE, Desk, Office


async def test_what_is_still_to_be_done_in_a_merged_case_is_shown_in_the_one_that_goes_on(ana: Desk, office: Office, lane: Lane) -> None:
    """Breaks if a task, a request for help or an approval were out of sight once its case is merged."""
    other = failing.case_id(UUID(int=30), UUID(int=3))
    await lane.feed(lane.fact(number=3, customer=UUID(int=30)))
    old, due = f"/v1/cases/{other}", (NOON + timedelta(hours=4)).isoformat()
    lea, mia = office.desk("lea", "lead"), office.desk("mia", "manager")
    await ana.act("/owner", case=old)
    await ana.act("/tasks", {"what": "Fetch it.", "due": due}, case=old, idempotency_key="t")
    await ana.act("/help-requests", {"what": "a visa", "due": due, "assignee": "ben"}, case=old, idempotency_key="h")
    await ana.act("/approvals", {"kind": "exception", "what": "no stamp", "due": due}, case=old, idempotency_key="a")
    assert (await lea.act("/merge", {"into": CASE.rpartition("/")[2], "why": "one person"}, case=old)).status_code == 200
    (left,) = (await ana.get(CASE)).json()["merged"]
    parts = {part: [each["what"] for each in left[part]] for part in ("pledges", "tasks", "help_requests", "approvals")}
    assert parts == {"pledges": [], "tasks": ["Fetch it."], "help_requests": ["a visa"], "approvals": ["no stamp"]}
    assert left["case"] == str(other)
    ben = office.desk("ben", "agent")
    assert [each["help"]["what"] for each in (await ben.get("/v1/help-requests")).json()["items"]] == ["a visa"]
    assert len((await mia.get("/v1/approvals")).json()["items"]) == 1
    for desk, path, body in (
        (ben, f"/help-requests/{left['help_requests'][0]['id']}/answer", {"text": "here"}),
        (mia, f"/approvals/{left['approvals'][0]['id']}/grant", {"why": "fair"}),
        (ben, f"/tasks/{left['tasks'][0]['id']}/done", None),
    ):
        done = await desk.act(path, body, case=old)
        assert done.status_code == 200, done.text
    (left,) = (await ana.get(CASE)).json()["merged"]
    assert [left["tasks"], left["help_requests"], left["approvals"]] == [[], [], []]
