"""What journey writes to Kafka: journey events, progress markers, ticks and dead letters; and the events of its own."""

import zlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from services.chassis.cloudevents import Event, encode
from services.chassis.instants import text_of, to_milliseconds
from services.chassis.keys import key_of
from services.chassis.progress import Progress
from services.chassis.relay import CONTENT_TYPE, MARKER_HEADER, Outgoing, lane_header
from services.journey.attributes import STAMP
from services.journey.documents.sources import Standing
from services.journey.domain import CUSTOMER_KIND, HEARTBEAT, TICK
from services.journey.feeds.mapping import Refused
from services.journey.picture.discretion import is_discreet
from services.journey.refusals import CUT, FEED_DAY, FEED_DETAIL, FEED_ORIGIN, FEED_PLACE, FEED_REASON, Refusal
from services.journey.store.rows import JournalRow, QuarantineRow

TOUCHPOINTS, ACTS = "makegood.touchpoints", "makegood.acts"
JOURNEY, DEAD_LETTERS = "makegood.journey", "makegood.deadletters"
SOURCE = "makegood/journey"
RELEASED = "releasedtime"
"""Extension attribute of an event that was released from quarantine: when; its `recordedtime` is its original arrival."""
KINSHIP = "kinship"
"""Extension attribute of evidence of another key of the same person: how many statements of who is whom there had been."""
RETRACTED = "retracted"
"""Extension attribute: it is that person's no longer, and as if it had never been evidence."""
DISCREET = "discreet"
"""Extension attribute of an event that is not for everybody: what follows from it is told without what it says."""
OURS = frozenset({"evidenceonly", STAMP, RELEASED, KINSHIP, RETRACTED, DISCREET})
"""Attributes that journey alone may set; `customer` and `recordedtime` are written over in any case."""
_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost
Origin = Sequence[tuple[str, bytes]]
LARGEST_UNMAPPED = 512 * 1024
"""Bytes of a record that is no JSON, of which no more is kept; what is JSON is smaller."""
LARGEST_DEAD_LETTER = 1_000_000
"""Bytes; a record that was compressed on its way to us may be larger than any that Kafka takes from us."""


def stamped(body: dict[str, Any]) -> dict[str, Any]:
    """An event as its emitter sent it, without what is ours to say, and with our word where it is discreet."""
    if not OURS.isdisjoint(body):
        for name in OURS:
            body.pop(name, None)
    if is_discreet(body):
        body[DISCREET] = True
    return body


def journey_record(row: JournalRow) -> Outgoing:
    """One journalled event for its customer's partition, numbered."""
    lane = lane_header(row.lane, row.incarnation, row.seq)
    body = row.body if row.body is not None else orjson.dumps(gone(row))
    return _new(Outgoing, (JOURNEY, row.partition, str(row.customer).encode(), body, [lane, CONTENT_TYPE], None))


def dead_letter(row: QuarantineRow) -> Outgoing:
    """The original record, byte for byte, and where and why it was refused; of one too large, how its value begins."""
    headers = [(name, bytes.fromhex(value)) for name, value in orjson.loads(row.headers)]
    why = [("makegood-origin", f"{row.lane}/{row.position}".encode()), ("makegood-reason", row.reason.encode())]
    key, value = row.key, row.value or b""
    if len(key or b"") + len(value) + sum(len(name) + len(each) for name, each in headers) > LARGEST_DEAD_LETTER:
        cut = dict(headers).get(CUT, str(len(value)).encode())
        return Outgoing(DEAD_LETTERS, 0, None, value[: LARGEST_DEAD_LETTER // 2], [*why, (CUT, cut)])
    return Outgoing(DEAD_LETTERS, 0, key, value, headers + why)


def forwarded(event: Event, partitions: int, timestamp: int | None = None, where: Origin = ()) -> Outgoing:
    """An event on its way in; those of one subject stay in order."""
    key = (event.subject or event.id).encode()
    return Outgoing(TOUCHPOINTS, zlib.crc32(key) % partitions, key, encode(event), [CONTENT_TYPE, *where], timestamp)


def origin(place: str, day: date) -> Origin:
    """Where a feed read a record, and when it came there: one that is refused is known by that when it is sent again."""
    return ((FEED_ORIGIN, place.encode()), (FEED_DAY, day.isoformat().encode()))


def unmapped(refused: Refused, value: bytes, where: Origin, partitions: int, timestamp: int | None = None) -> Outgoing:
    """What a feed could not map, for quarantine: what is known of it, or its bytes, and never an event; it holds whom it names."""
    known = {name: each for name, each in refused.known.items() if name != "specversion"}
    if refused.where != "record":
        known.setdefault("data", refused.record)
        try:
            value = orjson.dumps(known)
        except orjson.JSONEncodeError:
            value = orjson.dumps({name: each for name, each in known.items() if name != "data" and isinstance(each, str)})
    said = {FEED_REASON: refused.reason, FEED_DETAIL: refused.detail, FEED_PLACE: refused.where}
    key = str(known["subject"]).encode() if "subject" in known else where[0][1]
    if refused.where == "record":  # its bytes do not say whose they are
        said["ce_source"] = str(known["source"])
    headers = [CONTENT_TYPE, *where, *((name, text.encode()) for name, text in said.items())]
    return Outgoing(TOUCHPOINTS, zlib.crc32(key) % partitions, key, value[:LARGEST_UNMAPPED], headers, timestamp)


def heartbeat(source: str, now: datetime, partitions: int) -> Outgoing:
    """A sign of life on behalf of a source, all of which has been sent on."""
    value = {"specversion": "1.0", "id": f"feed/{text_of(now)}", "source": source, "type": HEARTBEAT, "time": text_of(now)}
    return Outgoing(TOUCHPOINTS, zlib.crc32(source.encode()) % partitions, None, orjson.dumps(value), [CONTENT_TYPE])


def own_event(type_: str, id_: str, subject: str, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """An event of journey's own."""
    return {
        "specversion": "1.0",
        "id": id_,
        "source": SOURCE,
        "type": type_,
        "subject": subject,
        "time": text_of(at),
        "data": data,
    }


def held(lane: str, refusal: Refusal, customer: UUID) -> dict[str, Any]:
    """A record that names this customer could not be taken: what depends on it is held, not guessed."""
    record = f"{lane}/{refusal.position}"
    read = {"source": refusal.text("source"), "type": refusal.text("type")}
    data = {"record": record, "reason": refusal.wrong.reason, "arrival": text_of(refusal.arrival), **read}
    return own_event("makegood.journey.held", f"{record}:held", f"{CUSTOMER_KIND}{customer}", refusal.arrival, data)


def unheld(record: str, how: str, arrival: datetime, now: datetime, customer: UUID) -> dict[str, Any]:
    """What could not be taken, and arrived then, has been `released` or `dismissed`."""
    data = {"record": record, "how": how, "arrival": text_of(arrival), "until": text_of(now)}
    return own_event("makegood.journey.unheld", f"{record}:unheld", f"{CUSTOMER_KIND}{customer}", now, data)


def erased_id(customer: UUID) -> str:
    """The id of the event that says that a customer is erased."""
    return f"{customer}:erased"


def customer_erased(customer: UUID, reason: str, at: datetime) -> dict[str, Any]:
    """To whoever reads of a customer: forget them, and whatever else comes under this key."""
    return own_event("makegood.customer.erased", erased_id(customer), f"{CUSTOMER_KIND}{customer}", at, {"reason": reason})


def gone(row: JournalRow) -> dict[str, Any]:
    """What is sent in the place of an event that was emptied before it was sent: its number must not be missing."""
    id_ = f"{row.lane}/{row.incarnation}/{row.ordinal}:erased"
    body = own_event("makegood.journey.erased", id_, f"{CUSTOMER_KIND}{row.customer}", row.time, {})
    return body | {"customer": str(row.customer), "recordedtime": text_of(row.arrival), "evidenceonly": row.copied}


def source_event(source: str, standing: Standing) -> dict[str, Any]:
    """A declared source fell silent, or was heard again."""
    kind = "silent" if standing.silent else "returned"
    id_ = f"{key_of(source, text_of(standing.last))}:{kind}"
    data = {"source": source, "since": text_of(standing.since), "last": text_of(standing.last)}
    return own_event(f"makegood.source.{kind}", id_, source_identifier(source), standing.since, data)


def unheard(lane: str, source: str, since: datetime | None, until: datetime, partition: int) -> dict[str, Any]:
    """To a partition: a lane heard a declared source, and had not since an earlier arrival, or ever."""
    id_ = f"{key_of(source, lane, text_of(until))}:unheard:{partition}"
    data = {"source": source, "lane": lane, "since": None if since is None else text_of(since), "until": text_of(until)}
    return own_event("makegood.source.unheard", id_, source_identifier(source), until, data)


def source_retired(source: str, at: datetime, partition: int) -> dict[str, Any]:
    """To a partition: a source is declared no longer, so that nothing waits for it."""
    id_ = f"{key_of(source, text_of(at))}:retired:{partition}"
    return own_event("makegood.source.retired", id_, source_identifier(source), at, {"source": source})


def source_identifier(source: str) -> str:
    """What a source is journalled under, as if it were a thing that somebody has."""
    return f"source:{source}"


def marker(
    progress: Progress, lanes: int, partition: int, seq: int, arrival: datetime, sources: Mapping[str, str] | None = None
) -> Outgoing:
    """What a lane vouches for in one journey partition: its last number there, the arrival applied, when sources were heard last."""
    until = text_of(arrival)
    data: dict[str, Any] = {
        "lane": progress.lane,
        "lanes": lanes,
        "incarnation": progress.incarnation,
        "seq": seq,
        "arrival": until,
    }
    if sources:
        data["sources"] = sources
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
