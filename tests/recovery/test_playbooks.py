"""What a playbook brings into a case, and how cases are answered, declined and merged."""

from datetime import timedelta
from uuid import UUID

import pytest

from contracts.acts import ACTS, BY_NAME
from services.recovery.domain import DECISIONS, failing
from services.recovery.domain.case import OwedState, Severity, State
from services.recovery.domain.deeds import Actor, NotYourCaseError, RefusedError
from tests.recovery.stories import BEN, CUSTOMER, NOON, PLAYBOOK, SURVEY, Story, failure, remedied


def test_every_act_of_the_table_has_its_decision() -> None:
    assert DECISIONS.keys() == BY_NAME.keys()
    assert len(ACTS) == len(BY_NAME)


@pytest.fixture
def by_the_book() -> Story:
    story = Story()
    story.playbook = PLAYBOOK
    story.fail(failure())
    return story


def test_a_playbooks_first_tasks_begin_with_the_case_and_the_others_once_those_are_done(by_the_book: Story) -> None:
    (call,) = by_the_book.case.tasks.values()
    assert (call.name, call.due) == ("call", NOON + timedelta(hours=4))
    by_the_book.now += timedelta(hours=1)
    by_the_book.act("finish_task", BEN, task=call.id)
    _, replacing = by_the_book.case.tasks.values()
    assert (replacing.name, replacing.due, replacing.assignee) == ("replace", NOON + timedelta(hours=49), "ben")
    with pytest.raises(RefusedError, match="done already"):
        by_the_book.act("finish_task", BEN, task=call.id)


def test_a_case_that_is_opened_again_is_a_new_chapter_with_tasks_of_its_own(by_the_book: Story) -> None:
    by_the_book.withdraw()
    by_the_book.fail(failure(at=NOON + timedelta(days=1)))
    assert by_the_book.case.chapter == 2
    assert [each.due - NOON for each in by_the_book.case.tasks.values()] == [timedelta(hours=4), timedelta(hours=28)]


def test_each_rung_of_the_ladder_is_reached_once(by_the_book: Story) -> None:
    by_the_book.judge("case-owned", "broken")
    by_the_book.judge("case-owned", "broken")
    by_the_book.judge("nobody-named-this", "broken")
    escalations = [each for each in by_the_book.acts[by_the_book.case.id] if each.kind == "escalated"]
    assert [each.content["tell"] for each in escalations] == [["lead"]]
    assert by_the_book.case.severity is Severity.HIGH


def test_a_task_that_is_late_climbs_and_stays_late_when_it_is_done(by_the_book: Story) -> None:
    (call,) = by_the_book.case.tasks
    by_the_book.judge_pledge(call, "broken")
    by_the_book.act("finish_task", task=call)
    assert by_the_book.case.tasks[call].state is OwedState.BROKEN
    assert by_the_book.case.tasks[call].done is not None
    assert by_the_book.case.climbed == {"task-late"}
    assert by_the_book.case.severity is Severity.MEDIUM


def test_where_the_customer_was_told_a_person_decides_what_becomes_of_no_failure(story: Story) -> None:
    story.act("own_case")
    story.pledge()
    story.withdraw()
    told = story.case
    story.act("answer_case", was_told=True, why="we said that it was lost")
    assert (story.case.state, story.case.ask) == (State.OWNED, None)
    story.cases[told.id] = told
    story.act("answer_case", was_told=False, why="we had only promised to call")
    assert story.case.state is State.WITHDRAWN


def test_what_is_not_done_in_a_case_that_is_withdrawn_is_called_off_and_nothing_falls_due_in_it(by_the_book: Story) -> None:
    """Breaks if a verdict that was said while the case ended made worse what nobody owes any more."""
    (call,) = by_the_book.case.tasks
    by_the_book.withdraw()
    assert (by_the_book.case.state, by_the_book.case.tasks[call].state, by_the_book.case.due) == (
        State.WITHDRAWN,
        OwedState.CALLED_OFF,
        None,
    )
    by_the_book.judge_pledge(call, "broken")
    assert by_the_book.case.tasks[call].state is OwedState.CALLED_OFF
    by_the_book.fail(failure(at=NOON + timedelta(days=1)))
    assert sorted(each.state for each in by_the_book.case.tasks.values()) == [OwedState.CALLED_OFF, OwedState.OPEN]


def test_only_the_customer_declines(story: Story) -> None:
    with pytest.raises(NotYourCaseError):
        story.act("decline_case", Actor("customer:someone-else", frozenset({"customer"})), why="x")
    story.act("decline_case", Actor(f"customer:{CUSTOMER}", frozenset({"customer"})), why="leave me in peace")
    assert story.case.state is State.DECLINED
    story.judge("case-owned", "broken")
    assert story.kinds()[-1] == "declined"


def test_a_case_goes_on_in_another_and_by_itself_again(story: Story) -> None:
    remedied(story).act("confirm_case", SURVEY)
    watched = story.case
    story.fail(failure(2))
    new = failing.case_id(CUSTOMER, UUID(int=2))
    with pytest.raises(RefusedError):
        story.act("merge_case", case=watched, into=watched.id, why="x")
    story.act("merge_case", case=watched, into=new, why="the same papers")
    assert (story.cases[watched.id].state, story.cases[watched.id].merged_into) == (State.MERGED, new)
    with pytest.raises(RefusedError, match="in work"):
        story.act("unmerge_case", case=story.cases[watched.id], why="x")
