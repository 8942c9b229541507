"""Cases that open before a promise is broken: what becomes of them where it is kept after all, and where it is not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.recovery import store
from services.recovery.domain import failing
from services.recovery.domain.case import Case, Failure, Severity, State
from services.recovery.playbooks import Playbooks
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import publish
from tests.recovery.stories import CUSTOMER as HER
from tests.recovery.stories import GENEROUS, SURVEY, Story, failure, remedied

RISK = Failure(UUID(int=1), "papers-returned", Severity.MEDIUM, NOON, at_risk=True)
CASE = failing.case_id(CUSTOMER, UUID(int=1))
BOOK: dict[str, Any] = {
    "apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "early", "owner": "bank"}, "spec": {"opens": "at_risk"},
}  # fmt: skip


@pytest.fixture
def early() -> Story:
    story = Story()
    story.playbook = replace(GENEROUS, at_risk=True)
    story.fail(RISK)
    return story


def avert(story: Story) -> None:
    for case in list(story.cases.values()):
        story.happen(case.id, failing.avert(case, UUID(int=1), story.now))


def test_what_is_at_risk_owes_nothing_yet_and_is_no_failure_that_was_recorded(early: Story) -> None:
    assert early.case.state is State.OPEN
    assert not early.case.compensations
    assert [each.at_risk for each in early.case.standing] == [True]


def test_what_breaks_later_is_the_same_failure_and_owes_then(early: Story) -> None:
    early.fail(failure(at=NOON + timedelta(hours=3)))
    early.fail(failure(at=NOON + timedelta(hours=4)))
    (known,) = early.case.standing
    assert (known.at_risk, known.broken_at) == (False, NOON + timedelta(hours=3))
    assert early.kinds().count("failure_broken") == 1
    assert len(early.case.compensations) == 1


def test_what_is_kept_in_time_takes_the_case_back_where_the_customer_heard_nothing(early: Story) -> None:
    early.act("own_case")
    avert(early)
    assert early.case.state is State.WITHDRAWN
    assert early.acts[early.case.id][-1].content == {"why": "averted"}


def test_where_the_customer_was_told_a_person_decides_and_the_trail_says_that_it_was_averted(early: Story) -> None:
    early.act("own_case")
    early.pledge()
    avert(early)
    assert (early.case.state, early.case.ask) == (State.OWNED, failing.ASK_WAS_TOLD)
    early.act("answer_case", was_told=False, why="we had only planned to call")
    assert (early.case.state, early.acts[early.case.id][-1].content) == (State.WITHDRAWN, {"why": "averted"})


def test_whoever_confirmed_what_was_done_before_it_broke_is_watched_on(early: Story) -> None:
    """Breaks if a customer who is content with what was agreed were asked about, or called failed again."""
    remedied(early).act("confirm_case", SURVEY)
    avert(early)
    assert (early.case.state, early.case.ask) == (State.WATCHING, None)


def test_what_was_said_to_be_put_right_and_broke_is_not_put_right(early: Story) -> None:
    remedied(early)
    early.fail(failure(at=NOON + timedelta(hours=3)))
    assert early.case.state is State.OWNED


def test_a_risk_joins_the_case_in_work_and_leaves_it_alone_when_it_is_averted(story: Story) -> None:
    story.fail(replace(RISK, commitment=UUID(int=2)))
    assert len(story.case.standing) == 2
    for case in list(story.cases.values()):
        story.happen(case.id, failing.avert(case, UUID(int=2), story.now))
    assert (story.case.state, len(story.case.standing)) == (State.OPEN, 1)


def test_a_risk_is_no_repeat_where_a_healed_customer_is_watched(story: Story) -> None:
    remedied(story).act("confirm_case", SURVEY)
    watched = story.case.id
    story.fail(replace(RISK, commitment=UUID(int=2)))
    assert "repeated" not in [each.kind for each in story.acts[watched]]
    assert story.cases[failing.case_id(HER, UUID(int=2))].state is State.OPEN


async def the_case(lane: Lane) -> Case:
    found = await store.case_with_trail(lane.engine, CASE)
    assert found is not None
    return found[0].case


async def test_the_playbook_says_whether_what_is_at_risk_opens_a_case(lane: Lane) -> None:
    await publish(lane.engine, "early", BOOK, NOON, "mia")
    await publish(lane.engine, "late", BOOK | {"metadata": {"name": "late", "owner": "bank"}, "spec": {}}, NOON, "mia")
    await lane.feed(lane.fact("at_risk", number=2, customer=UUID(int=99), playbook="late"), lane.fact("at_risk", playbook="early"))
    assert (await the_case(lane)).state is State.OPEN
    assert lane.told("makegood.recovery") == ["makegood.case.opened"]
    assert lane.told("makegood.acts") == ["recovery.case.opened"]
    assert orjson.loads(lane.published[0].value)["data"]["failure"]["at_risk"] is True


@pytest.mark.parametrize("kind", ["kept", "withdrawn", "excused"])
async def test_what_settles_a_risk_is_noticed_in_its_batch_and_by_a_lane_that_begins_anew(lane: Lane, kind: str) -> None:
    """Breaks if a kept commitment, which concerns no case otherwise, is absorbed although a case waits for it."""
    await publish(lane.engine, "early", BOOK, NOON, "mia")
    progress = await lane.feed(lane.fact("at_risk", playbook="early"))
    settled, stranger = lane.fact(kind, playbook="early"), lane.fact(kind, number=3, playbook="early")
    memory = await lane.handler.recall(lane.engine, progress)
    assert memory.known == {UUID(int=1)}
    assert lane.handler.absorb(memory, progress, stranger)
    assert not lane.handler.absorb(memory, progress, settled)
    await lane.feed(settled)
    assert (await the_case(lane)).state is State.WITHDRAWN
    assert lane.told("makegood.acts")[-1] == "recovery.case.withdrawn"
    assert (await lane.handler.recall(lane.engine, progress)).known == set()


async def test_a_risk_and_what_settles_it_may_come_in_one_batch(lane: Lane) -> None:
    await publish(lane.engine, "early", BOOK, NOON, "mia")
    await lane.feed(lane.fact("at_risk", playbook="early"), lane.fact("at_risk", playbook="early"), lane.fact("kept", playbook="early"))
    assert (await the_case(lane)).state is State.WITHDRAWN


async def test_what_breaks_after_its_case_opened_is_recorded_once(lane: Lane) -> None:
    await publish(lane.engine, "early", BOOK, NOON, "mia")
    await lane.feed(lane.fact("at_risk", playbook="early"))
    await lane.feed(lane.fact(playbook="early"))
    assert lane.told("makegood.recovery") == ["makegood.case.opened", "makegood.case.failure_broken"]
    assert lane.told("makegood.acts") == ["recovery.case.opened", "recovery.failure.recorded"]


async def test_history_that_is_brought_in_opens_nothing_for_what_was_at_risk(lane: Lane) -> None:
    await publish(lane.engine, "early", BOOK, NOON, "mia")
    await lane.feed(lane.fact("at_risk", playbook="early", backfill=True), lane.fact("at_risk", number=2, audience="internal"))
    assert lane.published == []


async def test_a_risk_that_no_playbook_asks_for_is_absorbed(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if warnings cost transactions where nobody wants cases of them; looking for newer playbooks is cheap and rare."""
    monkeypatch.setattr("services.recovery.playbooks.STALE_SECONDS", 3600.0)
    await publish(lane.engine, "late", BOOK | {"metadata": {"name": "late", "owner": "bank"}, "spec": {}}, NOON, "mia")
    progress = await lane.feed(lane.fact("at_risk", playbook="late"))
    memory = await lane.handler.recall(lane.engine, progress)
    for playbook in ("late", "nobody-published-it", None):
        assert lane.handler.absorb(memory, progress, lane.fact("at_risk", playbook=playbook))


def test_a_playbook_that_was_not_looked_for_lately_may_ask_for_it(lane: Lane) -> None:
    assert Playbooks(lane.settings.plain).may_open_at_risk("early")
    assert not Playbooks(lane.settings.plain).may_open_at_risk("")
