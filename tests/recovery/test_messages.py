"""What is said to a customer: filled from the case, in their language and hours, and no oftener than they bear."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recovery import language, telling
from services.recovery.domain import failing, messages
from services.recovery.domain.case import Case, State
from services.recovery.domain.deeds import Actor, NotTheOwnerError, RefusedError
from services.recovery.domain.messages import CannotBeReachedError
from services.recovery.domain.playbook import Template
from services.recovery.domain.things import thing_id
from services.recovery.domain.voice import Hours, Message, MessageState, Restraint
from services.recovery.language import ProblemsFoundError
from tests.recovery.stories import ANA, BEN, CUSTOMER, NOON, PLAIN, PLAYBOOK, SURVEY, Story, failure, remedied

SORRY = (
    Template("sorry", "en", "About {promise}", "We failed you. {owner} looks after it.", None),
    Template("sorry", "es", "Sobre {promise}", "Le fallamos. {owner} se ocupa.", None),
)
SPEAKING = replace(PLAYBOOK, messages=SORRY, restraint=Restraint(2, timedelta(days=1)))
THEIRS: dict[str, Any] = {"channel": None, "language": "es-VE", "hours": None, "address": "rosa@example.org"}
MORNING = {"begins": time(8), "ends": time(10), "zone": "Europe/Madrid"}
NOTHING: dict[str, Any] = {"name": None, "language": None, "subject": None, "text": None}


@pytest.fixture
def speaking() -> Story:
    story = Story()
    story.playbook = SPEAKING
    story.fail(failure())
    story.act("own_case")
    story.act("set_preferences", **THEIRS)
    return story


def draft(story: Story, key: str = "m", case: Case | None = None, **needs: Any) -> UUID:
    story.act("draft_message", case=case, key=key, **(NOTHING | {"name": "sorry"} | needs))
    return thing_id((case or story.case).id, key)


def sent(story: Story, key: str) -> Message:
    identity = draft(story, key)
    story.act("send_message", message=identity)
    story.happen(story.case.id, messages.delivered(story.case, identity, story.now))
    return story.case.messages[identity]


def test_a_message_is_filled_from_the_case_in_the_customers_language(speaking: Story) -> None:
    draft(speaking)
    (made,) = speaking.case.messages.values()
    assert (made.language, made.subject, made.text) == ("es", "Sobre papers-returned", "Le fallamos. ana se ocupa.")
    assert made.state is MessageState.DRAFT
    assert messages.preview(speaking.case, SPEAKING, "sorry", "fr", []).language == "en"
    with pytest.raises(NotTheOwnerError):
        speaking.act("send_message", BEN, message=made.id)


def test_what_is_filled_in_is_never_read_as_a_placeholder(speaking: Story) -> None:
    """Breaks if a customer's own words could ask for what else the case holds."""
    speaking.playbook = replace(SPEAKING, messages=(Template("sorry", "en", "x", "{pledge}"),))
    with pytest.raises(RefusedError, match="pledge"):
        draft(speaking)
    speaking.act("pledge", key="p", what="{owner.__class__} {case}", due=NOON + timedelta(hours=1))
    draft(speaking)
    assert [each.text for each in speaking.case.messages.values()] == ["{owner.__class__} {case}"]


def test_nobody_is_written_to_who_is_not_known_or_wants_it_otherwise(speaking: Story) -> None:
    identity = draft(speaking)
    others: tuple[dict[str, Any], ...] = ({"address": None}, {"channel": "phone"})
    for other in others:
        speaking.act("set_preferences", **(THEIRS | other))
        with pytest.raises(CannotBeReachedError):
            speaking.act("send_message", message=identity)


def test_a_message_outside_the_customers_hours_waits_until_they_begin(speaking: Story) -> None:
    speaking.act("set_preferences", **(THEIRS | {"hours": MORNING}))
    identity = draft(speaking)
    speaking.act("send_message", message=identity)
    assert speaking.case.messages[identity].due == datetime(2026, 3, 2, 7, tzinfo=UTC)


def test_what_is_said_while_another_message_waits_goes_out_with_it(speaking: Story) -> None:
    speaking.act("set_preferences", **(THEIRS | {"hours": MORNING}))
    identities = [draft(speaking, key) for key in ("a", "b")]
    for each in identities:
        speaking.act("send_message", message=each)
    first, second = (speaking.case.messages[each] for each in identities)
    assert (first.mail, second.mail) == (first.id, first.id)
    assert first.due == second.due


def test_restraint_counts_over_all_cases_of_a_customer_and_every_channel(speaking: Story) -> None:
    sent(speaking, "a")
    speaking.act("record_contact", channel="phone", reached=True, from_customer=False, said=None, felt=None)
    speaking.act("record_contact", channel="phone", reached=False, from_customer=False, said=None, felt=None)
    remedied(speaking).act("confirm_case", SURVEY)
    speaking.now += timedelta(hours=1)
    speaking.fail(failure(2))
    other = speaking.cases[failing.case_id(CUSTOMER, UUID(int=2))]
    speaking.act("own_case", case=other)
    identity = draft(speaking, "b", case=speaking.cases[other.id])
    speaking.act("send_message", case=speaking.cases[other.id], message=identity)
    assert speaking.cases[other.id].messages[identity].due == NOON + timedelta(days=1)


TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
HOURS = st.builds(Hours, st.times(), st.times(), st.sampled_from(["UTC", "Europe/Madrid", "America/Caracas", "Australia/Lord_Howe"]))


@given(st.lists(TIMES, max_size=8), TIMES, st.none() | HOURS, st.integers(1, 3), st.integers(1, 72))
def test_no_window_ever_holds_more_contacts_than_restraint_allows(
    past: list[datetime], now: datetime, hours: Hours | None, most: int, span: int
) -> None:
    """Breaks if hours push a message back into a window that is full already."""
    per, known = timedelta(hours=span), [each for each in past if each <= now]
    at = Restraint(most, per).earliest(now, hours, known)
    assert at >= now
    assert sum(each > at - per for each in known) < most
    assert hours is None or hours.next(at) == at


def test_the_playbook_says_by_itself_what_it_says_so_of_and_a_person_gets_the_draft_where_it_cannot() -> None:
    story = Story()
    said = Template("sorry", "en", "About {promise}", "We failed you.", "opened")
    asking = Template("how", "en", "How was it?", "Did it feel like being helped by a friend?", "remedied")
    story.playbook = replace(SPEAKING, messages=(said, asking))
    story.fail(failure())
    assert [each.state for each in story.case.messages.values()] == [MessageState.DRAFT]
    story.act("own_case")
    story.act("set_preferences", **THEIRS)
    story.act("remedy_case", what="a new passport")
    assert [(each.name, each.state) for each in story.case.messages.values()] == [
        ("sorry", MessageState.DRAFT), ("how", MessageState.WAITING),
    ]  # fmt: skip


def test_what_the_case_lacks_words_for_is_put_before_the_owner_and_never_sent(speaking: Story) -> None:
    """Breaks if a message that cannot be filled were passed over, or went out with gaps."""
    later = Template("later", "en", "About {promise}", "By {pledge_due}.", "remedied")
    speaking.playbook = replace(SPEAKING, messages=(later,))
    speaking.act("remedy_case", what="a new passport")
    (made,) = speaking.case.messages.values()
    assert (made.state, made.lacks, made.text) == (MessageState.INCOMPLETE, ("pledge_due",), "By {pledge_due}.")
    told = speaking.acts[speaking.case.id][-1]
    assert (told.kind, told.content["why"]) == ("message_incomplete", "the case lacks pledge_due")
    assert [each.target for each in telling.told(speaking.case, told, speaking.playbook)] == ["ana"]
    with pytest.raises(RefusedError, match="lacks pledge_due"):
        speaking.act("send_message", message=made.id)
    speaking.act("discard_message", message=made.id)
    speaking.act("pledge", key="p", what="we call you", due=NOON + timedelta(hours=1))
    again = draft(speaking, "again", name="later")
    assert speaking.case.messages[again].text == "By 2026-03-01 13:00 UTC."


def test_of_a_case_that_was_no_failure_the_customer_can_still_be_told_which(speaking: Story) -> None:
    speaking.playbook = replace(SPEAKING, messages=(Template("none", "en", "About {promise}", "It was none.", "withdrawn"),))
    speaking.withdraw()
    (made,) = speaking.case.messages.values()
    assert (made.subject, made.state) == ("About papers-returned", MessageState.WAITING)


def test_what_waits_is_not_said_once_there_was_no_failure(speaking: Story) -> None:
    identity = draft(speaking)
    speaking.act("send_message", message=identity)
    speaking.withdraw()
    assert speaking.case.state is State.WITHDRAWN
    assert speaking.case.messages[identity].state is MessageState.DISCARDED
    assert messages.delivered(speaking.case, identity, speaking.now) == []


def test_a_customer_who_was_written_to_was_told(speaking: Story) -> None:
    sent(speaking, "a")
    speaking.withdraw()
    assert speaking.case.ask == failing.ASK_WAS_TOLD


def test_attempts_that_reached_nobody_are_counted_and_hold_no_words(speaking: Story) -> None:
    missed: dict[str, Any] = {"channel": "phone", "reached": False, "from_customer": False, "said": None, "felt": None}
    speaking.act("record_contact", **missed)
    with pytest.raises(RefusedError, match="not reached"):
        speaking.act("record_contact", **(missed | {"said": "hello"}))
    speaking.act("record_contact", **(missed | {"reached": True, "said": "I am leaving for good", "felt": "sad"}))
    assert [(each.reached, each.said) for each in speaking.case.contacts] == [(False, ""), (True, "I am leaving for good")]
    assert "leaving" not in str([each.content for each in speaking.acts[speaking.case.id]])


def test_justice_is_the_customers_to_judge_and_both_sides_say_how_it_felt(speaking: Story) -> None:
    how: dict[str, Any] = {"outcome": None, "process": None, "treatment": None, "friend": 5, "said": None}
    with pytest.raises(RefusedError):
        speaking.act("give_feedback", ANA, **how)
    remedied(speaking).act("give_feedback", ANA, **how)
    with pytest.raises(RefusedError, match="the customer alone"):
        speaking.act("give_feedback", ANA, **(how | {"outcome": 5}))
    with pytest.raises(RefusedError, match="own case"):
        speaking.act("give_feedback", Actor("customer:else", frozenset({"customer"})), **how)
    speaking.act("give_feedback", SURVEY, **(how | {"outcome": 4}))
    assert [(each.side, dict(each.scores)) for each in speaking.case.feedback] == [
        ("helper", {"friend": 5}), ("customer", {"outcome": 4, "friend": 5}),
    ]  # fmt: skip


DOCUMENT = """
apiVersion: makegood/v1
kind: Playbook
metadata: {name: lost-papers, owner: branch}
spec:
  restraint: {contacts: 1, per: 2 days}
  quiet: {from: "22:00", until: "07:00", zone: Europe/Madrid}
  tell: [{on: opened, to: lead, channel: email}]
  messages:
    - {name: sorry, language: en, channel: email, subject: "About {promise}", text: "{owner} looks after it.", send: owned}
"""


def test_a_playbook_says_what_is_written_and_who_is_told() -> None:
    read = language.read(DOCUMENT, "a.yaml", PLAIN)
    assert read.messages == (Template("sorry", "en", "About {promise}", "{owner} looks after it.", "owned"),)
    assert read.restraint == Restraint(1, timedelta(days=2))
    assert [(each.on, each.to) for each in read.tell] == [("opened", "lead")]
    assert read.quiet is not None
    night = datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert read.quiet.next(night) == datetime(2026, 3, 2, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("{owner}", "{owner.name}", "cannot be filled"),
        ("send: owned", "send: ownd", "did you mean `owned`?"),
        ("send: owned", "send: opened", "`{owner}` is not known yet when a case is opened"),
        ('"{owner} looks after it.", send: owned', '"{failure}", send: opened', "never by both"),
        ("channel: email}]", "channel: chat}]", "leave out `to`"),
        ("on: opened", "on: Opened", "nothing that happens"),
        ("contacts: 1", "contacts: 0", "at least 1"),
        ("Europe/Madrid", "Europe/Madird", "is no zone"),
        ('"22:00"', '"25:00"', "is not a clock time"),
    ],
)
def test_what_is_wrong_in_them_is_found_with_what_would_be_right(right: str, wrong: str, told: str) -> None:
    with pytest.raises(ProblemsFoundError, match=told.replace("?", r"\?")):
        language.read(DOCUMENT.replace(right, wrong, 1), "a.yaml", PLAIN)
