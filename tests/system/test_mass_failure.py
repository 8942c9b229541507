"""One cause, many customers, on the running system: the process that works acts on all of them dies twice half-way."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.roles import Role
from services.chassis.instants import text_of
from services.cli.audit import wrong
from services.cli.client import Client
from services.cli.publish import publish_to
from tests.faults import driver
from tests.faults.driver import STRUCTURED, TOUCHPOINTS, System, until

DOCUMENTS = Path(__file__).parents[2] / "bench" / "recovery.yaml"
FIRST, LATER = 260, 60
ALL = FIRST + LATER
WORKER = "recovery-consume"
_DONE = "SELECT count(*) FROM recovery.bulk_items WHERE state = 'done' AND run = (SELECT id FROM recovery.bulk_runs WHERE act = $1)"
_TWICE = """
SELECT a.case_id, a.kind, count(*) FROM recovery.acts a JOIN recovery.mass_members m ON m.case_id = a.case_id
WHERE a.by = 'lea' AND a.kind IN ('grouped', 'task_set', 'noted') GROUP BY 1, 2 HAVING count(*) <> 1
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with driver.system() as running:
        publish_to(running.running, [DOCUMENTS], lambda _: None)
        yield running


async def fail(system: System, numbers: range) -> None:
    """Something is handled wrong for each of these customers, as a company system tells it."""
    now = datetime.now(UTC) - timedelta(seconds=5)
    async with driver.producer(system.running.kafka) as to:
        for each in numbers:
            event = {
                "specversion": "1.0", "id": f"storm-{each}", "source": "carrier", "type": "parcel.handled", "subject": f"crm:{each}",
                "time": text_of(now + timedelta(milliseconds=each)), "datacontenttype": "application/json",
                "data": {"parcel_id": f"p{each}", "as_asked": False},
            }  # fmt: skip
            await to.send(TOUCHPOINTS, orjson.dumps(event), headers=STRUCTURED)


def counted(database: Any, query: str, *given: Any, least: int) -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        return bool(await database.fetchval(query, *given) >= least)

    return enough


@pytest.mark.slow
async def test_every_customer_of_a_mass_failure_gets_each_act_once_though_the_process_that_works_them_is_killed(system: System) -> None:
    """Breaks if what a batch did and what it says of it did not commit together, or an act had a new id when it is done again."""
    began = datetime.now(UTC) - timedelta(minutes=5)
    with Client(system.running, "lea", [Role.LEAD]) as lea:
        async with system.database() as database:
            await fail(system, range(FIRST))
            cases = "SELECT count(*) FROM recovery.cases"
            await until(counted(database, cases, least=FIRST), f"{FIRST} cases are open")
            plan = [
                {"act": "add_task", "needs": {"what": "Call them."}, "within": "PT4H"},
                {"act": "note_case", "needs": {"text": "It was the storm."}},
            ]
            body = {"what": "the storm", "since": began.isoformat(), "promises": ["handled-right"], "plan": plan}
            declared = await asyncio.to_thread(lea.post, "recovery", "/v1/mass-failures", json=body, headers={"idempotency-key": "storm"})
            for act in ("add_task", "note_case"):
                await until(counted(database, _DONE, act, least=1), f"{act} has begun")
                await system.kill(WORKER)
                done = await database.fetchval(_DONE, act)
                assert 0 < done < ALL, "it died half-way"
                if act == "add_task":
                    await fail(system, range(FIRST, ALL))
                await system.restart(WORKER)
            await until(counted(database, _DONE, "note_case", least=ALL), "all is done in all, in those too that failed meanwhile")
            assert await database.fetch(_TWICE) == []
        shown = await asyncio.to_thread(lea.get, "recovery", f"/v1/mass-failures/{declared['id']}")
        assert (shown["cases"], [(each["done"], each["waiting"], each["refused"]) for each in shown["acts"]]) == (ALL, [(ALL, 0, 0)] * 3)
        surge = await asyncio.to_thread(lea.get, "recovery", "/v1/surge", days=1)
        assert (surge["waiting"], surge["opened_a_day"]) == (ALL, float(ALL))
        await asyncio.to_thread(_every_trail_is_whole, lea, declared["id"])


def _every_trail_is_whole(lea: Client, mass_failure: str) -> None:
    """What customers' trails say, by way of REST alone."""
    kinds: Counter[str] = Counter()
    for case in lea.pages("recovery", "/v1/cases", mass_failure=mass_failure, limit=200):
        audit = lea.get("recovery", f"/v1/cases/{case['id']}/audit")
        assert wrong(audit) == []
        kinds.update(each["kind"] for each in audit["acts"] if each["by"] == "lea")
    assert kinds == {"grouped": ALL, "task_set": ALL, "noted": ALL}
