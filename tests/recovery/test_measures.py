"""Measures against a second reading of the same history: plain Python over the trails that the API shows, and some figures by hand."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import event

from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import Desk, Office

Case = dict[str, Any]
PROMISES = ("papers-returned", "called-back")
TEAMS = {"ana": ["north"], "ben": ["north", "cards"], "eva": []}


class History:
    """A company's cases, told through facts and the API."""

    def __init__(self, lane: Lane, office: Office) -> None:
        self.lane, self.now, self.number = lane, NOON, 0
        self.desks = {name: office.desk(name, "agent", teams=teams) for name, teams in TEAMS.items()}
        self.manager, self.survey = office.desk("mia", "manager"), office.desk("survey", "system")

    async def later(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
        await self.lane.feed(self.lane.marker(self.now))

    async def fail(self, customer: UUID, promise: str) -> UUID | None:
        """The case that has it, None where somebody has taken that one on already."""
        self.number += 1
        await self.lane.feed(self.lane.fact(number=self.number, customer=customer, promise=promise, at=self.now))
        live = ["open", "owned", "remedied"]
        (found,) = (await self.manager.get("/v1/cases", customer=str(customer), state=live)).json()["items"]
        return UUID(found["id"]) if found["owner"] is None else None

    async def correct(self, customer: UUID, number: int) -> None:
        await self.lane.feed(self.lane.fact("corrected", number=number, customer=customer, judgement="kept", was="broken", at=self.now))

    async def judge(self, customer: UUID, about: UUID | None, verdict: str, promise: str) -> None:
        self.number += 1
        told = {
            "promise": promise,
            "correlation": str(about),
            "audience": "internal",
            "trigger": {"type": "recovery.x", "id": f"{about}:1"},
        }
        await self.lane.feed(self.lane.fact(verdict, number=self.number, customer=customer, at=self.now, **told))

    async def act(self, desk: Desk, case: UUID | None, below: str, body: Any = None) -> Case:
        seen = (await self.manager.get(f"/v1/cases/{case}")).headers["etag"]
        headers = desk.headers | {"if-match": seen, "idempotency-key": f"{case}-{seen.strip(chr(34))}"}
        done = await desk.client.post(f"/v1/cases/{case}/{below}", json=body, headers=headers)
        assert done.is_success, done.text
        found: Case = done.json()
        return found

    async def measures(self, **query: Any) -> dict[str | None, Any]:
        answer = await self.manager.get("/v1/measures", **query)
        assert answer.status_code == 200, answer.text
        return {each["name"]: each for each in answer.json()["items"]}

    async def trails(self) -> list[Case]:
        listed = (await self.manager.get("/v1/cases", limit=200)).json()["items"]
        return [(await self.manager.get(f"/v1/cases/{each['id']}")).json() for each in listed]


@pytest.fixture
async def history(lane: Lane, office: Office) -> History:
    told = History(lane, office)
    await told.later(0)
    for name, desk in told.desks.items():
        await desk.put(f"/v1/people/{name}", {})
    return told


async def test_one_customer_is_lost_and_won_back_and_another_stays_unknown(history: History) -> None:
    """By hand: owned after 10 minutes, spoken with after 30, remedied after 60, restored a week later at 25 EUR; the other waits 20."""
    ana, first, second = history.desks["ana"], UUID(int=501), UUID(int=502)
    one, two = await history.fail(first, "papers-returned"), await history.fail(second, "papers-returned")
    await history.later(10)
    await history.act(ana, one, "owner")
    await history.later(10)
    await history.act(ana, two, "owner")
    await history.act(ana, two, "contacts", {"channel": "phone", "reached": False})
    await history.later(10)
    await history.act(ana, one, "contacts", {"channel": "phone", "reached": True})
    await history.later(30)
    for case in (one, two):
        await history.act(ana, case, "remedy", {"what": "x"})
    paid = {"kind": "refund", "what": "x", "money": {"amount": "25.00", "currency": "EUR"}, "bearer": "supplier", "borne_by": "carrier"}
    await history.act(ana, one, "ledger", paid)
    await history.act(history.survey, one, "confirm")
    await history.judge(second, two, "broken", "customer-confirms")
    await history.judge(first, one, "broken", "no-repeat")
    assert (await history.measures())[None]["lost_customers"] == 1
    await history.later(7 * 24 * 60 - 60)
    await history.judge(first, one, "kept", "no-repeat")
    found = (await history.measures())[None]
    assert (found["time_to_own"], found["time_to_first_word"]) == (
        {"cases": 2, "median_s": 900, "p90_s": 1140}, {"cases": 1, "median_s": 1800, "p90_s": 1800},
    )  # fmt: skip
    assert found["time_to_restored"] == {"cases": 1, "median_s": 7 * 86_400, "p90_s": 7 * 86_400}
    assert (found["recovered"]["number"], found["recovered"]["of"]) == (1, 2)
    assert found["recovered"]["low"] == pytest.approx(0.0945, abs=1e-4), "Wilson, 1 of 2"
    assert (found["restored"]["number"], found["restored"]["of"], found["unknown"]) == (1, 1, 1)
    assert (found["restored_customers"], found["lost_customers"], found["won_back_customers"]) == (1, 0, 1)
    assert found["costs"] == [{"currency": "EUR", "amount": "25.00", "per_restored_customer": "25.00"}]


async def random_case(history: History, chance: Random, customer: UUID) -> None:
    """One failure and what comes of it, stopping anywhere."""
    case, number = await history.fail(customer, chance.choice(PROMISES)), history.number
    if case is None:
        return None
    desk = history.desks[chance.choice(list(TEAMS))]
    await history.later(chance.randrange(1, 50))
    if chance.random() < 0.2:
        return await history.correct(customer, number)
    if chance.random() < 0.3:
        await history.fail(customer, chance.choice(PROMISES))
    if chance.random() < 0.15:
        return None
    return await worked(history, chance, customer, case, desk)


async def worked(history: History, chance: Random, customer: UUID, case: UUID, desk: Desk) -> None:
    await history.act(desk, case, "owner")
    await history.later(chance.randrange(1, 50))
    for _ in range(chance.randrange(3)):
        await history.act(desk, case, "contacts", {"channel": "phone", "reached": chance.random() < 0.5})
        await history.later(chance.randrange(1, 50))
    for kind, currency in (("refund", "EUR"), ("goodwill", "USD")):
        if chance.random() < 0.4:
            money = {"amount": f"{chance.randrange(1, 900)}.{chance.randrange(10, 99)}", "currency": currency}
            entry = {"kind": kind, "what": "x", "money": money, "bearer": "supplier", "borne_by": "x"}
            await history.act(desk, case, "ledger", entry)
    if chance.random() < 0.4:
        due = (history.now + timedelta(minutes=5)).isoformat()
        pledged = await history.act(desk, case, "pledges", {"what": "x", "due": due})
        await history.later(10)
        for verdict in ["broken", "kept"][: chance.randrange(3)]:
            await history.judge(customer, UUID(pledged["pledges"][0]["id"]), verdict, "pledge")
    if chance.random() < 0.6:
        component = chance.choice(["systems", "people"])
        because = "did_not_know" if component == "people" else None
        await history.act(desk, case, "cause", {"component": component, "because": because, "what": "x"})
    return await ended(history, chance, customer, case, desk)


async def ended(history: History, chance: Random, customer: UUID, case: UUID, desk: Desk) -> None:
    if chance.random() < 0.2:
        return
    await history.act(desk, case, "remedy", {"what": "x"})
    await history.later(chance.randrange(1, 5000))
    match chance.randrange(5):
        case 0:
            await history.judge(customer, case, "broken", "customer-confirms")
        case 1:
            await history.act(history.survey, case, "decline", {"why": "x"})
        case _:
            await history.act(history.survey, case, "confirm")
            if chance.random() < 0.3:
                await history.fail(customer, "called-back")
            for verdict in (["broken", "kept"] if chance.random() < 0.5 else ["kept", "broken"])[: chance.randrange(3)]:
                await history.later(chance.randrange(1, 5000))
                await history.judge(customer, case, verdict, "no-repeat")


def when(case: Case, *kinds: str, last: bool = False) -> float | None:
    """Seconds from opening to the first act of these kinds, or the last one."""
    found = [each for each in case["acts"] if each["kind"] in kinds and each["content"].get("reached", True)]
    if not found:
        return None
    at = found[-1 if last else 0]["at"]
    return (datetime.fromisoformat(at) - datetime.fromisoformat(case["opened_at"])).total_seconds()


def middle(values: Sequence[float], share: float) -> float | None:
    """The value at a share of the way through the sorted ones, between two neighbours where it falls between (Hyndman and Fan, type 7)."""
    if not values:
        return None
    ordered, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def names(case: Case, by: str) -> set[str | None]:
    match by:
        case "promise":
            return {each["promise"] for each in case["failures"] if not each["withdrawn"]}
        case "cause":
            cause = case["cause"]
            return {None if cause is None else ": ".join(filter(None, (cause["component"], cause["because"])))}
        case "team":
            return set(TEAMS.get(case["owner"] or "", [])) or {None}
    return {None}


def expected(cases: Sequence[Case], by: str) -> dict[str | None, Any]:
    groups: dict[str | None, list[Case]] = defaultdict(list)
    for each in cases:
        if each["state"] not in {"withdrawn", "merged"}:
            for name in names(each, by):
                groups[name].append(each)
    return {name: figures(members) for name, members in groups.items()}


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    states = [each["state"] for each in cases]
    kinds = [[act["kind"] for act in each["acts"]] for each in cases]
    restored_at = [when(each, "restored", last=True) for each in cases if each["state"] == "restored"]
    taken = {
        "own": [when(each, "owned") for each in cases], "first_word": [when(each, "contact_recorded", "message_sent") for each in cases],
        "remedy": [when(each, "remedied") for each in cases], "restored": restored_at,
    }  # fmt: skip
    broken = [sum(each["state"] == "broken" for each in [*case["pledges"], *case["compensations"]]) for case in cases]
    judged: dict[str, list[tuple[str, Case]]] = defaultdict(list)
    for each in cases:
        if each["state"] in {"restored", "not_restored"}:
            judged[each["customer"]].append((each["opened_at"], each))
    latest = {customer: max(found, key=lambda each: each[0])[1] for customer, found in judged.items()}
    back = [customer for customer, each in latest.items() if each["state"] == "restored"]
    ever = {customer for customer, found in judged.items() for _, each in found if "not_restored" in {act["kind"] for act in each["acts"]}}
    costs: dict[str, Decimal] = defaultdict(Decimal)
    for each in cases:
        for entry in each["ledger"]:
            costs[entry["money"]["currency"]] += Decimal(entry["money"]["amount"])
    return {
        "cases": len(cases),
        **{f"time_to_{name}": times([each for each in values if each is not None]) for name, values in taken.items()},
        "recovered": (
            sum("confirmed" in each for each in kinds),
            sum("confirmed" in each or state in {"unknown", "declined"} for each, state in zip(kinds, states, strict=True)),
        ),
        "restored": (states.count("restored"), states.count("restored") + states.count("not_restored")),
        "unknown": states.count("unknown"), "declined": states.count("declined"),
        "double_deviations": sum(broken), "failed_twice": sum(map(bool, broken)),
        "repeat_failures": sum(each.count("repeated") for each in kinds),
        "restored_customers": len(back), "lost_customers": len(latest) - len(back), "won_back_customers": len(ever & set(back)),
        "costs": {
            currency: (amount, (amount / len(back)).quantize(Decimal("0.01")) if back else None) for currency, amount in costs.items()
        },
    }  # fmt: skip


def times(values: Sequence[float]) -> tuple[int, float | None, float | None]:
    return len(values), middle(values, 0.5), middle(values, 0.9)


def plain(measure: dict[str, Any]) -> dict[str, Any]:
    """A measure as the API tells it, in the form of `figures`."""
    found = {name: value for name, value in measure.items() if name != "name"}
    for name, value in found.items():
        if name.startswith("time_"):
            found[name] = (value["cases"], value["median_s"], value["p90_s"])
        elif name in {"recovered", "restored"}:
            found[name] = (value["number"], value["of"])
    found["costs"] = {
        each["currency"]: (Decimal(each["amount"]), each["per_restored_customer"] and Decimal(each["per_restored_customer"]))
        for each in measure["costs"]
    }
    return found


@pytest.mark.parametrize("seed", [3])
async def test_measures_are_what_another_reading_of_the_trails_comes_to(history: History, seed: int) -> None:
    """Breaks if a figure counted what its definition leaves out, or SQL doubled a case by a join."""
    chance = Random(seed)
    half = NOON
    for number in range(20):
        await random_case(history, chance, UUID(int=600 + chance.randrange(14)) if number % 2 else UUID(int=700 + number))
        half = history.now if number == 10 else half
    cases = await history.trails()
    for by in ("all", "promise", "cause", "team"):
        found = {name: plain(each) for name, each in (await history.measures(by=by)).items()}
        assert found == approximately(expected(cases, by))
    before = [each for each in cases if datetime.fromisoformat(each["opened_at"]) < half]
    assert 0 < len(before) < len(cases)
    assert plain((await history.measures(until=half.isoformat()))[None]) == approximately(expected(before, "all"))[None]
    after = [each for each in cases if each not in before]
    assert plain((await history.measures(since=half.isoformat()))[None]) == approximately(expected(after, "all"))[None]


def approximately(groups: dict[str | None, Any]) -> dict[str | None, Any]:
    return {
        name: {key: pytest.approx(value) if key.startswith("time_") else value for key, value in each.items()}
        for name, each in groups.items()
    }


async def test_measures_come_as_a_table_and_of_nothing_as_an_empty_one(history: History) -> None:
    async def table(**query: str) -> list[dict[str, str]]:
        answer = await history.manager.client.get(
            "/v1/measures", params=query, headers=history.manager.headers | {"accept": "text/csv"}
        )  # fmt: skip
        return list(csv.DictReader(io.StringIO(answer.text)))

    assert await table() == []
    assert await history.measures() == {}
    case = await history.fail(UUID(int=501), "papers-returned")
    await history.later(3)
    await history.act(history.desks["ana"], case, "owner")
    spent = {"kind": "refund", "what": "x", "money": {"amount": "9.50", "currency": "EUR"}, "bearer": "supplier", "borne_by": "x"}
    await history.act(history.desks["ana"], case, "ledger", spent)
    (row,) = await table(by="team")
    assert (row["name"], row["cases"], row["time_to_own_median_s"], row["restored_share"]) == ("north", "1", "180.0", "")
    assert (row["cost_EUR"], row["cost_per_restored_customer_EUR"]) == ("9.50", "")


@pytest.mark.parametrize(
    "path", ["/v1/measures", "/v1/surge", "/v1/causes", f"/v1/mass-failures/proposals?since={NOON:%Y-%m-%dT%H:%M:%SZ}"]
)
async def test_what_reads_all_cases_may_join_many_with_many(lane: Lane, ana: Desk, path: str) -> None:
    """Breaks if they were read as a few are, by their keys: 100,000 joined with as many took longer than any statement may."""
    asked: list[str] = []

    @event.listens_for(lane.engine.sync_engine, "after_cursor_execute")
    def note(*execution: Any) -> None:
        asked.append(execution[2])

    found = await ana.get(path.partition("?")[0], **dict(httpx2.URL(path).params))
    assert found.status_code == 200, found.text
    begins = [place for place, each in enumerate(asked) if "enable_hashjoin" in each]
    assert begins, asked
    assert any(" JOIN " in each or "WITH " in each for each in asked[begins[0] :])
