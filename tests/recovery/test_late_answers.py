"""A customer who answers once nobody counted on it any more is heard, and by no more than they say."""

import pytest

from services.recovery.domain.restoring import judge_case
from tests.recovery.stories import PLAIN, Story, remedied


@pytest.mark.parametrize(
    ("promise", "verdict", "end"),
    [
        ("late-word", "kept", "watching"), ("right-after-all", "broken", "owned"), ("still-wanted", "broken", "declined"),
        ("right-to-the-customer", "broken", "unknown"), ("late-word", "withdrawn", "unknown"),
    ],
)  # fmt: skip
def test_a_customer_who_answers_late_is_heard(story: Story, promise: str, verdict: str, end: str) -> None:
    """Breaks if what a customer says once nobody counted on it any more were lost, or an answer counted for what it does not say."""
    remedied(story).judge("customer-confirms", "broken")
    story.judge(promise, verdict)
    assert story.case.state == end


def test_a_late_word_says_nothing_of_a_case_that_is_in_work(story: Story) -> None:
    remedied(story).judge("late-word", "kept")
    story.judge("right-after-all", "broken")
    assert story.case.state == "remedied"


def test_a_late_no_opens_no_second_case_beside_one_in_work(story: Story) -> None:
    """Breaks the rule that a customer has one case in work at most, which the database enforces by stopping the lane."""
    remedied(story).judge("customer-confirms", "broken")
    (said,) = judge_case(story.case, PLAIN, "right-after-all", "broken", story.now, busy=True)
    assert said.kind == "not_restored"
