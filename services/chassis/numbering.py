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


def written_number(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    """The number of a record as it is written in its header, None for a marker."""
    for name, value in headers:
        if name == "lane":
            return value
    return None


def number_of(headers: Sequence[tuple[str, bytes]]) -> Number | None:
    """The number of a record, None for a marker."""
    written = written_number(headers)
    return None if written is None else _read(written)


def _read(written: bytes) -> Number:
    lane, incarnation, seq = written.decode().rsplit("/", 2)
    return Number(lane, int(incarnation), int(seq))


_NOWHERE: tuple[str, list[int]] = ("", [])


class HighWater:
    """The last number applied of each lane. `marks` is JSON: lane -> [incarnation, seq]."""

    def __init__(self, marks: dict[str, list[int]]) -> None:
        """High-water marks as they were saved."""
        self.marks = marks
        self._written: dict[bytes, tuple[str, list[int]]] = {}
        """A lane and its mark, by what is written before the seq."""

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

    def takes(self, written: bytes) -> bool:
        """The same as `accepts` of a number as it is written: thousands a second, nearly all of them next in their lane."""
        before, _, seq = written.rpartition(b"/")
        lane, mark = self._written.get(before, _NOWHERE)
        if self.marks.get(lane) is mark and int(seq) == mark[1] + 1:
            mark[1] += 1
            return True
        number = _read(written)
        if not self.accepts(number):
            return False
        self._written[before] = (number.lane, self.marks[number.lane])
        return True

    def reached(self, number: Number) -> bool:
        """Whether everything of the lane up to this number was applied."""
        mark = self.marks.get(number.lane)
        if mark is None:
            return number.seq == 0
        if number.incarnation > mark[0]:
            return number.seq == 0
        return mark[0] == number.incarnation and mark[1] >= number.seq
