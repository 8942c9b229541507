"""What is told of an event that is discreet (docs/decisions/0023): that it was there and when, and nothing that it says.

Facts, lists and explanations of commitments go to everybody; who may see what the touchpoint itself says, journey knows. It stamps
such events. What they are told by leads back to the same strand, so that evidence, excuses and what is made again still meet.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.chassis.keys import read_key
from services.promises.compile import Compiled
from services.promises.correlations import DISCREET, UNCORRELATED, strand_of
from services.promises.domain import Mark


def seen_discreetly(compiled: Compiled, event: Mapping[str, Any], seen: tuple[str, Mark]) -> tuple[str, Mark]:
    """What a promise sees in a discreet event, as it may be told: without what ties it to others, who held the clock, what is at stake."""
    correlation, mark = seen
    if correlation != UNCORRELATED:
        correlation = f'"{DISCREET}:{strand_of(read_key(event["customer"]), compiled.correlate_text, correlation)}"'
    if mark.holder is not None or mark.at_stake is not None:
        mark = mark._replace(holder=None if mark.holder is None else DISCREET, at_stake=None)
    return correlation, mark


def called(event: Mapping[str, Any], key: UUID) -> str:
    """What an event is told by: what its source calls it, or, of a discreet one, its key."""
    if DISCREET in event:
        return str(key)
    id_: str = event["id"]
    return id_
