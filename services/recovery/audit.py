"""The audit trail of a case: each act's digest covers the one before, so none can be changed, dropped or put in between.

The digest covers the digest of the payload, not the payload: erasing what is personal breaks no chain.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any, Final, NamedTuple

from services.recovery.domain.case import Happened

START: Final = b"\0" * 32


class Entry(NamedTuple):
    """One row of the trail. `payload_digest` stays when the payload is erased."""

    number: int
    happened: Happened
    payload_digest: bytes
    digest: bytes


def chain(previous: bytes, first_number: int, acts: Iterable[Happened]) -> list[Entry]:
    """The entries of further acts after the one with digest `previous`."""
    entries = []
    for number, happened in enumerate(acts, start=first_number):
        payload_digest = _digest(dict(happened.payload))
        previous = _link(previous, number, happened, payload_digest)
        entries.append(Entry(number, happened, payload_digest, previous))
    return entries


def first_break(entries: Iterable[Entry]) -> int | None:
    """The number of the first entry that is not what was written; None: the trail is whole."""
    previous = START
    for expected, entry in enumerate(entries, start=1):
        erased = not entry.happened.payload
        untouched = erased or _digest(dict(entry.happened.payload)) == entry.payload_digest
        previous = _link(previous, entry.number, entry.happened, entry.payload_digest)
        if entry.number != expected or not untouched or previous != entry.digest:
            return expected
    return None


def _link(previous: bytes, number: int, happened: Happened, payload_digest: bytes) -> bytes:
    at = happened.at.astimezone(UTC).isoformat()
    return _digest([previous.hex(), number, happened.kind, happened.by, at, dict(happened.content), payload_digest.hex()])


def _digest(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=32).digest()
