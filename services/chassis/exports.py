"""Everything about one customer as JSON Lines: a manifest, the records of each part, and an end by which a cut stream is noticed."""

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any, Final

import orjson

AsRecords = AsyncIterator[dict[str, Any]]
MEDIA_TYPE: Final = "application/x-ndjson"
DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}}
"""What an operation's `responses` say of it in OpenAPI."""


async def as_lines(service: str, about: Mapping[str, Any], parts: Mapping[str, tuple[str, AsRecords]]) -> AsyncIterator[bytes]:
    """Lines of an export; each part has a name, what is in it, and its records.

    The first line is `{"manifest": {...}}`, the last one `{"end": {...}}` with the number of records of each part and the SHA-256 of
    all lines before it; each other line is `{"part": name, ...}`.
    """
    seal, counts = sha256(), dict.fromkeys(parts, 0)

    def sealed(line: Mapping[str, Any]) -> bytes:
        written = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"  # columns' names are a kind of text
        seal.update(written)
        return written

    yield sealed({"manifest": {"service": service, **about, "parts": {name: meaning for name, (meaning, _) in parts.items()}}})
    for name, (_, records) in parts.items():
        async for record in records:
            counts[name] += 1
            yield sealed({"part": name, **record})
    yield orjson.dumps({"end": {"records": counts, "sha256": seal.hexdigest()}}) + b"\n"
