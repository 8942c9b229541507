"""What is learned: causes that repeat, improvements that are proven or not, recognition, and notes between two."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.chassis.shares import difference
from services.promises.commitment import Change, Commitment
from services.promises.facts import fact_body
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, Office, slug

AWKWARD = orjson.dumps({"trigger": {"event": "x", "judgement": "broken", "due": "2020-01-01"}, "was": "broken", "time": "x"}).decode()
"""What a company's systems may name a thing by."""
CHANGE = {
    "promise": "papers-returned", "component": "procedures", "what": "a receipt for every paper", "owner": "mia",
    "due": (NOON + timedelta(days=30)).isoformat(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062)],
)
def test_the_interval_of_a_change_is_the_one_that_its_author_published(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, table II, method 10: of `one` minus `other`."""
    found = difference(other, one)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


async def test_causes_are_counted_by_promise_and_what_was_not_known_is_to_be_learned(ana: Desk, lane: Lane) -> None:
    await lane.feed(lane.fact(number=2, customer=UUID(int=30)), lane.fact(number=3, customer=UUID(int=36)))
    for case in (await ana.get("/v1/cases")).json()["items"]:
        own = await ana.client.post(f"/v1/cases/{case['id']}/owner", headers=ana.headers | {"if-match": '"1"'})
        known = case["customer"] != str(CUSTOMER)
        cause = {"component": "procedures"} if known else {"component": "people", "because": "did_not_know"}
        headers = ana.headers | {"if-match": own.headers["etag"]}
        await ana.client.post(f"/v1/cases/{case['id']}/cause", json=cause | {"what": "x"}, headers=headers)
    found = (await ana.get("/v1/causes")).json()["items"]
    assert [(each["promise"], each["component"], each["cases"]) for each in found] == [
        ("papers-returned", "procedures", 2), ("papers-returned", "people", 1),
    ]  # fmt: skip
    assert [each["component"] for each in (await ana.get("/v1/causes", least=2)).json()["items"]] == ["procedures"]
    assert (await ana.get("/v1/causes", since=(NOON + timedelta(days=1)).isoformat())).json()["items"] == []
    needs = (await ana.get("/v1/learning-needs")).json()["items"]
    assert [(each["promise"], each["because"], each["cases"]) for each in needs] == [("papers-returned", "did_not_know", 1)]


async def test_a_cause_of_people_without_what_they_lacked_is_refused(ana: Desk) -> None:
    await ana.act("/owner")
    refused = await ana.act("/cause", {"component": "people", "what": "x"})
    assert (refused.status_code, slug(refused)) == (422, "because-is-of-people")


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [((100, 30), (100, 5), "proven"), ((100, 5), (100, 30), "worse"), ((10, 3), (10, 1), "not_shown")]
)
async def test_an_improvement_is_proven_by_the_broken_share_or_it_is_not(
    ana: Desk, office: Office, before: tuple[int, int], after: tuple[int, int], verdict: str
) -> None:
    mia = office.desk("mia", "manager")
    begun = await mia.post("/v1/improvements", CHANGE, "receipts")
    assert (begun.status_code, begun.json()["proof"]) == (201, None)
    assert (await mia.post("/v1/improvements", CHANGE, "receipts")).json() == begun.json()
    assert slug(await mia.post("/v1/improvements", CHANGE | {"owner": "ana"}, "receipts")) == "idempotency-key-reused"
    path = f"/v1/improvements/{begun.json()['id']}"
    figures = {name: dict(zip(("decided", "broken"), each, strict=True)) for name, each in (("before", before), ("after", after))}
    stands: dict[str, Any] = {name: CHANGE[name] for name in ("what", "owner", "due")} | figures
    changed = await mia.put(path, stands)
    assert (changed.headers["etag"], changed.json()["proof"]["verdict"]) == ('"2"', verdict)
    assert slug(await mia.put(path, stands, '"1"')) == "stale-version"
    assert len((await ana.get("/v1/improvements")).json()["items"]) == 1
    assert slug(await ana.put(path, stands, '"2"')) == "forbidden"


def verdict(lane: Lane, number: int, due: datetime, kind: str, was: str | None = None) -> Any:
    """A fact as promises writes it, of a customer of its own."""
    told = '"promise":"papers-returned","version":1,"audience":"customer","severity":"low"'
    commitment = Commitment(
        UUID(int=number), 0, 1, UUID(int=0), UUID(int=12 + number), AWKWARD, UUID(int=1), AWKWARD, "papers.taken", due - timedelta(days=2),
        kind, "evidence", due, None, None, None, None, None, late=False, standing=False, segment=None, verdict=1, verdict_state=kind,
        trace=None,
    )  # fmt: skip
    fact = fact_body(told, commitment, Change("corrected" if was else kind, due + timedelta(days=1), due, was))
    lane.sequence += 1
    return lane.record(fact, [("lane", f"promises/0/1/{lane.sequence}".encode())])


async def test_verdicts_count_by_themselves_for_what_was_improved(ana: Desk, office: Office, lane: Lane) -> None:
    """Breaks if an improvement were proven by what somebody typed, or a corrected verdict counted twice."""
    mia, days = office.desk("mia", "manager"), timedelta(days=1)
    old = [verdict(lane, n, NOON - 5 * days, "broken" if n % 2 else "kept") for n in range(1000, 1100)]
    corrected = [verdict(lane, n, NOON - 5 * days, "kept", "broken") for n in range(1001, 1021, 2)]
    on_the_day = [verdict(lane, 1200, NOON, "broken")]
    new = [verdict(lane, n, NOON + 5 * days, "broken" if n % 20 == 0 else "kept") for n in range(1300, 1400)]
    beside = [verdict(lane, 1500, NOON + 5 * days, "excused"), verdict(lane, 1501, NOON - 200 * days, "broken")]
    not_yet = [verdict(lane, 1600, NOON + 40 * days, "kept")]
    records = [*old, *corrected, *on_the_day, *new, *beside, *not_yet]
    await lane.feed(*records, old[-1], lane.marker(NOON + 30 * days))
    begun = (await mia.post("/v1/improvements", CHANGE, "receipts")).json()
    assert begun["counted"] is None
    stands = {name: CHANGE[name] for name in ("what", "owner", "due")} | {"done_at": NOON.isoformat(), "days": 60}
    shown = (await mia.put(f"/v1/improvements/{begun['id']}", stands)).json()
    assert shown["counted"] == {"before": {"decided": 100, "broken": 40}, "after": {"decided": 100, "broken": 5}}
    expected = difference((40, 100), (5, 100))
    assert expected is not None
    assert shown["proof"] == {"low": expected.low, "high": expected.high, "verdict": "proven"}
    (listed,) = (await ana.get("/v1/improvements")).json()["items"]
    assert listed["counted"] == shown["counted"]


async def test_what_passes_is_counted_once_wherever_a_process_dies(lane: Lane) -> None:
    records = [verdict(lane, n, NOON, "kept") for n in range(2000, 2010)]
    progress = await lane.open()
    memory = await lane.handler.recall(lane.engine, progress)
    assert all(lane.handler.absorb(memory, progress, each) for each in records)
    await lane.feed(*records)
    await lane.feed(*records[5:])
    async with lane.engine.connect() as connection:
        rows = await connection.execute(text("SELECT promise, day, decided, broken FROM tallies"))
        assert [tuple(each) for each in rows] == [("papers-returned", NOON.date(), 10, 0)]


async def test_what_was_done_beyond_duty_is_seen_by_the_person_and_their_lead_alone(ana: Desk, office: Office, lane: Lane) -> None:
    ben = office.desk("ben", "agent", teams=["north"])
    await ben.put("/v1/people/ben", {})
    seen = {"case": CASE.rsplit("/", 1)[1], "person": "ben", "what": "drove her to the airport at five"}
    made = await ana.post("/v1/recognitions", seen, "k")
    path = f"/v1/recognitions/{made.json()['id']}"
    assert made.status_code == 201
    for desk in (ben, office.desk("lea", "lead", teams=["north"]), office.desk("mia", "manager")):
        assert (await desk.get(path)).json()["what"] == seen["what"]
        assert len((await desk.get("/v1/recognitions")).json()["items"]) == 1
    for desk in (ana, office.desk("max", "lead", teams=["south"])):
        assert slug(await desk.get(path)) == "not-found"
        assert (await desk.get("/v1/recognitions")).json()["items"] == []
    assert slug(await ben.post("/v1/recognitions", seen, "own")) == "own-praise"
    erased = {"type": "makegood.promises.erased", "customer": str(CUSTOMER), "time": NOON.isoformat()}
    lane.sequence += 1
    await lane.feed(lane.record(orjson.dumps(erased), [("lane", f"promises/0/1/{lane.sequence}".encode())]))
    assert (await ben.get(path)).json()["what"] == ""
    assert slug(await ana.post("/v1/recognitions", seen, "later")) == "not-found"


async def test_a_coaching_note_is_read_by_the_two_it_is_between(ana: Desk, office: Office) -> None:
    ben, lea = office.desk("ben", "agent", teams=["north"]), office.desk("lea", "lead", teams=["north"])
    await ben.put("/v1/people/ben", {})
    notes = "/v1/people/ben/coaching-notes"
    assert (await lea.post(notes, {"text": "what would help you?"}, "1")).status_code == 201
    assert (await ben.post(notes, {"text": "a day off", "lead": "lea"}, "1")).status_code == 201
    for desk in (ben, lea):
        assert [each["by"] for each in (await desk.get(notes)).json()["items"]] == ["lea", "ben"]
    for other in (office.desk("leo", "lead", teams=["north"]), office.desk("mia", "manager")):
        assert (await other.get(notes)).json()["items"] == []
    for other in (ana, office.desk("max", "lead", teams=["south"])):
        assert slug(await other.get(notes)) == "not-found"
        assert slug(await other.post(notes, {"text": "x"}, "2")) == "not-found"
