"""Numbered records: each lane's effects once and in order, whatever is sent again, and nothing beyond a hole."""

from hypothesis import given
from hypothesis import strategies as some

from services.chassis.numbering import HighWater, Number, number_of

numbers = some.builds(Number, some.sampled_from(["a/0", "b/1"]), some.integers(1, 2), some.integers(1, 4))


@given(some.lists(numbers, max_size=40))
def test_what_is_applied_counts_up_by_one_in_each_lane_and_incarnation(sent: list[Number]) -> None:
    """Breaks if a repeat is applied again, a hole is passed, or an old incarnation speaks after a new one."""
    marks = HighWater({})
    applied = [each for each in sent if marks.accepts(each)]
    for lane in {each.lane for each in applied}:
        incarnations = [each.incarnation for each in applied if each.lane == lane]
        assert incarnations == sorted(incarnations)
        for incarnation in set(incarnations):
            counted = [each.seq for each in applied if (each.lane, each.incarnation) == (lane, incarnation)]
            assert counted == list(range(1, len(counted) + 1))
    assert all(marks.reached(each) for each in applied if marks.marks[each.lane][0] == each.incarnation)


@given(some.lists(numbers, max_size=40))
def test_marks_survive_being_saved_at_any_point(sent: list[Number]) -> None:
    kept, saved = HighWater({}), HighWater({})
    for each in sent:
        saved = HighWater({lane: list(mark) for lane, mark in saved.marks.items()})
        assert kept.expects(each) == saved.expects(each)
        assert kept.accepts(each) == saved.accepts(each)


@given(some.lists(some.tuples(numbers, some.booleans()), max_size=60))
def test_a_number_as_it_is_written_is_taken_just_as_the_number_is_accepted(sent: list[tuple[Number, bool]]) -> None:
    """Breaks if what is remembered of a lane's next number outlives a mark that was moved without it."""
    read, written = HighWater({}), HighWater({})
    for each, as_written in sent:
        header = f"{each.lane}/{each.incarnation}/{each.seq}".encode()
        assert (written.takes(header) if as_written else written.accepts(each)) == read.accepts(each)
        assert written.marks == read.marks


def test_a_lane_without_effects_has_reached_nothing_and_no_more() -> None:
    marks = HighWater({})
    assert marks.reached(Number("a/0", 1, 0))
    assert not marks.reached(Number("a/0", 1, 1))


def test_the_number_stands_in_the_lane_header() -> None:
    assert number_of([("x", b""), ("lane", b"touchpoints/3/1/4711")]) == Number("touchpoints/3", 1, 4711)
    assert number_of([("marker", b"")]) is None


def test_a_new_incarnation_that_has_numbered_nothing_yet_holds_nothing_back() -> None:
    """Breaks if a restored lane keeps the barrier until its first event comes."""
    water = HighWater({"touchpoints/0": [1, 7]})
    assert water.reached(Number("touchpoints/0", 2, 0))
    assert not water.reached(Number("touchpoints/0", 2, 1))
