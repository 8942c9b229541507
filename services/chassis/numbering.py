"""Reading numbered records: each lane's effects are applied in their order, once, whatever was sent again.

High-water mark + 1 is applied; lower is a repeat; higher is a hole, and what is beyond it is sent again by a publisher
that starts at its pointer. Marks are per incarnation: a restored database numbers its lanes anew.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Number(NamedTuple):
    """Where a record stands in its lane."""

    lane: str
    incarnation: int
    seq: int


def number_of(headers: Sequence[tuple[str, bytes]]) -> Number | None:
    """The number of a record, None for a marker."""
    for name, value in headers:
        if name == "lane":
            lane, incarnation, seq = value.decode().rsplit("/", 2)
            return Number(lane, int(incarnation), int(seq))
    return None


class HighWater:
    """The last number applied of each lane. `marks` is JSON: lane -> [incarnation, seq]."""

    def __init__(self, marks: dict[str, list[int]]) -> None:
        """High-water marks as they were saved."""
        self.marks = marks

    def expects(self, number: Number) -> bool:
        """Whether this is the lane's next record; changes nothing."""
        incarnation, seq = self.marks.get(number.lane, (number.incarnation, 0))
        if number.incarnation > incarnation:
            return number.seq == 1
        return number.incarnation == incarnation and number.seq == seq + 1

    def accepts(self, number: Number) -> bool:
        """Whether this is the lane's next record; moves the mark if so."""
        if not self.expects(number):
            return False
        self.marks[number.lane] = [number.incarnation, number.seq]
        return True

    def reached(self, number: Number) -> bool:
        """Whether everything of the lane up to this number was applied."""
        mark = self.marks.get(number.lane)
        if mark is None:
            return number.seq == 0
        if number.incarnation > mark[0]:
            return number.seq == 0
        return mark[0] == number.incarnation and mark[1] >= number.seq
