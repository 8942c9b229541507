"""How often promises broke, by the day on which they fell due: counted from every verdict that passes, for improvements to be measured by.

Most facts that pass concern no case, thousands a second: a verdict is read by its bytes, as `contracts/promises.py` orders them.
"""

import re
from datetime import date
from typing import Final, NamedTuple

_TYPE: Final = b'"type":"makegood.commitment.'
_VERDICTS: Final = (b'kept"', b'broken"', b'corrected"', b'excused"', b'withdrawn"')
_COUNTS: Final = {b"kept": (1, 0), b"broken": (1, 1)}
"""How many were decided by a judgement, and how many of them broken; what is excused or not owed is neither."""
_NEITHER: Final = (0, 0)
_SAID: Final = re.compile(rb'\},"due":(?:"([^"]+)"|null),"judgement":"(\w+)","verdict":\d+,"was":(?:"(\w+)"|null)')
_DAY: Final = len("2026-02-03")


class Tally(NamedTuple):
    """By how much one verdict changes the counts of a promise and a day."""

    promise: str
    day: date
    decided: int
    broken: int


def tally(value: bytes) -> Tally | None:
    """What a fact changes, None where that is nothing. A correction takes back what the verdict before it had counted, on its own day."""
    _, written, kind = value.partition(_TYPE)
    if not written or not kind.startswith(_VERDICTS):
        return None
    # behind the last one: what stands before it, a correlation, is any value of a customer's system
    said = _SAID.search(kind, kind.rfind(b'"trigger":{"event":"'))
    if said is None:
        return None
    due, judgement, was = said.groups()
    now, before = _COUNTS.get(judgement, _NEITHER), _COUNTS.get(was, _NEITHER)
    if now == before:
        return None
    day = date.fromisoformat((due or _text(kind, b'"time":"'))[:_DAY].decode())
    return Tally(_text(kind, b'"promise":"').decode(), day, now[0] - before[0], now[1] - before[1])


def _text(part: bytes, member: bytes) -> bytes:
    start = part.find(member) + len(member)
    return part[start : part.find(b'"', start)]
