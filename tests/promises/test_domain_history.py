"""A long history, of which each judgement takes what it needs, against judging by all of it; and anchors kept up event by event."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.promises.domain import Evidence, Judgement, Mark, Role, Terms, judge
from services.promises.domain import history as long
from services.promises.domain.anchoring import Anchors, anchors, opening
from services.promises.domain.course import in_order
from services.promises.domain.history import History, judging
from tests.promises.marks import at, mark
from tests.promises.test_domain_properties import BARRIERS, MINUTES, marks, terms

FOREVER = datetime.max.replace(tzinfo=UTC)


@st.composite
def openings(draw: st.DrawFn) -> Mark:
    """What opens a commitment, and may be something else to another one."""
    time = draw(MINUTES)
    also = draw(st.sampled_from([Role(0), Role.RESET, Role.EXPECT, Role.RESUME, Role.EXCUSE]))
    arrival = time + draw(st.integers(0, 6))
    return mark(time, Role.TRIGGER | also, arrival=arrival, due=draw(MINUTES), holds=draw(st.booleans()), name=str(draw(st.integers(0, 1))))


@st.composite
def histories(draw: st.DrawFn) -> list[Mark]:
    """Events of one strand; a person's excuse may name the first of them."""
    found = draw(st.lists(openings() | marks() | marks(), min_size=1, max_size=24, unique_by=lambda each: each.event))
    named = draw(st.booleans())
    return [each._replace(about=found[0].event) if named and each.roles & Role.EXCUSE else each for each in found]


@contextmanager
def windows_of(size: int) -> Iterator[None]:
    """Look at so few events first, and take every history for a long one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long, "MANY", 0)
        patch.setattr(long, "_WINDOW", size)
        yield


def said(judgement: Judgement) -> Judgement:
    """What has to be the same of what is settled: when it may be said may be told later, and stages reached afterwards are not told."""
    return judgement._replace(sayable=None, stages=()) if judgement.state.decided else judgement


@settings(max_examples=300, deadline=None)
@given(promised=terms(), first=st.booleans(), history=histories(), barrier=BARRIERS, size=st.integers(1, 3))
def test_what_a_judgement_needs_of_a_long_history_says_what_all_of_it_says(
    *,
    promised: Terms,
    first: bool,
    history: list[Mark],
    barrier: int,
    size: int,
) -> None:
    """Breaks if an event is left out that could make a difference: one before the trigger, an excuse, one behind the window."""
    promised = replace(promised, first=first)
    with windows_of(size):
        judged = judging(promised, tuple(history))
        for trigger in opening(promised, history):
            whole = judge(promised, Evidence(trigger, tuple(history)), at(barrier))
            found = judged(trigger, (), at(barrier))
            assert said(found) == said(whole)
            if whole.state.decided and whole.sayable is not None:
                assert found.sayable is None or whole.sayable <= found.sayable <= max(at(barrier), whole.sayable)


@given(terms(), histories(), st.integers(0, 24), BARRIERS)
def test_a_history_that_grew_is_the_history_that_was_read_at_once(promised: Terms, history: list[Mark], known: int, barrier: int) -> None:
    """Breaks if an event that is added lands in another place than one that was there."""
    with windows_of(1):
        whole, grown = History(promised, history), History(promised, history[:known])
        for each in history[known:]:
            grown.add(each)
        for trigger in opening(promised, history):
            assert sorted(grown.on(trigger)) == sorted(whole.on(trigger))
            everything = judge(promised, Evidence(trigger, tuple(history)), at(barrier))
            assert judge(promised, Evidence(trigger, whole.on(trigger)), at(barrier)) == everything
            assert grown.judge(trigger, (), at(barrier)) == whole.judge(trigger, (), at(barrier))


def plainly(promised: Terms, history: list[Mark]) -> dict[UUID, Mark]:
    """What opens commitments, by definition: every trigger, and every event that ended one of them by a reset, which goes on from it."""
    known = {each.event: each for each in history}
    found = {each.event: each for each in opening(promised, history)}
    for root in list(found.values()):
        anchor = root
        while True:
            judgement = judge(promised, Evidence(anchor, tuple(history)), FOREVER)
            if judgement.reason != "reset" or judgement.decided_by is None or judgement.decided_by in found:
                break
            reset = known[judgement.decided_by]
            anchor = found[reset.event] = reset._replace(
                roles=reset.roles | Role.TRIGGER, within=anchor.within, segment=anchor.segment, zone=anchor.zone, data=anchor.data,
                at_stake=anchor.at_stake,
            )  # fmt: skip
    return found


@given(promised=terms(), first=st.booleans(), history=histories())
def test_anchors_are_the_triggers_and_the_resets_of_what_is_owed(*, promised: Terms, first: bool, history: list[Mark]) -> None:
    """Breaks if a reset opens what nobody owed, or goes on from another anchor than the one that it ended."""
    promised = replace(promised, first=first, resets=True)
    found = anchors(promised, history)
    assert found == in_order(found)
    assert {each.event: each for each in found} == plainly(promised, history)
    plain = replace(promised, resets=False)
    assert anchors(plain, history) == opening(plain, history)


@given(promised=terms(), first=st.booleans(), history=histories(), in_time=st.booleans())
def test_anchors_kept_up_event_by_event_are_those_of_the_whole_history(
    *,
    promised: Terms,
    first: bool,
    history: list[Mark],
    in_time: bool,
) -> None:
    """Breaks if what an event changes is not found out, or told: nobody would judge it again."""
    promised = replace(promised, first=first, resets=True)
    coming = in_order(history) if in_time else history
    with windows_of(1):
        read = History(promised, ())
        kept = Anchors(promised, (), read.judge)
        for count, each in enumerate(coming, 1):
            before = dict(kept.found)
            read.add(each)
            changed = kept.add(each)
            assert kept.found == plainly(promised, coming[:count])
            assert changed == {event for event in before.keys() | kept.found.keys() if before.get(event) != kept.found.get(event)}
            opened = opening(promised, coming[:count])
            assert kept.first == (opened[0].event if opened else None)
