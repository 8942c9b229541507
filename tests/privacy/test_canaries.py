"""Fifty canaries in every field that a customer's data can get into: after erasure there is no trace of one, and every figure stands."""

import logging
import re
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.chassis.redaction import traced
from services.journey.privacy.erasure import Eraser as JourneyEraser
from services.journey.store import erasure as journey_store
from services.promises.erasure import Eraser as PromisesEraser
from services.promises.store import erasure as promises_store
from services.recovery import audit, store
from tests.driving import as_owner, touchpoint
from tests.privacy.house import House, read, uuid
from tests.privacy.lives import Canaries, Plain, declared, live, the_case
from tests.privacy.traces import traces

NEEDLE = b"canary"
SERVICES = ("journey", "promises", "recovery")
PLACES = {
    "journey.attributes.name", "journey.attributes.value", "journey.identifiers.identifier", "journey.indicator_groups.named",
    "journey.indicator_contacts.channel",
    "journey.journal.body", "journey.packs.bodies",  "journey.quarantine.headers",
    "journey.quarantine.key", "journey.quarantine.source", "journey.quarantine.value", "journey.quarantine_acts.answer",
    "journey.quarantine_acts.event", "journey.quarantine_acts.reason", "promises.commitments.correlation",
    "promises.commitments.segment", "promises.commitments.trigger_id", "promises.evidence.id", "promises.evidence.marks",
    "promises.excuse_acts.content", "promises.excuse_acts.key", "promises.outbox.bodies", "promises.quarantine.value",
    "promises.terms.key", "recovery.acts.payload", "recovery.creations.body", "recovery.creations.key", "recovery.outbox.body",
    "recovery.cases.fold", "recovery.coaching_notes.text", "recovery.improvements.what", "recovery.queues.name",
    "recovery.mass_failures.fold", "recovery.mass_acts.payload", "recovery.failures.segment", "recovery.deliveries.body",
    "recovery.deliveries.subject", "recovery.deliveries.target",
}  # fmt: skip
"""Where the canaries sit before; a column that is missing here was not tried."""
EXPORTED = {
    "subject", "order", "channel", "email", "name in data", "depth", "extension", "dataschema", "event id", "attribute", "attribute name",
    "payer", "no weight", "second order", "parcel", "street", "refused data", "bad time", "correction", "excuse",
    "evidence", "pledge", "remedy",
}  # fmt: skip
"""What a customer is told when they ask what is known of them."""


FIGURES = {
    "journey": (
        "SELECT count(*) FROM journal WHERE body IS NULL OR position('makegood.customer.erased' IN body) = 0",
        "SELECT count(*) FROM customers", "SELECT reason, count(*) FROM quarantine GROUP BY 1",
        "SELECT act, count(*) FROM quarantine_acts GROUP BY 1",
        "SELECT regexp_replace(name, '^(feedback:[^:]+:)canary.*', '\\1erased') AS name, value FROM tallies",
        "SELECT quarter, what, sum(number) FROM indicator_counts GROUP BY 1, 2 HAVING sum(number) <> 0",
        "SELECT count(*) FROM seen", "SELECT count(*) FROM conflicts",
    ),
    "promises": (
        "SELECT promise, state, late, standing, verdict, verdict_state, count(*) FROM commitments GROUP BY 1, 2, 3, 4, 5, 6",
        "SELECT count(*) FROM evidence", "SELECT count(*) FROM terms",
        "SELECT kind, count(*) FROM excuse_acts GROUP BY 1", "SELECT count(*) FROM quarantine",
    ),
    "recovery": (
        "SELECT state, severity, version, count(*) FROM cases GROUP BY 1, 2, 3", "SELECT kind, count(*) FROM acts GROUP BY 1",
        "SELECT kind, state, count(*) FROM owed GROUP BY 1, 2", "SELECT count(*) FROM failures",
    ),
}  # fmt: skip


async def figures(house: House, customer: UUID) -> Counter[str]:
    """Everything that is counted, what is told of promises to whoever asks, and how much a customer's timeline shows."""
    found: Counter[str] = Counter()
    async with house.somebody("journey", "agent", subject="maria") as agent:  # who sensed what is discreet
        items = read(await agent.get(f"/v1/customers/{customer}/timeline?limit=1000"))["items"]
        found[f"{sum(not re.fullmatch('makegood.*erased', each['type']) for each in items)} entries"] = 1
    for service, queries in FIGURES.items():
        async with house.engines[service].connect() as connection:
            for query in queries:
                found.update(f"{query}: {tuple(row)}" for row in await connection.execute(text(query)))
    async with house.somebody("promises", "manager") as manager:
        for name in ("in-time", "heavy", "paid"):
            for told in read(await manager.get(f"/v1/promises/{name}/performance"))["items"]:
                shared = [each for each in told["segments"] if each["segment"] == "web"]
                kept = {member: value for member, value in told.items() if member not in {"segments", "as_of", "events"}}
                found.update([f"{name}: {kept} {shared}"])
    return found


async def everything_told(house: House, customer: UUID, *, lanes: bool = True) -> list[str]:
    """What every way out says of a customer: REST, exports, and what would be published again."""
    told = []
    ways = {
        "journey": (f"/v1/customers/{customer}/timeline?limit=1000", f"/v1/customers/{customer}/export"),
        "promises": (f"/v1/commitments?customer={customer}", f"/v1/customers/{customer}/export"),
        "recovery": (f"/v1/cases?customer={customer}", f"/v1/customers/{customer}/export"),
    }  # fmt: skip
    for service, paths in ways.items():
        async with house.somebody(service, "operations", "manager", "agent", "auditor") as client:
            answers = [await client.get(path) for path in paths]
            told += [each.text for each in answers]
            listed, exported = answers
            assert listed.status_code == 200
            if exported.status_code == 404 and service == "recovery":  # of whom there was never a case
                assert read(listed)["items"] == []
                continue
            whole(exported.raise_for_status().content)
            if service == "journey" and lanes:
                records = read(await client.get("/v1/quarantine?limit=1000"))["items"]
                told += [(await client.get(f"/v1/quarantine/{each['lane']}/{each['position']}")).text for each in records]
            if service == "promises":
                items = read(await client.get(f"/v1/commitments?customer={customer}&limit=1000"))["items"]
                told += [
                    (await client.get(f"/v1/commitments/{each['id']}/{what}")).text for each in items for what in ("explanation", "excuse")
                ]
    for lane in house.lanes.values() if lanes else ():
        lane.lane.progress.published = 0
        async with lane.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            driver: Any = (await connection.get_raw_connection()).driver_connection
            sent = await lane.lane.handler.unpublished(driver, lane.lane.progress, 100_000)
        told += [repr(outgoing) for _, outgoing in sent]
    return told


async def erase(house: House, customer: UUID, *, code: int = 202) -> Any:
    async with house.somebody("journey", "operations", subject="olga") as operator:
        answer = await operator.post(f"/v1/customers/{customer}/erasure", json={"reason": "request"})
        assert answer.status_code == code
        return orjson.loads(answer.content)


async def contents(house: House) -> list[Any]:
    """Every row of every table but the places of lanes."""
    found = []
    for service, engine in house.engines.items():
        async with as_owner(engine) as connection:
            query = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema AND tablename <> 'progress'")
            for (table,) in (await connection.execute(query, {"schema": service})).all():
                rows = await connection.execute(text(f'SELECT * FROM "{table}"'))
                found.append((service, table, sorted((tuple(row) for row in rows), key=repr)))
    return found


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that the three services logged since somebody lived, whatever the level, as it leaves the process: the fields beside it, too."""
    found = []
    for each in (*caplog.get_records("setup"), *caplog.get_records("call")):
        if each.name.startswith("services") or each.levelno >= logging.WARNING:
            error = each.exc_info[1] if each.exc_info else None
            fields = {name: value for name, value in vars(each).items() if not name.startswith("exc_")}
            found.append(f"{each.getMessage()} {fields} {'' if error is None else traced(error)}")
    return "\n".join(found)


@pytest.fixture
async def lived(house: House, caplog: pytest.LogCaptureFixture) -> tuple[Canaries, UUID, UUID]:
    """Ana, all of whose data are canaries, and Bob, of whom all must stay."""
    caplog.set_level(logging.DEBUG)
    await declared(house)
    canaries = Canaries()
    plain: dict[str, str] = {}
    ana = await live(house, "ana", canaries)
    bob = await live(house, "bob", Plain(plain))
    return canaries, ana, bob


async def test_after_erasure_there_is_no_trace_and_every_figure_stands(
    house: House, lived: tuple[Canaries, UUID, UUID], caplog: pytest.LogCaptureFixture
) -> None:
    """Breaks on the first place that holds something of a customer and is forgotten by what forgets them."""
    canaries, ana, bob = lived
    assert len(canaries.given) >= 50
    assert PLACES - {place for service in SERVICES for place in await places(house, service)} == set()
    exported = await everything_told(house, ana, lanes=False)
    assert [place for place, canary in canaries.given.items() if place in EXPORTED and not any(canary in each for each in exported)] == []
    case = uuid((await the_case(house, ana))["id"])
    before, of_bob = await figures(house, ana), await everything_told(house, bob, lanes=False)
    assert (await erase(house, ana))["state"] == "running"
    await house.finish_erasing()
    async with house.somebody("journey", "auditor") as auditor:
        done = read(await auditor.get(f"/v1/customers/{ana}/erasure"))
    assert (done["state"], done["by"], done["reason"]) == ("done", "olga", "request")
    await no_trace(house, ana)
    assert "canary" not in logged(caplog)
    assert caplog.get_records("setup"), "what was logged while they lived is in it"
    assert set((before - await figures(house, ana)).elements()) == set()
    assert list(map(still, await everything_told(house, bob, lanes=False))) == list(map(still, of_bob))
    stored = await store.case_with_trail(house.engines["recovery"], case)
    assert stored is not None
    assert audit.first_break(stored[1]) is None


async def test_asked_again_nothing_changes_and_what_comes_later_brings_nothing_back(
    house: House, lived: tuple[Canaries, UUID, UUID]
) -> None:
    """Breaks if an identifier, a repeat, something first met beside them, or a person's act made them known again."""
    canaries, ana, _ = lived
    case = await the_case(house, ana)
    await erase(house, ana)
    await house.finish_erasing()
    before = await contents(house)
    await erase(house, ana)
    await house.finish_erasing()
    assert await contents(house) == before
    figured = await figures(house, ana)
    repeats = list(house.lanes["touchpoints"].log)
    for each in repeats:
        house.send(each.value or b"", key=each.key, headers=list(each.headers))
    await house.pass_time(1)
    await live_on(house, canaries, ana)
    await house.pass_time(100)
    await house.finish_erasing()
    await no_trace(house, ana)
    assert {
        each for each in (figured - await figures(house, ana)).elements() if not re.search("FROM (quarantine|journal|seen|tallies)", each)
    } == set()
    async with house.somebody("recovery", "agent") as agent:
        answer = await agent.post(f"/v1/cases/{case['id']}/remedy", json={"what": "canary"}, headers={"If-Match": f'"{case["version"]}"'})
        assert answer.status_code == 410


async def live_on(house: House, c: Canaries, ana: UUID) -> None:
    """Further events of theirs, by each of their names, and by names that are first met beside those."""
    house.send(touchpoint("later-1", "placed", subject=f"crm:{c['subject']}", data={"order": "canary-new", "note": "canary-later"}))
    house.send(touchpoint("later-2", "seen", subject="order:canary-new", data={"street": "canary-lane"}))
    house.send(touchpoint("later-3", "seen", subject=f"order:{c['parcel']}", data={"street": "canary-lane"}))
    house.send(touchpoint("later-4", "seen", subject=f"email:{c['email']}", data={"street": "canary-lane"}))
    house.send(touchpoint("later-5", "seen", subject=f"customer:{ana}", data={"street": "canary-lane"}))
    house.send(touchpoint("later-6", "seen", subject="crm:plain-subject", data={"email": c["email"], "note": "stays"}))
    house.send(touchpoint("later-7", "seen", time=None, subject=f"crm:{c['subject']}", data={"street": "canary-lane"}))
    await house.settle()


async def test_an_erasure_that_is_killed_at_any_moment_is_finished_by_whoever_comes_after(
    house: House, lived: tuple[Canaries, UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if a step that died left something half done, or counted it as done."""
    _, ana, _ = lived
    figured = await figures(house, ana)
    await erase(house, ana)
    await house.settle()
    died = 0
    for module, eraser, service in ((journey_store, JourneyEraser, "journey"), (promises_store, PromisesEraser, "promises")):
        more = True
        while more:
            with monkeypatch.context() as patch:
                for name in ("advance", "finish"):
                    patch.setattr(module, name, _die_after(getattr(module, name)))
                with suppress(DiedError):
                    await eraser(house.engines[service]).step()
                    died -= 1
                died += 1
            more = await eraser(house.engines[service]).step()
    await house.finish_erasing()
    assert died >= 8
    await no_trace(house, ana)
    assert set((figured - await figures(house, ana)).elements()) == set()


async def places(house: House, service: str) -> set[str]:
    """The columns that hold a canary."""
    return {f"{service}.{each.partition(':')[0]}" for each in await traces(house.engines[service], service, NEEDLE)}


def whole(exported: bytes) -> None:
    """An export begins with its manifest, and its end vouches for every line between."""
    *lines, end = exported.splitlines(keepends=True)
    said = orjson.loads(end)["end"]
    parts = Counter(orjson.loads(each)["part"] for each in lines[1:])
    assert orjson.loads(lines[0])["manifest"]["parts"].keys() == said["records"].keys()
    assert said == {"records": {name: parts[name] for name in said["records"]}, "sha256": sha256(b"".join(lines)).hexdigest()}


def still(told: str) -> str:
    """What was told, without where to look on from."""
    return re.sub(r'"live":"[^"]*"', "", told)


class DiedError(Exception):
    """The process was killed here, before its transaction had ended."""


def _die_after(step: Any) -> Any:
    async def dying(*arguments: Any) -> None:
        await step(*arguments)
        raise DiedError

    return dying


async def no_trace(house: House, customer: UUID) -> None:
    """Neither stored, nor told, nor to be published again."""
    assert [each for service in SERVICES for each in await traces(house.engines[service], service, NEEDLE)] == []
    assert [each for each in await everything_told(house, customer) if "canary" in each.lower()] == []
