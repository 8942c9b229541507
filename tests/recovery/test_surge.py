"""More comes than people can take: who comes first, what is missed at this pace, and honest new dates told in time."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.recovery.domain.case import OwedState
from services.recovery.domain.deeds import RefusedError
from services.recovery.domain.things import thing_id
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import Desk, Office
from tests.recovery.stories import Story
from tests.recovery.test_bulk import case_ids

LATER = NOON + timedelta(days=2)


@pytest.fixture
def pledged(story: Story) -> Story:
    story.act("own_case")
    story.pledge()
    return story


def postpone(story: Story, pledge: UUID, due: datetime, key: str = "anew") -> UUID:
    story.act("postpone_pledge", key=key, pledge=pledge, due=due, channel="phone", why="so many at once")
    return thing_id(story.case.id, key)


def test_a_pledge_is_moved_by_telling_the_customer_and_keeps_its_first_date(pledged: Story) -> None:
    (first,) = pledged.case.pledges.values()
    second = postpone(pledged, first.id, LATER)
    third = postpone(pledged, second, LATER + timedelta(days=1), "again")
    pledges = pledged.case.pledges
    assert [each.state for each in pledges.values()] == [OwedState.CALLED_OFF, OwedState.CALLED_OFF, OwedState.OPEN]
    assert (pledges[third].instead_of, pledges[third].first_due, pledges[third].what) == (second, first.due, first.what)
    assert [each.reached for each in pledged.case.contacts] == [True, True]
    assert pledged.case.due == LATER + timedelta(days=1)


def test_what_has_passed_is_broken_and_not_moved(pledged: Story) -> None:
    (first,) = pledged.case.pledges.values()
    with pytest.raises(RefusedError, match="lies behind"):
        postpone(pledged, first.id, first.due)
    pledged.now = first.due
    with pytest.raises(RefusedError, match="has not passed"):
        postpone(pledged, first.id, LATER)
    pledged.now -= timedelta(hours=1)
    pledged.judge_pledge(first.id, "broken")
    with pytest.raises(RefusedError, match="apologised"):
        postpone(pledged, first.id, LATER)


def test_a_verdict_on_what_was_moved_changes_nothing(pledged: Story) -> None:
    (first,) = pledged.case.pledges
    postpone(pledged, first, LATER)
    before = pledged.case
    pledged.judge_pledge(first, "broken")
    assert pledged.case == before


async def test_the_engine_is_told_that_the_old_date_is_owed_no_more_and_the_new_one_is(lane: Lane, ana: Desk) -> None:
    await ana.act("/owner")
    made = await ana.act("/pledges", {"what": "call", "due": (NOON + timedelta(hours=3)).isoformat()}, idempotency_key="p")
    (first,) = made.json()["pledges"]
    body = {"due": LATER.isoformat(), "channel": "phone", "why": "so many at once"}
    moved = await ana.act(f"/pledges/{first['id']}/postpone", body, idempotency_key="m")
    assert moved.status_code == 201, moved.text
    second = moved.json()["pledges"][1]
    assert (second["instead_of"], second["first_due"]) == (first["id"], first["due"])
    told = [orjson.loads(each.value) for each in await lane.unpublished()]
    acts = [(each["type"], each["data"]["pledge_id"]) for each in told if "pledge_id" in each["data"]]
    assert acts[1:] == [("recovery.owed.called_off", first["id"]), ("recovery.pledge.made", second["id"])]


async def remedy(lane: Lane, desk: Desk, identity: UUID) -> None:
    for path, body in (("owner", None), ("remedy", {"what": "done"})):
        case = await desk.get(f"/v1/cases/{identity}")
        headers = desk.headers | {"if-match": case.headers["etag"]}
        done = await desk.client.post(f"/v1/cases/{identity}/{path}", json=body, headers=headers)
        assert done.status_code == 200, done.text


async def test_what_comes_first_and_what_is_missed_is_told_at_the_pace_of_the_last_days(lane: Lane, office: Office) -> None:
    """Breaks if the order is not severity, then what is due; or if a date is called safe that the pace does not reach."""
    severities = ["low", "critical", "medium", "high", "medium", "medium"]
    facts = [lane.fact(number=100 + n, customer=UUID(int=1000 + n), severity=each) for n, each in enumerate(severities)]
    await lane.feed(*facts, lane.marker(NOON))
    ids, lea = case_ids(6), office.desk("lea", "lead")
    unknown = (await lea.get("/v1/surge")).json()
    assert (unknown["capacity_a_day"], unknown["waiting"], unknown["surge"], unknown["missed"]) == (None, 6, True, 0)
    await remedy(lane, lea, ids[4])
    case = await lea.get(f"/v1/cases/{ids[2]}")
    await lea.client.post(f"/v1/cases/{ids[2]}/owner", headers=lea.headers | {"if-match": case.headers["etag"]})
    pledge: dict[str, Any] = {"what": "call", "due": (NOON + timedelta(days=2)).isoformat()}
    headers = lea.headers | {"if-match": '"2"', "idempotency-key": "p"}
    made = await lea.client.post(f"/v1/cases/{ids[2]}/pledges", json=pledge, headers=headers)
    assert made.status_code == 201, made.text
    found = (await lea.get("/v1/surge", days=1)).json()
    assert [each["case_id"] for each in found["items"]] == [str(ids[n]) for n in (1, 3, 2, 5, 0)]
    assert (found["capacity_a_day"], found["measured"], found["people"], found["opened_a_day"]) == (1, True, 1, 6)
    assert (found["days_of_work"], found["surge"], found["missed"], found["pledges_missed"]) == (5, True, 1, 1)
    third = found["items"][2]
    assert (third["missed"], datetime.fromisoformat(third["reached_at"])) == (True, NOON + timedelta(days=3))
    first = (await lea.get("/v1/surge", days=1, limit=3)).json()
    rest = (await lea.get("/v1/surge", days=1, limit=3, cursor=first["next"])).json()
    assert [each["place"] for each in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
