"""What a discreet touchpoint names is told to nobody by what follows from it, and what follows from it happens all the same."""

from datetime import datetime
from typing import Any

import orjson
import pytest

from services.journey.domain import customer_key
from services.promises.correlations import strand_of
from services.promises.rebuild import Rebuild
from tests.driving import rows, touchpoint
from tests.privacy.house import House, read
from tests.privacy.test_canaries import SERVICES, everything_told
from tests.privacy.traces import traces
from tests.promises.conftest import promise

ANA = customer_key("crm:ana")
MET = {"when": {"type": "customer.need.observed"}, "expect": {"type": "customer.need.met"}, "correlate": "data.need", "within": "2 hours"}


def sensed(house: House, id_: str, what: str, need: str, **data: Any) -> None:
    """Something sensed of Ana, with canaries in all that it says."""
    said = {"need": need, "level": "latent", "by": "canary-maria", "team": "branch", "words": "canary", "purpose": "service"} | data
    house.send(touchpoint(f"canary-{id_}", f"customer.need.{what}", subject="crm:ana", time=house.now.isoformat(), data=said))


@pytest.fixture
async def judged(house: House) -> House:
    """A need that is met in time, and one that is not: a promise kept and one broken, and a case."""
    engine = house.engines["promises"]
    around = {"segment": "data.need", "holder": "data.team", "excuse": {"type": "company.flooded"}}
    await promise(engine, "need-met", {"response": MET} | around)
    await promise(engine, "first-need", {"response": MET | {"open": "first", "within": "3 hours"}})
    for need in ("canary-leaving", "canary-moving"):
        sensed(house, f"observed-{need}", "observed", need)
    await house.pass_time(1)
    sensed(house, "met", "met", "canary-leaving")
    await house.pass_time(5)
    return house


async def commitments(house: House) -> list[dict[str, Any]]:
    async with house.somebody("promises", "manager", "agent", "lead") as client:
        found: list[dict[str, Any]] = read(await client.get(f"/v1/commitments?customer={ANA}"))["items"]
        return found


async def test_what_is_owed_to_a_discreet_need_is_judged_and_its_name_is_nowhere_outside_the_journal(judged: House) -> None:
    """Breaks if a list, an explanation, a fact, a case or an export told what only its team may know."""
    found = await commitments(judged)
    assert sorted((each["promise"], each["judgement"]) for each in found) == [
        ("first-need", "broken"), ("first-need", "kept"), ("need-met", "broken"), ("need-met", "kept"),
    ]  # fmt: skip
    assert len({each["correlation"] for each in found}) == 2
    assert {each["segment"] for each in found if each["promise"] == "need-met"} == {"discreet"}
    kept = [trace for name in SERVICES for trace in await traces(judged.engines[name], name, b"canary")]
    assert {each.partition(":")[0] for each in kept} == {"journal.body"}, "it is kept where it was told, and nowhere else"
    assert [told for told in await everything_told(judged, ANA, lanes=False) if "canary" in told] == []


async def test_who_may_see_a_discreet_touchpoint_sees_it_and_when_what_was_promised_for_it_began(judged: House) -> None:
    """Breaks if what is masked for others were lost to its team."""
    async with judged.somebody("journey", "agent", subject="canary-maria") as maria:
        items = read(await maria.get(f"/v1/customers/{ANA}/timeline?limit=1000"))["items"]
    seen = [each for each in items if each["type"] == "customer.need.observed"]
    began = {each["data"]["trigger"]["time"] for each in items if each["type"] == "makegood.commitment.opened"}
    assert {each["data"]["need"] for each in seen} == {"canary-leaving", "canary-moving"}
    assert {datetime.fromisoformat(each["time"]) for each in seen} == {datetime.fromisoformat(each) for each in began}


async def test_what_is_told_in_the_place_of_a_name_leads_back_to_it(judged: House) -> None:
    """Breaks if an excuse that names the need did not reach what is told without it, or it could not be made again from its facts."""
    broken = next(each for each in await commitments(judged) if each["promise"] == "need-met" and each["judgement"] == "broken")
    judged.send(touchpoint("flood", "company.flooded", subject="crm:ana", time=judged.now.isoformat(), data={"need": "canary-moving"}))
    await judged.pass_time(1)
    states = {each["id"]: each["judgement"] for each in await commitments(judged)}
    assert states[broken["id"]] == "excused"
    before = await rows(judged.engines["promises"], "commitments")
    assert [each async for each in Rebuild(judged.engines["promises"], 0).run(check=True)] == []
    assert await rows(judged.engines["promises"], "commitments") == before


def test_a_text_that_looks_like_a_strand_of_somebody_else_names_none_of_theirs() -> None:
    """Breaks if an emitter could tie an event to another customer's strand by what it writes into a field."""
    told = orjson.dumps(f"discreet:{strand_of(ANA, 'data.need', '1')}").decode()
    assert strand_of(ANA, "data.need", told) == strand_of(ANA, "data.need", "1")
    assert strand_of(customer_key("crm:ben"), "data.need", told) not in {strand_of(ANA, "data.need", "1"), strand_of(ANA, "x", told)}
    assert strand_of(ANA, "data.need", '"discreet:x"') != strand_of(ANA, "data.need", '"discreet:y"')
