"""The line of time: to scale, in order, and nothing drawn over another where there is room."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.workbench.drawing import WIDTH, Point, closed, draw
from tests.workbench.test_house import hours_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TIMES = st.integers(-10_000_000, 10_000_000).map(lambda seconds: NOON + timedelta(seconds=seconds))
POINTS = st.lists(st.builds(Point, TIMES, st.sampled_from(["touchpoint", "promise", "case", "ahead"]), st.just("x"), st.none() | TIMES))


@given(POINTS)
def test_earlier_stands_before_later_and_all_of_it_on_the_page(points: list[Point]) -> None:
    picture = draw(points, NOON)
    assert len(picture.marks) == len(points)
    for one, other in pairwise(picture.marks):
        assert one.point.time <= other.point.time
        assert one.x <= other.x
    assert all(0 <= each.x <= WIDTH for each in picture.marks)
    assert 0 <= picture.now <= WIDTH
    assert all((each.point.time <= NOON) == (each.x <= picture.now) or each.x == picture.now for each in picture.marks)


@given(POINTS)
def test_two_marks_of_a_row_stand_apart_while_there_are_rows_left(points: list[Point]) -> None:
    picture = draw(points, NOON)
    for row in range(picture.rows - 1):
        places = [each.x for each in picture.marks if each.row == row]
        assert all(other - one >= 14 for one, other in pairwise(places))


def test_distances_are_those_of_time() -> None:
    first, second, third = draw([Point(NOON + timedelta(hours=each), "case", "x") for each in (0, 1, 3)], NOON).marks
    assert abs((third.x - second.x) - 2 * (second.x - first.x)) <= 0.2


def test_what_was_known_later_shows_when() -> None:
    points = [Point(NOON - timedelta(days=2), "touchpoint", "x", NOON - timedelta(days=1))]
    (mark,) = draw(points, NOON).marks
    assert mark.known is not None
    assert mark.x < mark.known < WIDTH


@given(st.lists(st.integers(1, 100_000), min_size=2, max_size=12).filter(lambda gaps: len(gaps) % 2 == 0), st.integers(0, 400_000))
def test_every_second_of_the_line_is_either_worked_or_shaded(gaps: list[int], start: int) -> None:
    hours = hours_of(gaps)
    first = NOON + timedelta(seconds=start)
    last = first + timedelta(seconds=100_000)
    worked = sum(((min(end, last) - max(begin, first)) for begin, end in hours if end > first and begin < last), timedelta())
    assert worked + sum((end - begin for begin, end in closed(hours, first, last)), timedelta()) == last - first


def test_nothing_is_shaded_where_nobody_knows_when_there_is_work() -> None:
    assert list(closed((), NOON, NOON + timedelta(days=9))) == []
