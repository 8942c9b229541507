"""What promises writes to Kafka: facts about commitments, and the barrier that a partition has been judged at.

A fact is made for every commitment opened and decided, so its JSON is put together from prepared pieces; the contract
(`contracts/promises.py`) and a test say what it must come to.
"""

from datetime import datetime
from functools import lru_cache

import orjson

from services.chassis.instants import text_of
from services.chassis.progress import Progress
from services.chassis.relay import CONTENT_TYPE, MARKER_HEADER, Outgoing, lane_header
from services.promises.compile import Compiled
from services.promises.store.tables import FactRow
from services.promises.strands import NOT_YET, Change, Commitment

PROMISES = "makegood.promises"
SOURCE = "makegood/promises"


@lru_cache(maxsize=4096)
def _quoted(text: str | None) -> str:
    return orjson.dumps(text).decode()


def _instant(instant: datetime | None) -> str:
    return "null" if instant is None else f'"{text_of(instant)}"'


def told_of(compiled: Compiled) -> str:
    """The members of a fact's data that are the same for every commitment of a promise version."""
    members = {
        "promise": compiled.name,
        "version": compiled.version,
        "audience": compiled.audience,
        "owner": compiled.owner,
        "statement": compiled.statement,
        "playbook": compiled.playbook,
        "severity": compiled.severity,
    }
    return orjson.dumps(members).decode()[1:-1]


def fact_body(told: str, commitment: Commitment, change: Change) -> bytes:
    """One fact as a CloudEvent; its id is made of the commitment, the verdict's number and what is said."""
    id_ = str(commitment.id)
    distinct = f":{commitment.reason}" if change.kind == "at_risk" else ""
    decided_by = "null" if commitment.decided_by is None else f'"{commitment.decided_by}"'
    trace = "" if commitment.trace is None else f',"traceparent":{_quoted(commitment.trace)}'
    barrier = None if change.barrier == NOT_YET else change.barrier
    return (
        f'{{"specversion":"1.0","id":"{id_}:{commitment.verdict}:{change.kind}{distinct}","source":"{SOURCE}",'
        f'"type":"makegood.commitment.{change.kind}","time":{_instant(change.as_of)},"customer":"{commitment.customer}"{trace},'
        f'"data":{{"commitment":"{id_}",{told},"correlation":{commitment.correlation},'
        f'"trigger":{{"event":"{commitment.trigger_event}","id":{orjson.dumps(commitment.trigger_id).decode()},'
        f'"type":{_quoted(commitment.trigger_type)},"time":{_instant(commitment.trigger_time)}}},'
        f'"due":{_instant(commitment.due)},"judgement":"{commitment.state}","verdict":{commitment.verdict},'
        f'"was":{_quoted(change.was)},"reason":{_quoted(commitment.reason)},"decided_by":{decided_by},'
        f'"barrier":{_instant(barrier)},"segment":{_quoted(commitment.segment)}}}}}'
    ).encode()


def fact_record(row: FactRow) -> Outgoing:
    """One fact for its customer's partition, numbered."""
    lane = lane_header(f"promises/{row.partition}", row.incarnation, row.ordinal)
    return Outgoing(PROMISES, row.partition, str(row.customer).encode(), row.body, [CONTENT_TYPE, lane])


def marker(progress: Progress, barrier: datetime) -> Outgoing:
    """What a partition vouches for: the barrier it has been judged at, and its last number."""
    until = text_of(barrier)
    data = {
        "partition": progress.partition,
        "barrier": until,
        "incarnation": progress.incarnation,
        "seq": progress.ordinal,
    }
    value = {
        "specversion": "1.0",
        "id": f"{progress.partition}:{progress.incarnation}:{progress.ordinal}:{until}",
        "source": SOURCE,
        "type": "makegood.promises.progress",
        "time": until,
        "data": data,
    }
    return Outgoing(PROMISES, progress.partition, None, orjson.dumps(value), [CONTENT_TYPE, MARKER_HEADER])
