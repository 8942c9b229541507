"""Those who recover: what they say of themselves, who covers, who is suggested, and how much one carries."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recovery.domain.case import Severity
from services.recovery.domain.deeds import Deed
from services.recovery.domain.owning import CarriesTooMuchError, RestsError, assign_case, own_case
from services.recovery.domain.people import WEIGHTS, Away, Candidate, Limits, Load, Person, Room, Sought, peer_of, suggest
from tests.recovery.conftest import CUSTOMER, NOON
from tests.recovery.office import CASE, Desk, Office, slug
from tests.recovery.stories import ANA, PLAIN, Story

LIMITS = Limits(cases=3, weight=10, warn=0.8, rest=timedelta(days=1))
AWAY = {"since": (NOON - timedelta(days=1)).isoformat(), "until": (NOON + timedelta(days=1)).isoformat(), "cover": "ben"}
DUE = (NOON + timedelta(hours=2)).isoformat()


def room(cases: int = 0, weight: int = 0, hours_ago: int | None = None) -> Room:
    return Room(Load(cases, weight, None if hours_ago is None else NOON - timedelta(hours=hours_ago)), LIMITS)


def deed(name: str, has: Room) -> Deed:
    return Deed(name, ANA, NOON, PLAIN, {"to": "ben"}, "", has)


PEOPLE = st.builds(
    Person, st.sampled_from("abcdefgh"), st.just(1), skills=st.sets(st.sampled_from(["law", "visa"])).map(tuple), willing=st.booleans(),
    away=st.none() | st.just(Away(NOON, NOON + timedelta(hours=1))),
)  # fmt: skip
ROOMS = st.builds(room, st.integers(0, 4), st.integers(0, 12), st.none() | st.integers(0, 48))
CANDIDATES = st.lists(st.builds(Candidate, PEOPLE, ROOMS, st.integers(0, 3)), unique_by=lambda each: each.person.subject)


@given(CANDIDATES, st.randoms(), st.booleans().map(lambda helping: Sought(NOON, Severity.HIGH, helping, frozenset({"law"}))))
def test_suggestions_are_the_same_in_any_order_and_the_unsuited_come_last_with_a_reason(
    found: list[Candidate], random: object, sought: Sought
) -> None:
    told = suggest(found, sought)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert suggest(shuffled, sought) == told
    assert [bool(each.against) for each in told] == sorted(bool(each.against) for each in told)
    for each in told:
        suited = each.person.willing and not each.person.is_away(NOON) and "law" in each.person.skills
        assert suited or each.against
    by_name = {each.person.subject: each for each in found}
    alike = [by_name[each.person.subject] for each in told if not each.against]
    for one, other in pairwise(alike):
        assert one.known > other.known or (one.known == other.known and one.room.load.weight <= other.room.load.weight)


@pytest.mark.parametrize(
    ("has", "severity", "warned"),
    [
        (room(0, 0), Severity.LOW, None),
        (room(1, 4), Severity.HIGH, None),
        (room(2, 2), Severity.LOW, ["near-limit"]),
        (room(1, 6), Severity.HIGH, ["near-limit"]),
        (room(0, 0, hours_ago=23), Severity.HIGH, ["rests"]),
        (room(0, 0, hours_ago=24), Severity.HIGH, None),
        (room(0, 0, hours_ago=1), Severity.MEDIUM, None),
    ],
)
def test_whoever_takes_a_case_is_warned_before_it_is_too_much(
    story: Story, has: Room, severity: Severity, warned: list[str] | None
) -> None:
    story.act("set_severity", severity=severity.value, why="x")
    (owned,) = own_case(story.case, deed("own_case", has))
    assert owned.content.get("warned") == warned


@pytest.mark.parametrize("has", [room(3, 3), room(1, 10 - WEIGHTS[Severity.MEDIUM] + 1)])
def test_what_would_be_too_much_is_refused(story: Story, has: Room) -> None:
    for name, decide in (("own_case", own_case), ("assign_case", assign_case)):
        with pytest.raises(CarriesTooMuchError):
            decide(story.case, deed(name, has))


def test_nobody_is_given_a_hard_case_while_they_rest_from_one(story: Story) -> None:
    story.act("set_severity", severity="critical", why="x")
    with pytest.raises(RestsError):
        assign_case(story.case, deed("assign_case", room(0, 0, hours_ago=1)))


def test_the_peer_is_whom_they_named_else_who_has_room_in_their_team() -> None:
    ana = Person("ana", 1, teams=("north",), peer="max")
    others = [
        Candidate(Person("max", 1, teams=("south",)), room()),
        Candidate(Person("eva", 1, teams=("north",), willing=True), room(1, 3)),
        Candidate(Person("ida", 1, teams=("north",), willing=True), room(1, 2)),
        Candidate(Person("tom", 1, teams=("north",)), room()),
    ]
    assert peer_of(ana, others, NOON) == "max"
    assert peer_of(ana, others[1:], NOON) == "ida"
    assert peer_of(ana, [others[3]], NOON) is None


async def test_everybody_speaks_for_themselves_and_leads_see_their_team(ana: Desk, office: Office) -> None:
    said = {"skills": ["visa"], "languages": ["es"], "serves": "the ones nobody wants", "willing": True}
    written = await ana.put("/v1/people/ana", said)
    assert (written.status_code, written.headers["etag"], written.json()["serves"]) == (200, '"1"', "the ones nobody wants")
    assert slug(await ana.put("/v1/people/ana", said, '"0"')) == "stale-version"
    assert slug(await ana.client.put("/v1/people/ana", json=said, headers=ana.headers)) == "if-match-required"
    assert slug(await office.desk("ben", "agent").put("/v1/people/ana", said, '"1"')) == "not-yourself"
    assert slug(await office.desk("ben", "agent").get("/v1/people/ana")) == "not-found"
    eva = office.desk("eva", "agent", teams=["north"])
    await eva.put("/v1/people/eva", said)
    assert slug(await office.desk("lea", "lead", teams=["south"]).get("/v1/people/eva")) == "not-found"
    lea = office.desk("lea", "lead", teams=["north"])
    assert [each["subject"] for each in (await lea.get("/v1/people")).json()["items"]] == ["eva"]
    assert [each["subject"] for each in (await office.desk("mia", "manager").get("/v1/people")).json()["items"]] == ["ana", "eva"]
    away = await lea.put("/v1/people/eva/away", {"away": AWAY})
    assert (away.json()["away"]["cover"], away.json()["serves"]) == ("ben", "the ones nobody wants")


@pytest.mark.parametrize("away", [AWAY | {"until": AWAY["since"]}, AWAY | {"cover": "ana"}, {"since": AWAY["since"]}])
async def test_an_absence_that_makes_no_sense_is_refused(ana: Desk, away: dict[str, str]) -> None:
    assert slug(await ana.put("/v1/people/ana", {"away": away})) == "invalid-request"


async def test_whom_an_absent_owner_named_acts_as_owner_until_they_are_back(ana: Desk, office: Office) -> None:
    ben = office.desk("ben", "agent")
    await ana.act("/owner")
    assert slug(await ben.act("/remedy", {"what": "a new passport"})) == "not-the-owner"
    assert slug(await ben.act("/owner")) == "has-an-owner"
    await ana.put("/v1/people/ana", {"away": AWAY | {"until": (NOON - timedelta(hours=1)).isoformat()}})
    assert slug(await ben.act("/remedy", {"what": "a new passport"})) == "not-the-owner"
    await ana.put("/v1/people/ana", {"away": AWAY})
    remedied = await ben.act("/remedy", {"what": "a new passport"})
    assert (remedied.json()["state"], remedied.json()["owner"]) == ("remedied", "ana")
    assert (await ana.get(CASE)).json()["acts"][-1]["by"] == "ben"


async def test_a_request_for_help_is_seen_by_whom_it_is_asked_of_until_it_is_answered(ana: Desk, office: Office) -> None:
    ben = office.desk("ben", "agent")
    asked = await ana.act("/help-requests", {"what": "who knows immigration?", "due": DUE, "assignee": "ben"}, idempotency_key="a")
    await ana.act("/help-requests", {"what": "who drives?", "due": DUE}, idempotency_key="b")
    assert asked.status_code == 201
    found = (await ben.get("/v1/help-requests", whoever=False)).json()["items"]
    assert [each["help"]["what"] for each in found] == ["who knows immigration?"]
    assert len((await ben.get("/v1/help-requests")).json()["items"]) == 2
    request = found[0]["help"]["id"]
    passed = await ben.act(f"/help-requests/{request}/pass", {"assignee": "eva", "why": "her brother is the director"})
    chains = {each["id"]: each["chain"] for each in passed.json()["help_requests"]}
    assert [(link["by"], link["to"], link["why"]) for link in chains[request]] == [("ben", "eva", "her brother is the director")]
    assert slug(await office.desk("max", "agent").act(f"/help-requests/{request}/accept")) == "not-asked-of-you"
    eva = office.desk("eva", "agent")
    await eva.act(f"/help-requests/{request}/accept")
    assert len((await eva.get("/v1/help-requests", whoever=False)).json()["items"]) == 1
    await eva.act(f"/help-requests/{request}/answer", {"text": "come at eight"})
    assert (await eva.get("/v1/help-requests", whoever=False)).json()["items"] == []
    assert (await ana.act(f"/help-requests/{request}/thank", {"text": "thank you both"})).status_code == 200


async def test_who_is_suggested_knows_can_wants_and_has_room(ana: Desk, office: Office) -> None:
    await office.desk("ben", "agent").put("/v1/people/ben", {"skills": ["Visa"], "willing": True})
    await office.desk("eva", "agent").put("/v1/people/eva", {"languages": ["es"], "willing": False, "avoids": "phone calls at night"})
    items = (await ana.get(f"{CASE}/suggestions", skill="visa")).json()["items"]
    assert [(each["subject"], each["suited"]) for each in items] == [("ben", True), ("eva", False)]
    assert items[0]["because"] == ["can visa", "wants to be asked", "carries 0 of 40 cases, weight 0 of 80"]
    assert items[1]["against"] == ["has not said to know visa", "does not want to be asked"]
    assert items[1]["avoids"] == "phone calls at night"


async def test_what_one_carries_is_counted_from_the_cases(ana: Desk, office: Office) -> None:
    await ana.act("/owner")
    me = (await ana.get("/v1/people/ana")).json()
    assert (me["cases"], me["weight"], me["rests_until"]) == (1, WEIGHTS[Severity.MEDIUM], None)
    await ana.act("/severity", {"severity": "critical", "why": "she flies tomorrow"})
    customer = office.desk(f"customer:{CUSTOMER}", "customer")
    await customer.act("/decline", {"why": "enough"}, if_match=(await ana.get(CASE)).headers["etag"])
    me = (await ana.get("/v1/people/ana")).json()
    assert (me["cases"], me["weight"], me["rests_until"]) == (0, 0, "2026-03-02T12:00:00Z")
