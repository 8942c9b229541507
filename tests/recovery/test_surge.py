"""More comes than people can take: who comes first, what is missed at this pace, and honest new dates told in time."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recovery.domain.capacity import HORIZON, Curve, Waiting, curve, falling_due, there
from services.recovery.domain.case import OwedState
from services.recovery.domain.deeds import RefusedError
from services.recovery.domain.people import Away, Person, Shift
from services.recovery.domain.things import thing_id
from services.recovery.domain.voice import Hours
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


MADRID, EVERY_DAY = "Europe/Madrid", tuple(range(1, 8))
BY_DAY = Shift((1, 2, 3, 4, 5), Hours(time(9), time(17), MADRID))
BY_NIGHT = Shift((5,), Hours(time(22), time(6), MADRID))
A_WEEK = timedelta(days=7)


def local(day: int, hour: int) -> datetime:
    """An hour in March 2026 in UTC; on the 29th the clocks in Madrid go forward at 2."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_nobody_is_counted_on_at_night_on_days_off_or_while_away() -> None:
    """Breaks if a shift across midnight is cut there, or the clocks' change moves it."""
    ana = Person("ana", works=(BY_DAY,), away=Away(local(24, 12), local(26, 0)))
    found = there(ana, local(23, 0), local(30, 0))
    assert found == [(local(d, 8), local(d, 16)) for d in (23,)] + [(local(24, 8), local(24, 12))] + [
        (local(d, 8), local(d, 16)) for d in (26, 27)
    ]
    assert there(ana, local(30, 0), local(31, 0)) == [(local(30, 7), local(30, 15))]
    night = Person("ben", works=(BY_NIGHT, BY_NIGHT))
    assert there(night, local(23, 0), local(30, 0)) == [(local(27, 21), local(28, 5))]


def test_what_is_put_right_stands_still_while_nobody_is_there_and_goes_on_at_their_pace() -> None:
    ana = Person("ana", works=(BY_DAY,))
    ahead = curve([ana], {"ana": 40}, local(16, 0), local(23, 0))
    assert ahead is not None
    assert ahead.reached(1) == local(23, 9)
    assert ahead.reached(8) == local(23, 16)
    assert ahead.reached(9) == local(24, 9)
    assert ahead.reached(41) == local(30, 8)
    assert ahead.by(local(24, 3)) == pytest.approx(8)
    assert curve([ana], {"ana": 0}, local(16, 0), local(23, 0)) is None


WHO = st.builds(
    Person,
    st.sampled_from(["ana", "ben", "eva"]),
    works=st.lists(st.sampled_from([BY_DAY, BY_NIGHT, Shift(EVERY_DAY, Hours(time(0), time(0)))]), max_size=2).map(tuple),
    away=st.none() | st.builds(lambda day: Away(local(day, 5), local(day + 2, 5)), st.integers(20, 28)),
)


@given(st.lists(WHO, min_size=1, unique_by=lambda each: each.subject), st.integers(1, 50), st.integers(1, 500))
def test_a_turn_is_reached_when_so_many_are_put_right_and_never_before(people: list[Person], number: int, place: int) -> None:
    ahead = curve(people, {each.subject: number for each in people}, local(16, 0), local(23, 0))
    assert ahead is not None
    done = [done for _, done in ahead.points]
    assert done == sorted(done)
    at = ahead.reached(place)
    if at is None:
        assert done[-1] < place
    else:
        assert ahead.by(at) == pytest.approx(place, rel=1e-3)
        assert ahead.by(at - timedelta(minutes=1)) < place


@pytest.mark.parametrize(("due", "missed"), [(1, 2), (2, 1), (3, 0)])
def test_of_those_due_in_one_minute_the_ones_behind_the_pace_are_missed(due: int, missed: int) -> None:
    ahead = Curve([(NOON, 0.0), (NOON + HORIZON, HORIZON / timedelta(days=1))])
    before, last = Waiting("high", NOON + timedelta(days=9), None, 1), NOON + timedelta(days=due)
    assert falling_due([Waiting("high", last, None, 3)], ahead)[0].missed == missed
    assert falling_due([before, Waiting("low", last, "ana", 3)], ahead)[1].missed == min(missed + 1, 3)


async def test_capacity_is_told_by_team_and_by_who_is_there_tonight(lane: Lane, office: Office) -> None:
    """Breaks if a night that nobody works is counted on, or one team's cases wait for another's people."""
    await lane.feed(*(lane.fact(number=100 + n, customer=UUID(int=1000 + n)) for n in range(6)), lane.marker(NOON))
    ids = case_ids(6)
    ana, ben = office.desk("ana", "agent", teams=["north"]), office.desk("ben", "agent", teams=["south"])
    now = NOON.time()
    day = {"days": list(EVERY_DAY), "begins": "00:00", "ends": f"{now.hour + 1:02}:00", "zone": "UTC"}
    for desk, path, works in ((ana, "/v1/people/ana", [day]), (ben, "/v1/people/ben", [])):
        await desk.put(path, {"skills": [], "languages": []})
        said = await desk.put(f"{path}/hours", {"works": works})
        assert said.status_code == 200, said.text
        kept = await desk.put(path, {"skills": ["law"], "languages": []})
        assert len(kept.json()["works"]) == len(works)
    await remedy(lane, ana, ids[0])
    for desk, case in ((ana, ids[1]), (ana, ids[2]), (ben, ids[3])):
        seen = await desk.get(f"/v1/cases/{case}")
        await desk.client.post(f"/v1/cases/{case}/owner", headers=desk.headers | {"if-match": seen.headers["etag"]})
    lea = office.desk("lea", "lead")
    found = (await lea.get("/v1/surge", days=1)).json()
    assert (found["waiting"], found["unowned"], found["capacity_a_day"]) == (5, 2, 1)
    assert [(each["team"], each["there"], each["waiting"], each["capacity_a_day"]) for each in found["teams"]] == [
        ("north", 1, 2, 1.0), ("south", 1, 1, 0.0),
    ]  # fmt: skip
    hours = found["hours"]
    assert (len(hours), hours[0]["people"], hours[2]["people"]) == (24, 2, 1)
    assert hours[0]["put_right"] > 0
    assert hours[2]["put_right"] == 0
    assert sum(each["put_right"] for each in hours) == pytest.approx(1)
    north = (await lea.get("/v1/surge", days=1, team="north")).json()
    assert [each["case_id"] for each in north["items"]] == [str(ids[n]) for n in (1, 2)]
    assert (north["waiting"], north["hours"][2]["people"]) == (2, 0)
    south = (await lea.get("/v1/surge", days=1, team="south")).json()
    assert (south["capacity_a_day"], south["waiting"], south["missed"]) == (None, 1, 0)


async def test_hours_are_said_by_oneself_or_by_who_leads_and_by_a_clock_that_there_is(ana: Desk, office: Office) -> None:
    await ana.put("/v1/people/ana", {"skills": [], "languages": []})
    shift = {"days": [1], "begins": "09:00", "ends": "17:00", "zone": MADRID}
    wrongs: list[dict[str, Any]] = [{"days": [8]}, {"zone": "Europe/Nowhere"}, {"begins": "09:00Z"}, {"days": []}]
    for wrong in wrongs:
        refused = await ana.put("/v1/people/ana/hours", {"works": [shift | wrong]}, '"1"')
        assert refused.status_code == 422, refused.text
    assert (await office.desk("ben", "agent").put("/v1/people/ana/hours", {"works": [shift]}, '"1"')).status_code == 404
    said = await office.desk("mia", "manager").put("/v1/people/ana/hours", {"works": [shift]}, '"1"')
    assert said.json()["works"] == [{"days": [1], "hours": {"begins": "09:00:00", "ends": "17:00:00", "zone": MADRID}}]
