"""Silences of sources, told from what each lane says: the same whatever lane is faster and wherever a batch ends (DESIGN 3.7)."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from services.promises.blindness import BEGINNING, Silences, Source
from services.promises.calendars.durations import Elapsed
from tests.driving import NOON

MINUTE = timedelta(minutes=1)
HEARTBEAT = timedelta(minutes=10)
SHOP = Source("shop", Elapsed(HEARTBEAT))
DECLARED = {"shop": SHOP}
Blind = tuple[datetime, datetime | None]


def at(minute: int) -> datetime:
    return NOON + minute * MINUTE


class Told:
    """What one partition has been told, and what it made of it."""

    def __init__(self) -> None:
        self.silences = Silences()
        self.blind: dict[datetime, datetime | None] = {}

    def reach(self, minute: int, declared: dict[str, Source] = DECLARED) -> None:
        """The barrier reaches a minute."""
        if self.silences.stirs(declared, at(minute)):
            news = self.silences.news(declared, at(minute))
            assert news
            for _, since, until in news:
                self.blind[since] = until


def test_a_source_that_was_never_heard_is_not_silent() -> None:
    told = Told()
    told.reach(1000)
    told.silences.hear("shop", "touchpoints/0", at(1000))
    told.silences.miss("shop", "touchpoints/0", None, at(1000))
    told.reach(1005)
    assert told.blind == {}


def test_silence_begins_where_the_heartbeat_is_passed_and_ends_with_the_first_arrival_in_any_lane() -> None:
    """Breaks if the end were the latest arrival, or the one that the lane of the last arrival heard."""
    told = Told()
    told.silences.hear("shop", "touchpoints/0", at(0))
    told.reach(10)
    assert told.blind == {}
    told.reach(11)
    assert told.blind == {at(10): None}
    told.silences.miss("shop", "touchpoints/1", None, at(30))
    told.silences.hear("shop", "touchpoints/1", at(38))
    told.silences.miss("shop", "touchpoints/0", at(0), at(35))
    told.silences.hear("shop", "touchpoints/0", at(35))
    told.reach(40)
    assert told.blind == {at(10): at(30)}
    assert told.silences.silent == {}


def test_a_silence_that_lies_between_two_barriers_is_known_all_the_same() -> None:
    """Breaks I6: a backlog read in one go would be judged as if the source had been heard all the time."""
    told = Told()
    told.silences.hear("shop", "touchpoints/0", at(0))
    told.reach(1)
    told.silences.miss("shop", "touchpoints/0", at(0), at(60))
    told.silences.hear("shop", "touchpoints/0", at(95))
    told.reach(100)
    assert told.blind == {at(10): at(60)}


def test_what_one_lane_did_not_hear_another_may_have() -> None:
    told = Told()
    for lane in ("touchpoints/0", "touchpoints/1"):
        told.silences.miss("shop", lane, None, at(0))
    told.silences.hear("shop", "touchpoints/0", at(0))
    told.silences.hear("shop", "touchpoints/1", at(8))
    told.reach(17)
    assert told.blind == {}


def test_another_heartbeat_ends_what_was_silence_by_the_old_one() -> None:
    told = Told()
    told.silences.hear("shop", "touchpoints/0", at(0))
    told.reach(15)
    told.reach(16, {"shop": SHOP._replace(heartbeat=Elapsed(6 * HEARTBEAT))})
    assert told.blind == {at(10): at(16)}
    assert told.silences.silent == {}


moments = some.lists(some.integers(0, 120), min_size=1, max_size=8, unique=True)


@given(arrivals=some.lists(moments, min_size=1, max_size=3), paces=some.data())
def test_whatever_the_lanes_pace_the_silences_are_those_of_all_arrivals_together(arrivals: list[list[int]], paces: some.DataObject) -> None:
    """Breaks I6: which lane is faster, how much is read at once and when barriers are reached must make no difference."""
    told, end = Told(), 150
    read = [0] * len(arrivals)
    barrier = -1
    while min(read) < end:
        lane = paces.draw(some.sampled_from([place for place, until in enumerate(read) if until < end]))
        until = paces.draw(some.integers(read[lane] + 1, end))
        own = sorted(arrivals[lane])
        last = max((each for each in own if each < read[lane]), default=None)
        for each in [each for each in own if read[lane] <= each < until]:
            if last is None or at(each) - at(last) > HEARTBEAT:
                told.silences.miss("shop", f"touchpoints/{lane}", None if last is None else at(last), at(each))
            last = each
        if last is not None:
            told.silences.hear("shop", f"touchpoints/{lane}", at(last))
        read[lane] = until
        if min(read) - 1 > barrier:
            barrier = min(read) - 1
            told.reach(barrier)
    together = sorted({each for lane in arrivals for each in lane})
    pairs = [*pairwise(together), (together[-1], end)]
    expected = {
        at(one) + HEARTBEAT: None if other == end else at(other)
        for one, other in pairs
        if at(one) + HEARTBEAT < min(at(other), at(end - 1))
    }
    assert told.blind == expected
    assert BEGINNING not in told.blind
