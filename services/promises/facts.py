"""What promises writes to Kafka: facts about commitments, and the barrier that a partition has been judged at.

A fact is made for every commitment opened and decided, so its JSON is put together from prepared pieces; the contract
(`contracts/promises.py`) and a test say what it must come to.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from services.chassis.instants import text_of
from services.chassis.packed import pack, unpack
from services.chassis.progress import Progress
from services.chassis.relay import CONTENT_TYPE, MARKER_HEADER, Outgoing
from services.promises.amounts import content_of
from services.promises.commitment import MOVED, NOT_YET, Change, Commitment
from services.promises.compile import Compiled
from services.promises.domain import Blind
from services.promises.store.tables import PackRow

PROMISES = "makegood.promises"
SOURCE = "makegood/promises"
_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost
_QUOTE: Final = '"'
_HURTS: Final = ("broken", "corrected", "at_risk")
"""What says, or may say, that a customer is failed: only there it matters what is at stake."""
PACK = 500
"""Facts in a row of the outbox; whoever wants one of them reads all."""


class Fact(NamedTuple):
    """One fact as it is published."""

    ordinal: int
    customer: UUID | str
    body: bytes


@lru_cache(maxsize=4096)
def _quoted(text: str | None) -> str:
    return orjson.dumps(text).decode()


@lru_cache(maxsize=4096)
def _instant(instant: datetime | None) -> str:
    return "null" if instant is None else f'"{text_of(instant)}"'


def told_of(compiled: Compiled) -> str:
    """The members of a fact's data that are the same for every commitment of a promise version."""
    members = {
        "promise": compiled.name,
        "version": compiled.version,
        "audience": compiled.audience,
        "owner": compiled.owner,
        "component": compiled.promise.component,
        "statement": compiled.statement,
        "playbook": compiled.playbook,
        "severity": compiled.severity,
    }
    return orjson.dumps(members).decode()[1:-1]


def _aside(change: Change) -> str:
    at_stake = "" if change.at_stake is None or change.kind not in _HURTS else f',"at_stake":{_at_stake(change.at_stake)}'
    return at_stake + (',"backfill":true' + _unread(change) if change.backfilled else _unread(change))


@lru_cache(maxsize=4096)
def _at_stake(text: str) -> str:
    return orjson.dumps(content_of(text)).decode()


def _unread(change: Change) -> str:
    if not change.unread:
        return ""
    return f',"unread":{orjson.dumps(unread(change.unread)).decode()}'


def unread(blind: Sequence[Blind]) -> list[dict[str, str | None]]:
    """What was not read, the earliest first: what, since when, and until when, where that is over."""
    return [
        {"what": each.why, "since": text_of(each.start), "until": None if each.end is None else text_of(each.end)}
        for each in sorted(blind, key=lambda each: (each.start, each.why))
    ]


_DISTINCT: Final[Mapping[str, Callable[[Commitment, Change], str]]] = {
    "at_risk": lambda commitment, _: f":{commitment.reason}",
    "held": lambda _, change: f":{text_of(change.as_of)}",
    MOVED: lambda commitment, change: f":{text_of(change.as_of)}:{change.moved_by}:{_instant(commitment.due).strip(_QUOTE)}",
}
"""What tells facts of one kind apart that are said of one commitment with no verdict between them; by the other kinds there is none."""


def fact_body(told: str, commitment: Commitment, change: Change) -> bytes:
    """One fact as a CloudEvent; its id is made of the commitment, the verdict's number and what is said."""
    id_, (kind, as_of, barrier, was, *_) = str(commitment.id), change
    distinct = "" if kind not in _DISTINCT else _DISTINCT[kind](commitment, change)
    decided_by = "null" if commitment.decided_by is None else f'"{commitment.decided_by!s}"'
    trace = "" if commitment.trace is None else f',"traceparent":{_quoted(commitment.trace)}'
    return (
        f'{{"specversion":"1.0","id":"{id_}:{commitment.verdict}:{kind}{distinct}","source":"{SOURCE}",'
        f'"type":"makegood.commitment.{kind}","time":{_instant(as_of)},"customer":"{commitment.customer!s}"{trace},'
        f'"data":{{"commitment":"{id_}",{told},"correlation":{commitment.correlation},'
        f'"trigger":{{"event":"{commitment.trigger_event!s}","id":{orjson.dumps(commitment.trigger_id).decode()},'
        f'"type":{_quoted(commitment.trigger_type)},"time":{_instant(commitment.trigger_time)}}},'
        f'"due":{_instant(commitment.due)},"judgement":"{commitment.state}","verdict":{commitment.verdict},'
        f'"was":{_quoted(was)},"reason":{_quoted(commitment.reason)},"decided_by":{decided_by},'
        f'"barrier":{"null" if barrier == NOT_YET else _instant(barrier)},"segment":{_quoted(commitment.segment)}{_aside(change)}}}}}'
    ).encode()


def fact_record(progress: Progress, fact: Fact) -> Outgoing:
    """One fact for its customer's partition, numbered within the incarnation that sends it."""
    lane = ("lane", b"promises/%d/%d/%d" % (progress.partition, progress.incarnation, fact.ordinal - progress.begun))
    return _new(Outgoing, (PROMISES, progress.partition, str(fact.customer).encode(), fact.body, [lane, CONTENT_TYPE], None))


def packed(progress: Progress, facts: Sequence[Fact]) -> Iterator[PackRow]:
    """Facts that follow each other, as the outbox keeps them."""
    for start in range(0, len(facts), PACK):
        part = facts[start : start + PACK]
        yield PackRow(progress.partition, part[-1].ordinal, part[0].ordinal, progress.incarnation, pack(each.body for each in part))


def unpacked(row: PackRow) -> Iterator[Fact]:
    """The facts in a row of the outbox."""
    for ordinal, body in enumerate(unpack(row.bodies), row.first):
        yield Fact(ordinal, orjson.loads(body)["customer"], body)


def marker(progress: Progress, barrier: datetime) -> Outgoing:
    """What a partition vouches for: the barrier it has been judged at, and its last number."""
    until, seq = text_of(barrier), progress.ordinal - progress.begun
    data = {
        "partition": progress.partition,
        "barrier": until,
        "incarnation": progress.incarnation,
        "seq": seq,
    }
    value = {
        "specversion": "1.0",
        "id": f"{progress.partition}:{progress.incarnation}:{seq}:{until}",
        "source": SOURCE,
        "type": "makegood.promises.progress",
        "time": until,
        "data": data,
    }
    return Outgoing(PROMISES, progress.partition, None, orjson.dumps(value), [CONTENT_TYPE, MARKER_HEADER])
