"""What journey writes to Kafka: journey events, progress markers, ticks and dead letters."""

from datetime import datetime

import orjson

from services.chassis.instants import text_of, to_milliseconds
from services.chassis.progress import Progress
from services.chassis.relay import CONTENT_TYPE, MARKER_HEADER, Outgoing, lane_header
from services.journey.domain import TICK
from services.journey.store import JournalRow, QuarantineRow

TOUCHPOINTS, ACTS = "makegood.touchpoints", "makegood.acts"
JOURNEY, DEAD_LETTERS = "makegood.journey", "makegood.deadletters"
SOURCE = "makegood/journey"
LARGEST_DEAD_LETTER = 1_000_000
"""Bytes; a record that was compressed on its way to us may be larger than any that Kafka takes from us."""


def journey_record(row: JournalRow) -> Outgoing:
    """One journalled event for its customer's partition, numbered."""
    lane = lane_header(row.lane, row.incarnation, row.seq)
    return Outgoing(JOURNEY, row.partition, str(row.customer).encode(), row.body, [CONTENT_TYPE, lane])


def dead_letter(row: QuarantineRow) -> Outgoing:
    """The original record, byte for byte, and where and why it was refused; of one too large, how its value begins."""
    headers = [(name, bytes.fromhex(value)) for name, value in orjson.loads(row.headers)]
    why = [("makegood-origin", f"{row.lane}/{row.position}".encode()), ("makegood-reason", row.reason.encode())]
    key, value = row.key, row.value or b""
    if len(key or b"") + len(value) + sum(len(name) + len(each) for name, each in headers) > LARGEST_DEAD_LETTER:
        return Outgoing(DEAD_LETTERS, 0, None, value[: LARGEST_DEAD_LETTER // 2], [*why, ("makegood-cut", str(len(value)).encode())])
    return Outgoing(DEAD_LETTERS, 0, key, value, headers + why)


def marker(progress: Progress, lanes: int, partition: int, seq: int, arrival: datetime) -> Outgoing:
    """What a lane vouches for in one journey partition: its last number there, and the arrival applied."""
    until = text_of(arrival)
    data = {
        "lane": progress.lane,
        "lanes": lanes,
        "incarnation": progress.incarnation,
        "seq": seq,
        "arrival": until,
    }
    value = {
        "specversion": "1.0",
        "id": f"{progress.lane}:{progress.incarnation}:{partition}:{seq}:{until}",
        "source": SOURCE,
        "type": "makegood.journey.progress",
        "time": until,
        "data": data,
    }
    return Outgoing(JOURNEY, partition, None, orjson.dumps(value), [CONTENT_TYPE, MARKER_HEADER])


def tick(topic: str, partition: int, now: datetime) -> Outgoing:
    """A tick for one raw lane; on the replay clock its timestamp is what moves the lane."""
    value = {
        "specversion": "1.0",
        "id": f"{topic}/{partition}/{now.isoformat()}",
        "source": SOURCE,
        "type": TICK,
        "time": text_of(now),
    }
    return Outgoing(topic, partition, None, orjson.dumps(value), [CONTENT_TYPE], to_milliseconds(now))
