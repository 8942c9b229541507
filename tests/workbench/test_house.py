"""What time it is, and how much working time is left: the same on the page as it comes and as the script goes on with it."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.workbench.api.today import night_before
from services.workbench.reader import Hours, Reader, clocked, working_seconds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STRETCHES = st.lists(st.integers(1, 100_000), min_size=2, max_size=12).filter(lambda gaps: len(gaps) % 2 == 0)


def hours_of(gaps: list[int]) -> Hours:
    """Stretches of working time from noon on, each behind the one before."""
    edges = [NOON + timedelta(seconds=each) for each in accumulate(gaps)]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


@given(STRETCHES, st.integers(0, 400_000), st.integers(1, 400_000))
def test_working_time_left_is_every_open_second_until_then_and_no_other(gaps: list[int], now: int, length: int) -> None:
    hours, at = hours_of(gaps), NOON + timedelta(seconds=now)
    due = at + timedelta(seconds=length)
    opened = {second for start, end in hours for second in range(int(start.timestamp()), int(end.timestamp()))}
    expected = sum(second in opened for second in range(int(at.timestamp()), int(due.timestamp())))
    assert working_seconds(hours, at, due) == (expected if due <= hours[-1][1] else None)


@pytest.mark.parametrize(("due", "hours"), [(NOON, hours_of([1, 2])), (NOON - timedelta(1), hours_of([1, 2])), (NOON + timedelta(1), ())])
def test_what_is_past_or_unknown_is_told_by_the_calendar_s_days(due: datetime, hours: Hours) -> None:
    assert working_seconds(hours, NOON, due) is None
    assert "working" not in Reader("en", ZoneInfo("UTC"), NOON, hours).left(due)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 min 00 s"), (59, "0 min 59 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min"), (90_061, "25 h 01 min")]
)
def test_it_reads_as_a_clock_that_counts_down(seconds: int, said: str) -> None:
    assert clocked(seconds) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "2 h 00 min of working time"), ("es", "2 h 00 min de tiempo de trabajo"), ("de", "2 h 00 min Arbeitszeit")],
)
def test_working_time_is_told_in_the_reader_s_language(language: str, said: str) -> None:
    open_all_day = ((NOON, NOON + timedelta(hours=8)),)
    assert Reader(language, ZoneInfo("UTC"), NOON, open_all_day).left(NOON + timedelta(hours=2)) == said


def test_the_last_night_began_when_the_house_closed_for_it_and_not_for_a_break() -> None:
    """Friday until noon and from one to five, then Monday: whoever comes on Monday sees what came since Friday at five."""
    friday = NOON.replace(day=6, hour=8)
    hours = [(friday, friday.replace(hour=12)), (friday.replace(hour=13), friday.replace(hour=17))]
    hours += [(start + timedelta(days=3), end + timedelta(days=3)) for start, end in hours]
    monday = friday + timedelta(days=3, hours=5, minutes=30)
    assert night_before(tuple(hours), monday) == friday.replace(hour=17)
    assert night_before((), monday) == monday - timedelta(days=1)
