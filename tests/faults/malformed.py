"""Records that nobody can take, by the thousand, and never the same twice: made from a right one by what goes wrong with records."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

Event = dict[str, Any]
DEEP: Final = 100_000
EVERY: Final = 400
"""Of so many records one is huge."""
NAMES: Final = ("id", "source", "type", "subject", "time", "specversion")
TIMES: Final = ("yesterday", "2026-02-30T00:00:00Z", "2026-11-23T00:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "", 5)
NO_EVENTS: Final = (b"[]", b"{}", b"null", b"true", b"7", b'"text"', b"[{}]", b"")
OURS: Final = ("makegood.commitment.kept", "makegood.held", "makegood.anything")


def records(seed: int, number: int) -> Iterator[bytes | None]:
    """So many; each names a subject of its own, where it names any."""
    draw = Random(f"{seed}/malformed")
    for each in range(number):
        event = _right(f"bad-{seed}-{each}")
        if each % EVERY == 0:
            yield draw.choice(HUGE)(_open(event))
        else:
            yield WAYS[each % len(WAYS)](draw, event)


def _right(id_: str) -> Event:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    event = {"specversion": "1.0", "id": id_, "source": "shop/rubbish", "type": "order.placed", "subject": f"crm:{id_}"}
    return event | {"time": time, "data": {"order_id": id_, "total": 1, "due": time}}


def _text(event: Event) -> bytes:
    return json.dumps(event).encode()


def _open(event: Event) -> bytes:
    """The event as text, its data still open."""
    return _text(event)[:-2]


def _spliced(draw: Random, event: Event) -> bytes:
    """A quotation mark where none belongs."""
    text = _text(event)
    at = draw.randrange(1, len(text))
    return text[:at] + b'"' + text[at:]


WAYS: Final[tuple[Callable[[Random, Event], bytes | None], ...]] = (
    lambda draw, event: _text(event)[: draw.randrange(1, len(_text(event)) - 1)],
    lambda _, event: _text(event).decode().encode("utf-16"),
    lambda _, event: _text(event).replace(b"bad-", b"bad\0-", 1),
    lambda _, event: _open(event) + b', "a": NaN}}',
    lambda _, event: _open(event) + b', "a": 1e999}}',
    lambda _, event: _open(event) + b', "a": 1, "a": 2}}',
    lambda *_: None,
    lambda _, event: _open(event) + b', "a": ' + b"[" * 2000,
    lambda draw, event: _text(event | {"specversion": draw.choice(["0.3", "2.0", "", 1])}),
    lambda draw, event: _text({name: value for name, value in event.items() if name != missing} if (missing := draw.choice(NAMES)) else {}),
    lambda draw, event: _text(event | {draw.choice(NAMES[:4]): draw.choice(["", 7, None, [], {}])}),
    lambda draw, event: _text(event | {"time": draw.choice(TIMES)}),
    lambda draw, _: draw.randbytes(draw.randrange(1, 200)),
    _spliced,
    lambda draw, _: draw.choice(NO_EVENTS),
    lambda draw, event: _text(event | {"type": draw.choice(OURS)}),
    lambda _, event: _text(event).replace(b"crm:bad", b"crm:\\ud800bad", 1),
    lambda _, event: _text(event)[:-1] + b"\xff\xfe}",
    lambda _, event: _text(event) * 2,
    lambda _, event: _text(event).replace(b"{", b"{'", 1),
)
HUGE: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda inside: inside + b', "a": "' + b"x" * 900_000,
    lambda inside: inside + b', "a": ' + b"[" * DEEP,
    lambda inside: inside + b"".join(b', "k%d": 0' % each for each in range(60_000)),
)
