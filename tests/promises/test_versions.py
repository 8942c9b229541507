"""From when until when each version counts."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from services.promises.versions import BEGINNING, Span, Stage, Start, spans
from tests.driving import NOON

HOUR = timedelta(hours=1)


def stages(starts: list[Start], now: datetime) -> list[Stage]:
    return [each.stage(now) for each in spans(starts)]


def test_a_version_counts_until_a_later_one_takes_its_place() -> None:
    assert spans([Start(None), Start(NOON), Start(NOON + HOUR)]) == [
        Span(None, NOON), Span(NOON, NOON + HOUR), Span(NOON + HOUR, None),
    ]  # fmt: skip


def test_what_is_published_later_for_an_earlier_time_takes_the_place_of_everything_after_it() -> None:
    """Breaks if two versions of one promise could both open a commitment for the same trigger."""
    assert spans([Start(None), Start(NOON + HOUR), Start(NOON)]) == [Span(None, NOON), Span(NOON + HOUR, NOON), Span(NOON, None)]
    assert stages([Start(None), Start(NOON + HOUR), Start(NOON)], NOON + 2 * HOUR) == ["superseded", "superseded", "in_force"]


def test_two_versions_from_the_beginning_are_not_both_in_force() -> None:
    assert stages([Start(None), Start(None)], NOON) == ["superseded", "in_force"]


def test_a_retirement_ends_a_promise_and_publishing_again_takes_that_back() -> None:
    retired = [Start(None), Start(NOON, retires=True)]
    assert stages(retired, NOON - HOUR)[0] is Stage.IN_FORCE
    assert stages(retired, NOON)[0] is Stage.RETIRED
    assert [each.stage(NOON + HOUR) for each in spans([*retired, Start(NOON + HOUR)])][::2] == ["retired", "in_force"]
    assert stages([*retired, Start(NOON - HOUR)], NOON)[0] is Stage.SUPERSEDED


times = some.one_of(some.none(), some.integers(-3, 3).map(lambda hours: NOON + hours * HOUR))


@given(some.lists(some.builds(Start, times, some.booleans()), max_size=6), some.integers(-4, 4).map(lambda hours: NOON + hours * HOUR))
def test_at_any_time_the_last_published_of_those_that_have_begun_counts_and_no_other(starts: list[Start], now: datetime) -> None:
    begun = [place for place, start in enumerate(starts) if (start.at or BEGINNING) <= now]
    counting = [
        place for place, span in enumerate(spans(starts)) if (span.start or BEGINNING) <= now and (span.end is None or now < span.end)
    ]
    assert counting == begun[-1:]
    assert [place for place, stage in enumerate(stages(starts, now)) if stage is Stage.IN_FORCE] == counting
