"""What facts and people's acts leave in the database and tell others, on a real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from contracts.acts import BY_NAME
from contracts.catalogue import EVENTS
from services.chassis.faults import BadDeployError
from services.chassis.preconditions import Expected, Once
from services.chassis.problems import Problem
from services.chassis.telemetry import Telemetry
from services.recovery import audit, store
from services.recovery.acting import ClockNotStartedError, NoSuchCaseError, People, Wish
from services.recovery.api.acts import render
from services.recovery.domain import failing
from services.recovery.domain.case import Case, State
from services.recovery.domain.deeds import Actor
from services.recovery.domain.folding import fold
from services.recovery.domain.things import thing_id
from services.recovery.handlers import FactHandler
from services.recovery.store import Answer, lists
from tests.recovery.conftest import CUSTOMER, NOON, Lane

ANA = Actor("ana", frozenset({"agent"}))
SURVEY = Actor("survey", frozenset({"system"}))
CASE = failing.case_id(CUSTOMER, UUID(int=1))


async def the_case(lane: Lane, case: UUID = CASE) -> Case:
    found = await store.case_with_trail(lane.engine, case)
    assert found is not None
    stored, trail = found
    assert audit.first_break(trail) is None
    assert fold(case, [entry.happened for entry in trail]) == stored.case
    return stored.case


async def act(lane: Lane, name: str, actor: Actor = ANA, once: Once | None = None, **needs: Any) -> Answer:
    version = (await the_case(lane)).version
    wish = Wish(CASE, BY_NAME[name], actor, Expected(frozenset({str(version)})), needs, once)
    return await People(lane.engine, lane.settings).do(wish, render)


async def pledge(lane: Lane, key: str = "k") -> UUID:
    once = Once.of("ana", key, "pledge", {"what": "call"})
    await act(lane, "pledge", once=once, what="we call you", due=NOON + timedelta(hours=3))
    return thing_id(CASE, f"ana {key}")


async def test_a_broken_promise_opens_a_case_and_says_so_once(lane: Lane) -> None:
    broken = lane.fact()
    await lane.feed(broken)
    await lane.feed(broken)
    assert (await the_case(lane)).state is State.OPEN
    assert lane.told("makegood.recovery") == ["makegood.case.opened"]
    assert lane.told("makegood.acts") == ["recovery.failure.recorded", "recovery.case.opened"]


async def test_a_fact_in_another_spelling_is_not_passed_over(lane: Lane) -> None:
    """Breaks if what is told by its bytes alone is taken for something that concerns no case."""
    spelt = lane.record(lane.fact().value.replace(b":", b": "), [("lane", b"promises/0/1/1")])
    progress = await lane.open()
    assert not lane.handler.absorb(await lane.handler.recall(lane.engine, progress), progress, spelt)


async def test_a_fact_that_cannot_be_read_stops_the_lane_before_anything_is_passed_over(lane: Lane) -> None:
    """Breaks if a case is lost because two releases do not agree on what a fact is."""
    with pytest.raises(BadDeployError, match="promises/0 at offset"):
        await lane.feed(lane.fact(commitment=None))


async def test_facts_that_concern_no_case_are_absorbed_and_counted(lane: Lane) -> None:
    """Breaks if a kept commitment of thousands a second cost a transaction, or left a hole in the numbers."""
    progress = await lane.open()
    memory = await lane.handler.recall(lane.engine, progress)
    passing = [lane.fact("opened"), lane.fact("kept"), lane.fact("at_risk"), lane.marker(NOON)]
    assert all(lane.handler.absorb(memory, progress, record) for record in passing)
    assert not lane.handler.absorb(memory, progress, lane.fact())
    assert progress.state["marks"] == {"promises/0": [1, 3]}
    assert progress.arrival == NOON


async def test_a_marker_that_vouches_for_more_than_was_applied_moves_no_clock(lane: Lane) -> None:
    lane.fact("kept")
    progress = await lane.feed(lane.marker(NOON))
    assert progress.arrival is None


async def test_behind_a_hole_nothing_is_applied(lane: Lane) -> None:
    missing, behind = lane.fact(number=1), lane.fact(number=2)
    await lane.feed(behind)
    assert lane.published == []
    await lane.feed(missing, behind)
    assert len((await the_case(lane)).failures) == 2


async def test_internal_promises_and_strangers_open_nothing(lane: Lane) -> None:
    await lane.feed(lane.fact(audience="internal"), lane.fact(audience="internal", correlation=str(CASE)))
    assert lane.published == []


async def test_a_fact_about_another_customers_case_does_not_touch_it(lane: Lane) -> None:
    """Breaks if the correlation alone, which any company system may choose, named the case."""
    await lane.feed(lane.fact())
    about: dict[str, Any] = {"audience": "internal", "correlation": str(CASE), "trigger": {"type": "recovery.case.opened"}}
    await lane.feed(lane.fact(number=9, customer=UUID(int=24), **about))
    assert (await the_case(lane)).version == 1


async def test_one_batch_of_many_customers_opens_as_many_cases(lane: Lane) -> None:
    facts = [lane.fact(number=100 + n, customer=UUID(int=1000 + n // 2)) for n in range(200)]
    await lane.feed(*facts)
    found = await lists.page(lane.engine, lists.Filter(states=[State.OPEN]), None, 500)
    assert len(found) == 100
    assert all(len(each.case.failures) == 2 for each in found)


async def test_opened_is_published_before_owned_and_every_number_follows(lane: Lane) -> None:
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    await pledge(lane)
    lane.published = await lane.unpublished()
    assert lane.told("makegood.recovery") == ["makegood.case.opened", "makegood.case.owned", "makegood.case.pledged"]
    lanes = [value for each in lane.published for name, value in each.headers if name == "lane"]
    assert lanes == [b"promises/0/1/1", b"promises/0/1/2", b"promises/0/1/3"]


async def test_what_is_told_is_what_the_contracts_say(lane: Lane) -> None:
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    made = await pledge(lane)
    await act(lane, "fulfil_pledge", pledge=made)
    await act(lane, "remedy_case", what="a new passport")
    await act(lane, "confirm_case", SURVEY)
    models = {each.name: each.model() for each in EVENTS}
    for each in await lane.unpublished():
        event = orjson.loads(each.value)
        models[event["type"]].model_validate(event)
        assert event["subject"] == f"customer:{CUSTOMER}"


async def test_acts_are_stamped_with_what_the_lane_has_reached_on_the_replay_clock(lane: Lane) -> None:
    await lane.feed(lane.fact())
    with pytest.raises(ClockNotStartedError):
        await act(lane, "own_case")
    later = NOON + timedelta(hours=1)
    await lane.feed(lane.marker(later))
    await act(lane, "own_case")
    assert (await the_case(lane)).changed_at == later
    touchpoint = (await lane.unpublished())[-1]
    assert (touchpoint.topic, touchpoint.timestamp) == ("makegood.acts", int(later.timestamp() * 1000))


async def test_a_pledge_judged_broken_reaches_its_case_whatever_its_audience(lane: Lane) -> None:
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    made = await pledge(lane)
    await lane.feed(lane.fact(number=5, correlation=str(made), promise="pledges", trigger={"type": "recovery.pledge.made"}))
    case = await the_case(lane)
    assert (case.severity, len(case.failures)) == ("high", 1)


async def test_a_correction_withdraws_the_case(lane: Lane) -> None:
    await lane.feed(lane.fact(), lane.fact("corrected", judgement="kept", was="broken"))
    assert (await the_case(lane)).state is State.WITHDRAWN
    assert lane.told("makegood.recovery")[-1] == "makegood.case.withdrawn"


async def test_what_falls_due_in_a_case_that_is_withdrawn_is_called_off_thing_by_thing(lane: Lane) -> None:
    """Breaks if promises that correlate by the thing were left to hear of the case alone, which they cannot tell from any other."""
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    kept, open_ = await pledge(lane), await pledge(lane, "another")
    await act(lane, "fulfil_pledge", pledge=kept)
    await act(lane, "decline_case", SURVEY, why="leave me in peace")
    told = [orjson.loads(each.value) for each in await lane.unpublished() if each.topic == "makegood.acts"]
    called_off = [each for each in told if each["type"] == "recovery.owed.called_off"]
    assert [each["data"].get("pledge_id") for each in called_off] == [str(open_)]
    assert len({each["id"] for each in told}) == len(told)
    await act(lane, "fulfil_pledge", pledge=open_)
    assert (await the_case(lane)).state is State.DECLINED


async def test_what_a_restored_service_says_again_opens_no_case_that_was_withdrawn(lane: Lane) -> None:
    """Breaks if the first verdict, told a second time after its correction, were taken for news."""
    await lane.feed(lane.fact(), lane.fact("corrected", judgement="kept", was="broken", verdict=2))
    await lane.feed(lane.fact(), lane.fact("corrected", judgement="kept", was="broken", verdict=2))
    assert lane.told("makegood.recovery") == ["makegood.case.opened", "makegood.case.failure_withdrawn", "makegood.case.withdrawn"]


async def test_a_correction_to_broken_opens_a_case(lane: Lane) -> None:
    await lane.feed(lane.fact("corrected", judgement="broken", was="kept"))
    assert (await the_case(lane)).state is State.OPEN


async def test_the_story_ends_restored_by_judged_promises_only(lane: Lane) -> None:
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    await act(lane, "remedy_case", what="a new passport")
    about: dict[str, Any] = {"audience": "internal", "correlation": str(CASE), "trigger": {"type": "recovery.case.remedied"}}
    await lane.feed(lane.fact("kept", number=6, promise="customer-confirms", **about))
    assert (await the_case(lane)).state is State.WATCHING
    await lane.feed(lane.fact("kept", number=7, promise="no-repeat", **about))
    assert (await the_case(lane)).state is State.RESTORED


async def test_a_verdict_of_which_nothing_is_to_be_said_is_kept_in_the_case_alone_in_its_batch(lane: Lane) -> None:
    """Breaks if one of two promises that show a customer is back, judged before the other, stopped the lane until the other came."""
    lane.settings = lane.settings.model_copy(update={"restored_by": frozenset({"no-repeat", "came-back"})})
    lane.handler = FactHandler(2, lane.settings, Telemetry(lane.settings, "recovery"))
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    await act(lane, "remedy_case", what="a new passport")
    about: dict[str, Any] = {"audience": "internal", "correlation": str(CASE), "trigger": {"type": "recovery.case.remedied"}}
    await lane.feed(lane.fact("kept", number=6, promise="customer-confirms", **about))
    before = len(lane.published)
    await lane.feed(lane.fact("kept", number=7, promise="came-back", **about))
    assert len(lane.published) == before
    assert (await the_case(lane)).verdicts == {"came-back": "kept"}
    await lane.feed(lane.fact("kept", number=8, promise="no-repeat", **about))
    assert (await the_case(lane)).state is State.RESTORED


async def test_a_promise_correlated_by_the_customer_is_about_the_case_that_set_it_off(lane: Lane) -> None:
    """Breaks if "any failure of theirs within 30 days" had to name a case to count against one."""
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    await act(lane, "remedy_case", what="a new passport")
    await act(lane, "confirm_case", SURVEY)
    trigger = {"type": "recovery.case.confirmed", "id": f"{CASE}:4:case.confirmed"}
    about: dict[str, Any] = {"audience": "internal", "correlation": None, "trigger": trigger, "promise": "no-repeat"}
    await lane.feed(lane.fact(number=8, **about))
    assert (await the_case(lane)).state is State.NOT_RESTORED


async def test_a_case_that_closes_and_one_that_opens_for_the_same_customer_fit_one_batch(lane: Lane) -> None:
    await lane.feed(lane.fact(number=1))
    corrected = lane.fact("corrected", number=1, judgement="kept", was="broken")
    await lane.feed(
        corrected,
        lane.fact(number=2),
        lane.fact("corrected", number=2, judgement="kept", was="broken"),
        lane.fact("corrected", number=1, judgement="broken", was="kept"),
    )
    assert (await the_case(lane)).state is State.OPEN


async def test_the_same_creation_sent_again_gets_the_stored_answer(lane: Lane) -> None:
    await lane.feed(lane.fact(), lane.marker(NOON))
    await act(lane, "own_case")
    await pledge(lane)
    stale = Expected(frozenset({"2"}))
    once = Once.of("ana", "k", "pledge", {"what": "call"})
    again = Wish(CASE, BY_NAME["pledge"], ANA, stale, {}, once)
    answer = await People(lane.engine, lane.settings).do(again, render)
    assert (answer.status, answer.version) == (201, 3)
    assert (await the_case(lane)).version == 3
    with pytest.raises(Problem, match="new key"):
        await People(lane.engine, lane.settings).do(replace(again, once=replace(once, fingerprint=b"other")), render)


async def test_nobody_acts_on_a_case_that_does_not_exist(lane: Lane) -> None:
    wish = Wish(UUID(int=404), BY_NAME["own_case"], ANA, Expected(frozenset({"1"})))
    with pytest.raises(NoSuchCaseError):
        await People(lane.engine, lane.settings).do(wish, render)


async def test_of_many_who_take_a_case_at_once_one_gets_it_and_the_lane_keeps_going(lane: Lane) -> None:
    """Breaks if an act were decided on a version that another act has left behind."""
    await lane.feed(lane.fact(), lane.marker(NOON))
    seen = Expected(frozenset({"1"}))
    wishes = [Wish(CASE, BY_NAME["own_case"], Actor(f"agent-{n}"), seen) for n in range(8)]
    outcomes = await asyncio.gather(
        *(People(lane.engine, lane.settings).do(wish, render) for wish in wishes),
        lane.feed(lane.fact(number=2)),
        return_exceptions=True,
    )
    won = [each for each in outcomes if isinstance(each, Answer)]
    lost = [each for each in outcomes if isinstance(each, Problem)]
    assert len(won) + len(lost) == 8
    assert len(won) <= 1
    case = await the_case(lane)
    async with lane.engine.connect() as connection:
        ordinals = (await connection.execute(text("SELECT ordinal FROM outbox ORDER BY ordinal"))).scalars().all()
    assert list(ordinals) == list(range(1, len(ordinals) + 1))
    assert case.version in {2, 3}


async def test_history_that_was_brought_in_opens_no_case(lane: Lane) -> None:
    """Breaks if a company that fills in last year opened a case for each of last year's failures."""
    await lane.feed(lane.fact(backfill=True))
    assert lane.told("makegood.recovery") == []


async def test_a_second_verdict_opens_a_case_only_where_it_was_asked_to(lane: Lane) -> None:
    """Breaks if a rejudgement bothered people about what was said long ago, or if asking for their cases did nothing."""
    quiet = lane.fact("rejudged", judgement="broken", rejudgement=str(UUID(int=5)), open_cases=False)
    await lane.feed(quiet)
    assert lane.told("makegood.recovery") == []
    asked = lane.fact("rejudged", judgement="broken", rejudgement=str(UUID(int=6)), open_cases=True)
    await lane.feed(asked)
    await lane.feed(asked)
    assert (await the_case(lane)).state is State.OPEN
    assert lane.told("makegood.recovery") == ["makegood.case.opened"]
