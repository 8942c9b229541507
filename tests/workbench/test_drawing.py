"""The line of time: to scale, in order, and nothing drawn over another where there is room."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.workbench.drawing import WIDTH, Point, draw

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
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
