"""What is known of the customer of an event: `customer.*` in conditions and paths."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

STAMP: Final = "customerattributes"
"""Journey stamps what is known of a customer on each event: CloudEvents' extension attributes are simple, so it is JSON text."""
_NONE: Final[dict[str, Any]] = {}


def attributes(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes known of the customer when the event came; nobody may change them."""
    stamp = event.get(STAMP)
    if type(stamp) is str:
        return _read(stamp)
    return stamp if type(stamp) is dict else _NONE


@lru_cache(maxsize=4096)
def _read(stamp: str) -> dict[str, Any]:
    try:
        found = orjson.loads(stamp)
    except orjson.JSONDecodeError:
        return _NONE
    return found if type(found) is dict else _NONE
