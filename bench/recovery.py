"""What recovery is like with very many open cases: its lists, what people do, and a rush of failures.

Every case comes the whole way: a touchpoint in Kafka, the verdict `broken`, the case that it opens. Nothing is written into
recovery's tables from outside. What people do goes over HTTP to the running API.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson

from bench import pages, stack
from bench.latency import quantile
from bench.stack import Say
from bench.timeline import milliseconds, send
from bench.watch import Watch
from contracts.roles import Role
from deploy.local.state import State
from services.chassis import cursors
from services.chassis.instants import text_of
from services.cli.client import Client
from services.cli.publish import publish_to

DOCUMENTS: Final = Path(__file__).with_name("recovery.yaml")
CASES: Final = 100_000
RUSH: Final = 10_000
"""Failures that come within a minute; they are sent as fast as Kafka takes them."""
TASKS: Final = 1
"""That the playbook sets at once."""
ROUNDS: Final = 200
PEOPLE: Final = 60
"""Who act."""
STAFF: Final = 500
"""Who have said what they can and how they want to serve."""
SKILLS: Final = ("passports", "customs", "refunds", "freight")
_OPENED: Final = "SELECT count(*) FROM recovery.failures WHERE promise = $1"
_SETTLE_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 1.0
_RIGHT: Final = """
WITH broken AS (
  SELECT m.id, m.customer FROM promises.commitments m JOIN promises.promises p ON p.id = m.promise WHERE p.name = $1 AND m.state = 'broken'
), had AS (
  SELECT c.customer, array_agg(c.state || ' ' || f.commitment || ' ' || (c.fold -> 'failures' ? f.commitment::text)) AS failures
  FROM recovery.cases c JOIN recovery.failures f ON f.case_id = c.id GROUP BY c.customer
), done AS (
  SELECT c.customer, array_agg(a.kind ORDER BY a.number) AS kinds FROM recovery.cases c JOIN recovery.acts a ON a.case_id = c.id
  GROUP BY c.customer
)
SELECT count(*) AS broken, count(DISTINCT b.customer) AS customers,
  count(*) FILTER (WHERE failures = ARRAY['open ' || b.id || ' true'] AND kinds = ARRAY['opened', 'task_set']) AS "right"
FROM broken b LEFT JOIN had USING (customer) LEFT JOIN done USING (customer)
"""
"""Each failure, and whether its customer has exactly one case, open, with exactly this failure; read from both services' tables."""
_BARE: Final = "SELECT fold FROM recovery.cases WHERE (due, opened_at, id) > ($1, $2, $3) ORDER BY due, opened_at, id LIMIT 50"
_PLACES: Final = "SELECT due, opened_at, id, customer FROM recovery.cases WHERE state = 'open' ORDER BY random() LIMIT $1"
_ANALYZE: Final = "ANALYZE recovery.cases, recovery.acts, recovery.failures, recovery.owed, recovery.causes, recovery.ledger"


@dataclass(slots=True)
class Run:
    """One run on a fresh system: who calls, what is looked at, and what was measured so far."""

    running: State
    connection: asyncpg.Connection
    watch: Watch
    say: Say
    chance: random.Random
    people: list[Client] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)

    async def time(self, name: str, once: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> None:
        """Note how long something takes, and what of it is CPU time of the API and its database sessions."""
        before = self.watch.look()
        taken = await milliseconds(once, rounds)
        used = self.watch.look().since(before)
        cpu = (used.get("recovery-api", 0.0) + used.get("postgres: recovery", 0.0)) / rounds * 1000
        self.found |= {f"{name}_p50_ms": quantile(taken, 0.5), f"{name}_p95_ms": quantile(taken, 0.95), f"{name}_cpu_ms": cpu}
        self.say(f"{name}: p50 {quantile(taken, 0.5):.1f} ms, p95 {quantile(taken, 0.95):.1f} ms, CPU {cpu:.1f} ms")


def measure(data: Path, say: Say, *, quick: bool) -> dict[str, Any]:
    """Measure lists and acts beside so many cases, then a rush; keys as `.local/bench.json` has them."""
    with stack.fresh(data, say) as running:
        publish_to(running, [DOCUMENTS], lambda _: None)
        return asyncio.run(_measured(running, say, CASES // 10 if quick else CASES, RUSH // 10 if quick else RUSH))


async def _measured(running: State, say: Say, cases: int, rush: int) -> dict[str, Any]:
    connection = await asyncpg.connect(running.database["admin"])
    chance = random.Random(1)  # noqa: S311 - which pages are read must be the same every time
    run = Run(running, connection, Watch(running), say, chance)
    run.people = [Client(running, f"agent-{number}", [Role.AGENT]) for number in range(PEOPLE)]
    try:
        say(f"{cases:,} failures of as many customers")
        opened = await _fail(run, "parcel.handled", "handled-right", cases)
        run.found |= {"cases": cases, **{f"opening_{name}": value for name, value in opened.items()}}
        _introduce(running)
        await connection.execute(_ANALYZE)
        await _acts(run)
        await _lists(run)
        run.found |= await pages.measure(running, run.watch, say, str((await connection.fetch(_PLACES, 1))[0]["id"]))
        say(f"a rush of {rush:,} failures more")
        others = [str(row["id"]) for row in await connection.fetch(_PLACES, ROUNDS)]
        rushing = asyncio.create_task(_fail(run, "parcel.counted", "counted-right", rush))
        meanwhile = await _notes(run, others, rushing)
        rushed = {f"rush_{name}": value for name, value in (await rushing).items()}
        return run.found | meanwhile | {"rush": rush, **rushed, "rss_mib": run.watch.peak}
    finally:
        for each in run.people:
            each.__exit__()
        await connection.close()


async def _fail(run: Run, kind: str, promise: str, number: int) -> dict[str, Any]:
    """Send failures and wait until each has its case; from the first that was sent to the last that was committed."""
    events = list(_failures(kind, number))
    before, began = run.watch.look(), time.monotonic()
    await send(run.running, events)
    sent = time.monotonic() - began
    while (opened := await run.connection.fetchval(_OPENED, promise)) < number:
        if time.monotonic() - began > _SETTLE_SECONDS or run.running.dead():
            message = f"{opened:,} of {number:,} failures have a case"
            raise AssertionError(message)
        await asyncio.sleep(_LOOK_SECONDS)
        run.watch.look()
    took, used = time.monotonic() - began, run.watch.look().since(before)
    counted = await run.connection.fetchrow(_RIGHT, promise)
    assert counted is not None
    assert tuple(counted) == (number, number, number), f"of {number:,} cases it is (failures, customers, right) {tuple(counted)}"
    run.say(f"{number:,} cases opened in {took:.1f} s, each with its failure and no other")
    return {"sent_s": sent, "s": took, "cpu_s": used, "right": counted["right"]}


def _failures(kind: str, number: int) -> Iterator[bytes]:
    """One failure each of so many customers, who had none before."""
    now = datetime.now(UTC) - timedelta(seconds=10)
    for each in range(number):
        event = {
            "specversion": "1.0",
            "id": f"{kind}-{each}",
            "source": "carrier/parcels",
            "type": kind,
            "subject": f"crm:{kind}-{each:06}",
            "time": text_of(now + timedelta(microseconds=each)),
            "datacontenttype": "application/json",
            "data": {"parcel_id": f"p-{each}", "as_asked": False},
        }
        yield orjson.dumps(event)


def _introduce(running: State) -> None:
    """Everybody says of themselves what they can."""
    for number in range(STAFF):
        said = {"skills": [SKILLS[number % len(SKILLS)]], "languages": ["es", "de"][: number % 3], "serves": "with time for each"}
        with Client(running, f"agent-{number}", [Role.AGENT]) as person:
            person.call("PUT", "recovery", f"/v1/people/agent-{number}", headers={"If-Match": '"0"'}, json=said)


async def _notes(run: Run, cases: list[str], rushing: asyncio.Task[Any]) -> dict[str, Any]:
    """What one act takes for as long as the rush lasts, on the lanes that it comes through."""
    taken: list[float] = []
    around = cycle(cases)

    async def note() -> None:
        case, person = next(around), run.chance.choice(run.people)
        seen = await asyncio.to_thread(person.call, "GET", "recovery", f"/v1/cases/{case}")
        began = time.perf_counter()
        path = f"/v1/cases/{case}/notes"
        await asyncio.to_thread(person.call, "POST", "recovery", path, headers={"If-Match": seen.headers["ETag"]}, json={"text": "x"})
        taken.append((time.perf_counter() - began) * 1000)

    while not rushing.done():
        await note()
    found = {"acts": len(taken), "act_p50_ms": quantile(taken, 0.5), "act_p95_ms": quantile(taken, 0.95)}
    run.say(f"{len(taken):,} acts meanwhile: p50 {found['act_p50_ms']:.1f} ms, p95 {found['act_p95_ms']:.1f} ms")
    return {f"rush_{name}": value for name, value in found.items()}


async def _acts(run: Run) -> None:
    """What people do on cases of their own, one after the other; each act names the version that the one before left."""
    rows = await run.connection.fetch(_PLACES, ROUNDS)
    cases = {str(row["id"]): (1 + TASKS, run.people[place % PEOPLE]) for place, row in enumerate(rows)}
    due = text_of(datetime.now(UTC) + timedelta(days=1))
    bodies: dict[str, dict[str, Any] | None] = {
        "owner": None,
        "pledges": {"what": "we call you by tomorrow", "due": due},
        "tasks": {"what": "ask the carrier", "due": due},
        "help-requests": {"what": "who knows the customs office?", "due": due},
        "approvals": {"kind": "money", "money": {"amount": "60.00", "currency": "EUR"}, "what": "the stamps", "due": due},
        "notes": {"text": "the customer was at work"},
        "contacts": {"channel": "phone", "reached": True, "from_customer": False, "said": "please by Friday"},
        "cause": {"component": "people", "because": "did_not_know", "what": "nobody had told the new colleague"},
        "remedy": {"what": "sent again, at our cost"},
    }
    for name, body in bodies.items():
        around = cycle(list(cases))

        async def act(name: str = name, body: dict[str, Any] | None = body, around: Iterator[str] = around) -> None:
            case = next(around)
            version, person = cases[case]
            headers = {"If-Match": f'"{version}"', "Idempotency-Key": str(uuid4())}
            path = f"/v1/cases/{case}/{name}"
            done = await asyncio.to_thread(person.call, "POST", "recovery", path, headers=headers, json=body)
            cases[case] = done.json()["version"], person

        await run.time(f"act_{name}", act)


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


def _one_of(run: Run, values: list[Any]) -> Callable[[], Any]:
    return lambda: run.chance.choice(values)


async def _lists(run: Run) -> None:
    """Lists from all their places, and whatever else is read from all cases."""
    rows = await run.connection.fetch(_PLACES, ROUNDS)
    places = [cursors.encode((text_of(row["due"]), text_of(row["opened_at"]), row["id"])) for row in rows]
    manager = Client(run.running, "manager", [Role.MANAGER])

    def asking(path: str, **query: Callable[[], Any]) -> Callable[[], Awaitable[object]]:
        async def ask() -> object:
            chosen = {name: choose() for name, choose in query.items()}
            return await asyncio.to_thread(manager.get, "recovery", path, **chosen)

        return ask

    customers = [str(row["customer"]) for row in rows]
    case = str(rows[0]["id"])
    asked = {
        "nobody": asking("/v1/cases", customer=_always(str(uuid4()))),
        "first": asking("/v1/cases"),
        "anywhere": asking("/v1/cases", cursor=_one_of(run, places)),
        "of_a_state": asking("/v1/cases", state=_always("remedied")),
        "of_no_case": asking("/v1/cases", state=_always("restored")),
        "of_an_owner": asking("/v1/cases", owner=_one_of(run, [f"agent-{number}" for number in range(PEOPLE)])),
        "of_a_customer": asking("/v1/cases", customer=_one_of(run, customers)),
        "case": asking(f"/v1/cases/{case}"),
        "suggestions": asking(f"/v1/cases/{case}/suggestions"),
        "people": asking("/v1/people"),
        "help_requests": asking("/v1/help-requests"),
        "approvals": asking("/v1/approvals"),
        "causes": asking("/v1/causes"),
        "learning_needs": asking("/v1/learning-needs"),
        "ledger": asking("/v1/ledger"),
        "deliveries": asking("/v1/deliveries"),
    }
    with manager:
        for name, once in asked.items():
            await run.time(f"list_{name}", once)
        for by in ("all", "promise", "cause", "team"):
            await run.time(f"measures_{by}", asking("/v1/measures", by=_always(by)), ROUNDS // 10)

    async def bare() -> None:
        row = run.chance.choice(rows)
        await run.connection.fetch(_BARE, row["due"], row["opened_at"], row["id"])

    await run.time("list_bare", bare)
