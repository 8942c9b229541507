"""Reading a topic from wherever retention lets it begin: every record once, in its lane's order."""

from services.chassis.records import Record
from services.chassis.relay import MARKER_HEADER, lane_header
from services.chassis.scan import InOrder
from tests.driving import record


def numbered(seq: int, lane: str = "touchpoints/0", incarnation: int = 1) -> Record:
    return record("makegood.journey", 0, 0, b"{}", headers=[lane_header(lane, incarnation, seq)])


def passed(*records: Record) -> list[bool]:
    once = InOrder()
    return [once(each) for each in records]


def test_a_lane_begins_wherever_retention_has_let_it() -> None:
    """Breaks if a topic whose first records have expired were read as one long hole."""
    assert passed(numbered(4711), numbered(4712), numbered(3, "acts/0")) == [True, True, True]


def test_what_was_sent_again_counts_once_and_what_is_behind_a_hole_waits_for_it() -> None:
    sent = [numbered(each) for each in (7, 8, 7, 10, 8, 9, 10)]
    assert passed(*sent) == [True, True, False, False, False, True, True]


def test_a_restored_database_numbers_anew() -> None:
    assert passed(numbered(7), numbered(1, incarnation=2), numbered(8), numbered(2, incarnation=2)) == [True, True, False, True]


def test_markers_are_no_events() -> None:
    assert passed(record("makegood.journey", 0, 0, b"{}", headers=[MARKER_HEADER])) == [False]
