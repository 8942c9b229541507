"""Several people at the cases of the same customers at once, over HTTP and a real PostgreSQL, with right and wrong headers.

What must have become of the cases the test keeps by itself, from what was answered: it shares nothing with how a case is decided.
"""

import asyncio
import itertools
import traceback
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text

from contracts.acts import BY_NAME
from deploy.local import issuer
from services.chassis.faults import LostOwnershipError
from services.chassis.preconditions import Expected, Once
from services.cli.audit import wrong
from services.recovery.api import build
from services.recovery.facts import AT_RISK
from tests.recovery.conftest import NOON, Lane
from tests.serving import served

DUE = (NOON + timedelta(hours=4)).isoformat()
STAFF = {"ana": "agent", "ben": "agent", "lea": "lead", "mia": "manager", "survey": "system"}
IN_WORK = {"open", "owned", "remedied"}
ENDS = {"withdrawn", "declined", "merged"}
MAY_BECOME = {
    "open": {"owned"} | ENDS,
    "owned": {"remedied"} | ENDS,
    "remedied": {"owned", "confirmed", "unknown"} | ENDS,
    "confirmed": {"watching"} | ENDS,
    "watching": {"restored", "not_restored"} | ENDS,
    "merged": {"open", "owned"},
    "unknown": {"confirmed"},
}
"""The states of DESIGN 7, and which may follow; what is not here ends."""
NEXT = {
    "open": ["own_case"], "owned": ["pledge", "remedy_case", "ask_help"], "remedied": ["confirm_case", "add_task"],
    "merged": ["unmerge_case"],
}  # fmt: skip
"""What somebody does who wants to get on with a case in a state."""
FIT = {"confirm_case": "survey", "decline_case": "survey", "assign_case": "lea", "merge_case": "lea", "unmerge_case": "lea",
       "grant_approval": "mia", "repay": "mia", "accept_case": "ben"}  # fmt: skip
"""Who may do an act, where that is not the owner alone."""
BY_ITSELF = {"opened", "joined", "repeated", "pledge_kept", "pledge_broken", "pledge_at_risk", "escalated"}
"""What reports and verdicts bring about, and no act of a person's in a case."""
CREATED, BAD = 201, 400
KNOWN_ANSWERS = {200, CREATED, 400, 403, 404, 409, 412, 422, 428}


class Asked(NamedTuple):
    """One request as somebody means it; numbers choose among what is there when it is sent."""

    who: str
    act: str
    case: int
    thing: int
    cents: int
    version: str
    key: str


ASKED = st.builds(
    Asked,
    st.sampled_from(["fit", "fit", "fit", "fit", *STAFF, "customer"]),
    st.sampled_from(
        [
            *["next"] * 12, *["note_case", "add_entry", "give", "repay", "fulfil_pledge", "finish_task"] * 2,
            "own_case", "assign_case", "offer_case", "accept_case", "pledge", "add_task", "remedy_case", "confirm_case", "decline_case",
            "ask_help", "accept_help", "answer_help", "ask_approval", "grant_approval", "set_severity", "merge_case", "unmerge_case",
            "open_case",
        ]
    ),
    st.integers(0, 3), st.integers(0, 2), st.integers(1, 99_999),
    st.sampled_from([*["seen"] * 8, "stale", "none"]), st.sampled_from([*["new"] * 7, "again", "other", "none"]),
)  # fmt: skip


@dataclass
class Sent:
    """A request as it went out, and what was answered."""

    asked: Asked
    path: str
    body: dict[str, Any] | None
    headers: dict[str, str]
    case: str | None
    seen: int | None
    answer: httpx2.Response | None = None

    @property
    def version(self) -> int:
        assert self.answer is not None
        return int(self.answer.headers["etag"].strip('"'))


@dataclass
class House:
    """What a machine stands in front of: the API of a lane's database, and the tokens of those who use it."""

    lane: Lane
    keys: Path
    url: str
    loop: asyncio.AbstractEventLoop
    customers: Iterable[int] = field(default_factory=lambda: itertools.count(1000, 7))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have it done in the loop of the API, from the thread of the machine."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


class SeveralPeople(RuleBasedStateMachine):
    """Two customers, six people, and a lane that judges beside them."""

    house: House
    verdicts = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.customers = [str(UUID(int=next(iter(self.house.customers)))) for _ in range(2)]
        self.keys = itertools.count()
        self.created: dict[tuple[str, str], Sent] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.covered: dict[str, dict[int, str]] = defaultdict(dict)
        self.notes: dict[str, list[str]] = defaultdict(list)
        self.entries: dict[str, dict[str, tuple[Decimal, str]]] = defaultdict(dict)
        self.reports = 0
        self.client = httpx2.AsyncClient(base_url=self.house.url, timeout=30)

    def teardown(self) -> None:
        self.house.run(self.client.aclose())

    @initialize()
    def two_failures_are_reported_by_several_at_once(self) -> None:
        """However many say it at once, a customer has one case in work."""
        self.together([Asked(who, "open_case", number, 0, 1, "none", "new") for who in ("ana", "ben", "lea") for number in (0, 1)])
        assert len(self.cases) == 2

    @rule(asked=st.lists(ASKED, min_size=2, max_size=6), twice=st.booleans(), verdict=st.sampled_from([None, "kept", "broken", AT_RISK]))
    def together(self, asked: list[Asked], *, twice: bool = False, verdict: str | None = None) -> None:
        """Everything is sent at the same time, the last perhaps twice, while a pledge is judged; then the house is looked over."""
        sent = [self.request(each) for each in asked]
        sent += [self.copy(sent[-1])] if twice else []
        self.house.run(self.send(sent, verdict))
        for each in sent:
            self.account(each)
        self.house.run(self.look())
        for identity, case in self.cases.items():
            self.check(identity, case)
        self.check_customers()

    def copy(self, one: Sent) -> Sent:
        return Sent(one.asked, one.path, one.body, one.headers, one.case, one.seen)

    def request(self, asked: Asked) -> Sent:
        """The request that is meant, about what is there now."""
        asked = self.meant(asked)
        if asked.key == "again" and (known := self.made_by(asked.who)):
            return self.copy(known[asked.thing % len(known)])
        subject = f"customer:{self.customers[asked.case % 2]}" if asked.who == "customer" else asked.who
        headers = {"authorization": f"Bearer {self.token(asked.who, subject)}", "x-who": subject}
        if asked.act == "open_case":
            case, path, seen, creates = None, "/v1/cases", None, True
            body: dict[str, Any] | None = {"customer": self.customers[asked.case % 2], "what": f"I lost it {next(self.keys)}"}
        else:
            act, case = BY_NAME[asked.act], list(self.cases)[asked.case % len(self.cases)]
            body, creates = self.needs(asked, case), act.creates
            path = f"/v1/cases/{case}/{act.path}".replace(f"{{{act.thing}_id}}", self.thing(case, act.thing, asked.thing))
            seen = None if asked.version == "none" else self.cases[case]["version"] - (asked.version == "stale")
            headers |= {} if seen is None else {"if-match": f'"{seen}"'}
        if creates and asked.key != "none":
            known = self.made_by(asked.who) if asked.key == "other" else []
            headers["idempotency-key"] = known[0].headers["idempotency-key"] if known else f"{self.customers[0]}.{next(self.keys)}"
        return Sent(asked, path, body, headers, case, seen)

    def meant(self, asked: Asked) -> Asked:
        """Who gets on with a case, and how, depends on how it stands."""
        if not self.cases:
            return asked
        case = list(self.cases.values())[asked.case % len(self.cases)]
        ways = NEXT.get(case["state"], ["note_case", "add_entry"])
        act = ways[asked.thing % len(ways)] if asked.act == "next" else asked.act
        return asked._replace(act=act, who=FIT.get(act, case["owner"] or "ana") if asked.who == "fit" else asked.who)

    def made_by(self, who: str) -> list[Sent]:
        return [each for each in self.created.values() if each.asked.who == who]

    def token(self, who: str, subject: str) -> str:
        role = STAFF.get(who, "customer")
        return issuer.token(self.house.keys, subject=subject, name=who, roles=[role], teams=["branch"])

    def thing(self, case: str, kind: str | None, number: int) -> str:
        """One of the things of a case, or one that is none."""
        part = {"entry": "ledger", "help": "help_requests", None: "notes"}.get(kind, f"{kind}s")
        known = self.cases[case][part] if kind else []
        return str(known[number % len(known)]["id"]) if known else str(UUID(int=9))

    def needs(self, asked: Asked, case: str) -> dict[str, Any] | None:
        words, money = f"word {next(self.keys)}", {"amount": str(Decimal(asked.cents) / 100), "currency": "EUR"}
        others = [each for each in self.cases if each != case]
        known: dict[str, dict[str, Any]] = {
            "assign_case": {"to": "ben"}, "offer_case": {"to": "ben", "why": words}, "pledge": {"what": words, "due": DUE},
            "add_task": {"what": words, "due": DUE}, "remedy_case": {"what": words}, "decline_case": {"why": words},
            "note_case": {"text": words}, "ask_help": {"what": words, "due": DUE}, "answer_help": {"text": words},
            "ask_approval": {"kind": "money", "what": words, "due": DUE, "money": money}, "grant_approval": {"why": words},
            "add_entry": {"kind": "third_party", "what": words, "money": money, "bearer": "employee"},
            "give": {"kind": "money", "what": words, "value": money, "bearer": "supplier"}, "repay": {},
            "set_severity": {"severity": ("low", "high", "critical")[asked.thing], "why": words},
            "merge_case": {"into": others[asked.thing % len(others)] if others else case, "why": words}, "unmerge_case": {"why": words},
        }  # fmt: skip
        return known.get(asked.act)

    async def send(self, sent: list[Sent], verdict: str | None) -> None:
        """All at the same time, and a verdict on some open pledge with them."""
        answers = [self.client.post(each.path, json=each.body, headers=each.headers) for each in sent]
        *got, _ = await asyncio.gather(*answers, self.judge(verdict))
        for each, answer in zip(sent, got, strict=True):
            each.answer = answer

    async def judge(self, verdict: str | None) -> None:
        pledges = [(case, each) for case in self.cases.values() for each in case["pledges"] if each["state"] in {"open", "done"}]
        if verdict is None or not pledges:
            return
        case, pledge = pledges[0]
        lane, trigger = self.house.lane, {"type": "recovery.pledge.made", "id": f"{case['id']}:2:pledge.made"}
        number, customer = 10_000 + next(self.verdicts), UUID(case["customer"])
        fact = lane.fact(verdict, number=number, customer=customer, promise="pledge", correlation=pledge["id"], trigger=trigger)
        for _ in range(50):
            try:
                await lane.feed(fact)
            except LostOwnershipError:
                continue
            return
        raise AssertionError("the lane never had its turn")

    def account(self, one: Sent) -> None:
        """Take down what an answer says was done: it must have been allowed to be, and every act of a case is one answer's alone."""
        answer, key = one.answer, one.headers.get("idempotency-key")
        assert answer is not None
        assert answer.status_code in KNOWN_ANSWERS, answer.text
        first = self.created.get((one.headers["x-who"], key)) if key else None
        if first is not None:
            assert first.answer is not None
            if (first.path, first.body) != (one.path, one.body):
                assert answer.status_code >= BAD, "a key that came with another request did something"
            else:
                assert (answer.status_code, answer.content) == (CREATED, first.answer.content), "sent again, it was answered otherwise"
            return
        if answer.status_code >= 400:
            return
        if answer.status_code == 201:
            assert key, "something was created without a key"
            self.created[one.headers["x-who"], key] = one
        if one.case is None:
            self.reports += 1
            return
        assert one.seen is not None
        assert one.seen == self.cases[one.case]["version"], "an act was done on a version that nobody named"
        for number in range(one.seen + 1, one.version + 1):
            assert number not in self.covered[one.case], f"act {number} is what two people were told that they did"
            self.covered[one.case][number] = one.headers["x-who"]
        if one.version > one.seen:
            self.remember(one, answer.json())

    def remember(self, one: Sent, shown: dict[str, Any]) -> None:
        assert one.case is not None
        assert one.body is not None or one.asked.act not in {"note_case", "add_entry", "give"}
        name, body = one.asked.act, one.body or {}
        if name == "note_case":
            self.notes[one.case].append(body["text"])
        elif name in {"add_entry", "give"}:
            (new,) = {each["id"] for each in shown["ledger"]} - self.entries[one.case].keys()
            money = body["money"] if name == "add_entry" else body["value"]
            self.entries[one.case][new] = (Decimal(money["amount"]), body["bearer"])
        elif name == "repay":
            entry = one.path.split("/")[-2]
            amount, bearer = self.entries[one.case][entry]
            assert bearer == "employee", "it was repaid to nobody, or twice"
            self.entries[one.case][entry] = (amount, "repaid")

    async def look(self) -> None:
        """Read everything anew."""
        headers = {"authorization": f"Bearer {self.token('mia', 'mia')}"}
        listed = [each for customer in self.customers for each in await self.read(f"/v1/cases?customer={customer}", headers, "items")]
        shown = await asyncio.gather(*(self.client.get(f"/v1/cases/{each['id']}", headers=headers) for each in listed))
        trails = await asyncio.gather(*(self.client.get(f"/v1/cases/{each['id']}/audit", headers=headers) for each in listed))
        self.cases = {each.json()["id"]: each.json() | {"trail": trail.json()} for each, trail in zip(shown, trails, strict=True)}

    async def read(self, path: str, headers: dict[str, str], member: str) -> Any:
        return (await self.client.get(path, headers=headers)).json()[member]

    def check(self, identity: str, case: dict[str, Any]) -> None:
        """Nothing was lost, nothing came twice, and the trail is whole."""
        acts = case["trail"]["acts"]
        assert wrong(case["trail"]) == []
        assert [each["number"] for each in acts] == list(range(1, case["version"] + 1))
        for each in acts:
            by = self.covered[identity].get(each["number"])
            assert each["by"] in {by, "system"} if by else each["kind"] in BY_ITSELF, f"nobody was told that they did {each}"
            assert each["kind"] != "confirmed" or each["by"] in {"survey", "system", f"customer:{case['customer']}"}
        assert max(self.covered[identity], default=0) <= case["version"]
        assert [each["text"] for each in case["notes"]] == self.notes[identity]
        (sums,) = case["sums"] or [{"spent": "0", "own_pockets": "0", "by_suppliers": "0"}]
        entries = self.entries[identity].values()
        assert {each["id"] for each in case["ledger"]} == self.entries[identity].keys()
        assert Decimal(sums["spent"]) == sum(amount for amount, _ in entries)
        assert Decimal(sums["own_pockets"]) == sum(amount for amount, bearer in entries if bearer == "employee")
        assert Decimal(sums["by_suppliers"]) == sum(amount for amount, bearer in entries if bearer == "supplier")

    def check_customers(self) -> None:
        """Each report is in one case, each customer has one in work, and each case went the ways that there are."""
        kinds = Counter(each["kind"] for case in self.cases.values() for each in case["trail"]["acts"])
        assert kinds["opened"] + kinds["joined"] == self.reports
        for customer in self.customers:
            working = [each for each in self.cases.values() if each["customer"] == customer and each["state"] in IN_WORK]
            assert len(working) <= 1
        for identity, states in self.house.run(self.ways()).items():
            for before, after in itertools.pairwise(states):
                assert before == after or after in MAY_BECOME.get(before, set()), f"{identity} went from {before} to {after}"

    async def ways(self) -> dict[str, list[str]]:
        """The states that each case was told to be in, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        query = text("SELECT body FROM outbox WHERE topic = 'makegood.recovery' AND customer = ANY(:mine) ORDER BY ordinal")
        async with self.house.lane.engine.connect() as connection:
            for body in await connection.scalars(query, {"mine": [UUID(each) for each in self.customers]}):
                data = orjson.loads(body)["data"]
                found[data["case"]].append(data["state"])
        return found


async def play(lane: Lane, keys: Path, examples: int, steps: int) -> None:
    """Run the machine in a thread of its own, in front of an API on a port. What chance found is not shrunk: it may not come again."""
    trusted = lane.settings.model_copy(
        update={"jwks": issuer.ensure_keys(keys), "issuer": issuer.ISSUER, "audience": issuer.AUDIENCE, "act_attempts": 100}
    )
    await lane.feed(lane.marker(NOON))
    async with served(build(trusted, lane.engine)) as url:
        house = House(lane, keys, url, asyncio.get_running_loop())
        machine = type("Machine", (SeveralPeople,), {"house": house})
        checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
        phases = [Phase.reuse, Phase.generate]
        chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks, phases=phases)
        await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)


async def test_several_people_at_once_lose_nothing_and_bring_about_nothing_that_may_not_be(lane: Lane, tmp_path: Path) -> None:
    await play(lane, tmp_path, examples=8, steps=8)


@pytest.mark.slow
async def test_several_people_at_once_for_long(lane: Lane, tmp_path: Path) -> None:
    await play(lane, tmp_path, examples=20, steps=16)


@pytest.mark.parametrize(
    ("owner", "check", "claims"),
    [
        (Expected, "require", ("a version that nobody named", "two people were told")),
        (Once, "require_same", ("a key that came with another request did something",)),
    ],
)
async def test_the_machine_finds_what_a_missing_check_loses(
    lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, check: str, claims: tuple[str, ...]
) -> None:
    """A machine that cannot fail shows nothing."""
    monkeypatch.setattr(owner, check, lambda _self, _other: None)
    with pytest.raises(BaseException) as found:
        await play(lane, tmp_path, examples=20, steps=8)
    told = "".join(traceback.format_exception(found.value))
    assert any(each in told for each in claims)
