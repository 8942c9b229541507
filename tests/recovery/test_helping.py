"""How people help each other in a case, how it changes hands, and what is learned of it."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from services.recovery.domain.case import OwedState, State
from services.recovery.domain.deeds import Actor, DueHasPassedError, NotTheOwnerError, RefusedError
from services.recovery.domain.helping import NotAskedOfYouError
from services.recovery.domain.learning import BecauseIsOfPeopleError
from services.recovery.domain.owning import HasAnOwnerError, NotOfferedToYouError
from services.recovery.domain.things import thing_id
from tests.recovery.stories import ANA, BEN, NOON, PLAYBOOK, SURVEY, Story, remedied

EVA, LEA = Actor("eva", frozenset({"manager"})), Actor("lea", frozenset({"lead"}))


def ask(story: Story, of: str | None = None, key: str = "passport") -> UUID:
    story.act("ask_help", key=key, what="who knows somebody at immigration?", due=story.now + timedelta(hours=6), assignee=of)
    return thing_id(story.case.id, key)


@pytest.fixture
def owned(story: Story) -> Story:
    story.act("own_case")
    return story


def test_a_request_goes_through_any_number_of_hands_and_the_chain_is_kept(owned: Story) -> None:
    request = ask(owned, "ben")
    hands = [BEN, EVA, LEA, Actor("max"), Actor("ida")]
    for giver, taker in pairwise(hands):
        owned.act("pass_help", giver, help=request, assignee=taker.subject, why="they know more")
    owned.act("accept_help", hands[-1], help=request)
    known = owned.case.help_requests[request]
    assert [(link.by, link.to) for link in known.chain] == [("ben", "eva"), ("eva", "lea"), ("lea", "max"), ("max", "ida")]
    assert (known.assignee, known.accepted, known.state) == ("ida", True, OwedState.OPEN)
    owned.act("answer_help", EVA, help=request, text="the director himself will be at the counter at eight")
    owned.act("thank_help", help=request, text="you saved her journey")
    known = owned.case.help_requests[request]
    assert (known.answered_by, known.state, known.thanked) == ("eva", OwedState.DONE, True)
    owned.judge_pledge(request, "kept")
    assert owned.case.help_requests[request].state is OwedState.KEPT


def test_what_is_asked_of_whoever_can_goes_to_the_first_who_accepts(owned: Story) -> None:
    request = ask(owned)
    with pytest.raises(NotAskedOfYouError):
        owned.act("accept_help", ANA, help=request)
    owned.act("accept_help", BEN, help=request)
    owned.act("accept_help", BEN, help=request)
    assert owned.kinds().count("help_accepted") == 1
    with pytest.raises(NotAskedOfYouError):
        owned.act("accept_help", EVA, help=request)


@pytest.mark.parametrize("act", ["accept_help", "pass_help", "answer_help"])
def test_nobody_takes_out_of_anothers_hands_what_was_asked_of_them(owned: Story, act: str) -> None:
    request = ask(owned, "ben")
    with pytest.raises(NotAskedOfYouError):
        owned.act(act, EVA, help=request, assignee="lea", why="x", text="x")


def test_whoever_stands_in_for_an_absent_colleague_helps_in_their_place(owned: Story) -> None:
    request = ask(owned, "ben")
    owned.act("accept_help", replace(EVA, covers=(Actor("ben"),)), help=request)
    assert owned.case.help_requests[request].assignee == "eva"


def test_help_is_asked_of_another_for_a_time_to_come_and_goes_to_somebody_new(owned: Story) -> None:
    with pytest.raises(RefusedError, match="somebody else"):
        ask(owned, "ana")
    with pytest.raises(DueHasPassedError):
        owned.act("ask_help", key="late", what="x", due=NOON, assignee="ben")
    request = ask(owned, "ben")
    for to in ("ben", "ana"):
        with pytest.raises(RefusedError, match="where it is"):
            owned.act("pass_help", BEN, help=request, assignee=to, why="x")
    owned.act("pass_help", BEN, help=request, assignee=None, why="whoever can")
    assert owned.case.help_requests[request].assignee is None


def test_thanks_come_once_after_an_answer_from_whoever_asked(owned: Story) -> None:
    request = ask(owned, "ben")
    with pytest.raises(RefusedError, match="no answer"):
        owned.act("thank_help", help=request, text="x")
    owned.act("answer_help", BEN, help=request, text="done")
    with pytest.raises(RefusedError, match="answered already"):
        owned.act("answer_help", BEN, help=request, text="done again")
    with pytest.raises(NotAskedOfYouError):
        owned.act("thank_help", BEN, help=request, text="well done me")
    owned.act("thank_help", help=request, text="thank you")
    with pytest.raises(RefusedError, match="thanked already"):
        owned.act("thank_help", help=request, text="thank you")


def test_help_that_is_late_climbs_the_ladder_and_stays_late(owned: Story) -> None:
    owned.playbook = replace(PLAYBOOK, ladder=(replace(PLAYBOOK.ladder[0], promise="help-late"),))
    request = ask(owned, "ben")
    owned.judge_pledge(request, "broken")
    owned.act("answer_help", BEN, help=request, text="sorry")
    assert owned.case.help_requests[request].state is OwedState.BROKEN
    assert owned.case.climbed == {"help-late"}


def test_a_case_goes_over_only_to_somebody_who_was_asked_and_accepts(owned: Story) -> None:
    """Breaks if anybody could be given somebody's customer, or take them."""
    with pytest.raises(HasAnOwnerError):
        owned.act("own_case", BEN)
    with pytest.raises(HasAnOwnerError):
        owned.act("assign_case", LEA, to="ben")
    with pytest.raises(NotTheOwnerError):
        owned.act("offer_case", BEN, to="ben", why="give it to me")
    owned.act("offer_case", to="ben", why="he knows her")
    with pytest.raises(NotOfferedToYouError):
        owned.act("accept_case", EVA)
    assert (owned.case.owner, owned.case.offered_to) == ("ana", "ben")
    owned.act("refuse_case", BEN, why="I am off from tomorrow")
    with pytest.raises(NotOfferedToYouError):
        owned.act("accept_case", BEN)
    owned.act("offer_case", to="eva", why="she has time")
    owned.act("accept_case", EVA)
    assert (owned.case.owner, owned.case.offered_to) == ("eva", None)


def test_a_lead_assigns_what_nobody_has(story: Story) -> None:
    story.act("assign_case", LEA, to="ben")
    assert (story.case.state, story.case.owner) == (State.OWNED, "ben")


def test_whoever_covers_an_absent_owner_acts_as_the_owner_and_is_named_in_the_trail(owned: Story) -> None:
    cover = replace(BEN, covers=(Actor("ana"),))
    owned.act("remedy_case", cover, what="a new passport")
    assert (owned.case.owner, owned.acts[owned.case.id][-1].by) == ("ana", "ben")
    owned.act("own_case", cover)
    assert owned.case.owner == "ben"


def test_a_cause_says_of_people_and_of_people_only_what_they_lacked(owned: Story) -> None:
    for component, because in (("people", None), ("procedures", "did_not_know")):
        with pytest.raises(BecauseIsOfPeopleError):
            owned.act("set_cause", component=component, because=because, what="x")
    owned.act("set_cause", component="people", because="did_not_know", what="papers go into the safe at night")
    owned.act("set_cause", component="procedures", because=None, what="no receipt was ever asked for")
    assert owned.case.cause is not None
    assert (owned.case.cause.component, owned.case.cause.because) == ("procedures", None)


def test_what_was_learned_is_said_once_the_case_has_ended(story: Story) -> None:
    remedied(story)
    with pytest.raises(RefusedError):
        story.act("review_case", what="x")
    story.act("confirm_case", SURVEY)
    for promise in ("no-repeat", "came-back"):
        story.judge(promise, "kept")
    story.act("review_case", BEN, what="we hand out receipts now")
    assert [(each.by, each.what) for each in story.case.reviews] == [("ben", "we hand out receipts now")]
