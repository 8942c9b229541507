"""Reads back everything a run has left, in Kafka and in Postgres, as plain rows; shares no code with the product.

Whoever reads a numbered topic applies a lane's record where it is the next one, and this reader does just that.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import asyncpg
import cramjam
from confluent_kafka import Consumer, Message, TopicPartition

Row = dict[str, Any]
RAW: Final = ("makegood.touchpoints", "makegood.acts")
NUMBERED: Final = ("makegood.journey", "makegood.promises", "makegood.recovery")
DEAD: Final = "makegood.deadletters"
REQUIRED: Final = ("specversion", "id", "source", "type", "subject", "time")


@dataclass(slots=True)
class Recorded:
    """What was read, by name of the table that the oracle makes of it."""

    tables: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, name: str, row: Row) -> None:
        """Add one row."""
        self.tables.setdefault(name, []).append(row)

    def save(self, path: Path) -> None:
        """Keep it in a file."""
        with gzip.open(path, "wt") as file:
            file.writelines(f"{json.dumps([name, row])}\n" for name, rows in self.tables.items() for row in rows)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What was kept."""
        found = cls()
        with gzip.open(path, "rt") as file:
            for line in file:
                found.add(*json.loads(line))
        return found


async def read(kafka: str, database: str) -> Recorded:
    """Read the database in one snapshot first, then the topics, which by then hold all that the database says was sent."""
    found = Recorded()
    await _read_database(found, database)
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "oracle",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        for topic in RAW:
            for message in _messages(consumer, topic):
                found.add("raw", _raw_row(message))
        for topic in NUMBERED:
            _follow(found, topic, _messages(consumer, topic))
        for message in _messages(consumer, DEAD):
            found.add("dead", {"origin": _header(message, "makegood-origin"), "digest": _digest(message.value() or b"")})
    finally:
        consumer.close()
    return found


def _messages(consumer: Consumer, topic: str) -> list[Message]:
    """Every record of a topic, up to what is its last now; each partition's in order."""
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    bounds = {each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10) for each in partitions}
    left = {each: high for each, (low, high) in bounds.items() if low < high}
    consumer.assign([TopicPartition(topic, each, bounds[each][0]) for each in left])
    found = []
    while left:
        for message in consumer.consume(1000, timeout=0.05):
            if error := message.error():
                raise RuntimeError(error.str())
            partition, offset = message.partition() or 0, message.offset() or 0
            if offset < bounds[partition][1]:
                found.append(message)
            if offset >= bounds[partition][1] - 1:
                left.pop(partition, None)
    return sorted(found, key=lambda each: (each.partition(), each.offset()))


def _header(message: Message, name: str) -> str | None:
    headers: Any = message.headers()
    return next((value.decode() for key, value in headers or [] if key == name), None)


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()[:16]


def event_key(source: str, id_: str) -> str:
    """The UUID of a CloudEvent's identity: the first 16 bytes of BLAKE2b over source, NUL, id."""
    return str(UUID(bytes=hashlib.blake2b(f"{source}\0{id_}".encode(), digest_size=16).digest()))


def milliseconds(text: str | datetime | None) -> int | None:
    """An instant as milliseconds since 1970."""
    if text is None:
        return None
    instant = datetime.fromisoformat(text) if isinstance(text, str) else text
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _constant(name: str) -> Any:
    raise ValueError(name)


def _raw_row(message: Message) -> Row:
    """One raw record: `kind` is tick, event, or bad where it lacks what every event has."""
    value = message.value() or b""
    row: Row = {"lane": f"{(message.topic() or '').removeprefix('makegood.')}/{message.partition()}", "pos": message.offset()}
    row |= {"stamp": message.timestamp()[1], "digest": _digest(value), "kind": "bad"}
    if _header(message, "made") is not None:
        return row
    try:
        event = json.loads(value, parse_constant=_constant)
        if event["type"] in {"makegood.tick", "source.heartbeat"}:
            return row | {"kind": "tick"}
        if not all(isinstance(event[name], str) and event[name] for name in REQUIRED) or event["type"].startswith("makegood."):
            return row
        return row | {"kind": "event"} | event_row(event)
    except (ValueError, TypeError, KeyError):
        return row


def event_row(event: Row) -> Row:
    """What the oracle looks at of a CloudEvent."""
    data = json.dumps(event.get("data"), sort_keys=True)
    named = {name: event[name] for name in ("id", "type", "subject")}
    due = event["data"].get("due") if isinstance(event.get("data"), dict) else None
    key = event_key(event["source"], event["id"])
    return named | {"event": key, "time": milliseconds(event["time"]), "data": data, "due": milliseconds(due)}


def _follow(found: Recorded, topic: str, messages: Iterable[Message]) -> None:
    """Apply each lane's next record; note what came again, what came otherwise, and what is missing in between."""
    short = topic.removeprefix("makegood.")
    applied: dict[tuple[int, str], list[str]] = {}
    told: dict[tuple[int, str], Row] = {}
    for message in messages:
        lane = _header(message, "lane")
        if lane is None:
            continue
        name, incarnation, number = lane.rsplit("/", 2)
        where = (message.partition() or 0, f"{name}/{incarnation}")
        digests, value, seq = applied.setdefault(where, []), message.value() or b"", int(number)
        stream = told.setdefault(where, {"topic": short, "partition": where[0], "lane": name, "highest": 0, "repeats": 0, "changed": 0})
        stream["highest"] = max(stream["highest"], seq)
        if seq == len(digests) + 1:
            digests.append(_digest(value))
            found.add(f"{short}_topic", _applied_row(short, message, name, seq))
        elif seq <= len(digests):
            stream["repeats"] += 1
            stream["changed"] += digests[seq - 1] != _digest(value)
    for where, stream in told.items():
        found.add("streams", stream | {"applied": len(applied[where])})


def _applied_row(short: str, message: Message, lane: str, seq: int) -> Row:
    event = json.loads(message.value() or b"")
    row: Row = {
        "partition": message.partition(),
        "lane": lane,
        "seq": seq,
        "pos": message.offset(),
        "stamp": message.timestamp()[1],
        "digest": _digest(message.value() or b""),
    }
    row |= {"fact": event["id"], "kind": event["type"].rpartition(".")[2], "customer": event["customer"]}
    match short:
        case "journey":
            copied = bool(event.get("evidenceonly"))
            return row | event_row(event) | {"arrival": milliseconds(event["recordedtime"]), "copied": copied}
        case "promises":
            return row | fact_row(event["data"])
    return row | {"case_id": event["data"]["case"]}


def fact_row(data: Row) -> Row:
    """What the oracle looks at of a fact about a commitment."""
    named = {name: data[name] for name in ("commitment", "promise", "audience", "judgement", "verdict", "was", "decided_by", "reason")}
    times = {"fell_due": milliseconds(data["due"]), "barrier": milliseconds(data["barrier"])}
    return named | times | {"trigger_event": data["trigger"]["event"]}


_TABLES: Final = {
    "journal": "SELECT lane, ordinal, partition, seq, customer, event, time, arrival, copied, body FROM journey.journal",
    "quarantine": "SELECT lane, position AS pos, reason, value FROM journey.quarantine",
    "commitments": "SELECT c.id, p.name AS promise, c.partition, c.customer, c.trigger_event, c.state, c.verdict, c.verdict_state, "
    "c.due AS fell_due FROM promises.commitments c JOIN promises.promises p ON p.id = c.promise",
    "evidence": "SELECT strand, event, arrival FROM promises.evidence",
    "refused": "SELECT partition, position AS pos, reason FROM promises.quarantine",
    "cases": "SELECT id, customer, state FROM recovery.cases",
    "failures": "SELECT commitment, case_id, withdrawn FROM recovery.failures",
    "outbox": "SELECT split_part(topic, '.', 2) AS topic, partition, ordinal, seq, customer, body FROM recovery.outbox",
}
_OUTBOX: Final = "SELECT partition, first, bodies FROM promises.outbox"
_TIMELINE: Final = (
    "SELECT split_part(f.topic, '.', 2) AS topic, f.partition, f.customer, f.place, f.number, p.bodies FROM journey.facts f "
    "JOIN journey.packs p USING (topic, partition, position)"
)
_PROGRESS: Final = (
    "SELECT '{0}' AS service, topic, partition, position, ordinal, published, arrival, "
    "convert_from(state, 'UTF8') AS state FROM {0}.progress"
)


async def _read_database(found: Recorded, url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for row in await connection.fetch(" UNION ALL ".join(_PROGRESS.format(name) for name in ("journey", "promises", "recovery"))):
                found.add("progress", _progress_row(dict(row)))
            for name, query in _TABLES.items():
                found.tables[name] = [_plain(dict(row)) for row in await connection.fetch(query)]
            for row in await connection.fetch(_OUTBOX):
                for seq, body in enumerate(_unpacked(row["bodies"]), row["first"]):
                    named = {"customer": json.loads(body)["customer"], "commitment": json.loads(body)["data"]["commitment"]}
                    found.add("facts", _plain({"partition": row["partition"], "seq": seq, "body": body} | named))
            for row in await connection.fetch(_TIMELINE):
                for body in _unpacked(row["bodies"])[row["place"] :][: row["number"]]:
                    found.add("timeline", _plain({name: row[name] for name in ("topic", "partition", "customer")} | {"body": body}))
    finally:
        await connection.close()


def _unpacked(bodies: bytes) -> list[bytes]:
    """The JSON texts that were compressed together."""
    return bytes(cramjam.zstd.decompress(bodies)).split(b"\n")


def _progress_row(row: Row) -> Row:
    state = json.loads(row.pop("state"))
    counts = {name: state.get("counts", {}).get(name, 0) for name in ("applied", "duplicate", "conflict", "quarantined", "ignored")}
    row["topic"] = row["topic"].removeprefix("makegood.")
    return _plain(row) | counts | {"lane": f"{row['topic']}/{row['partition']}", "seqs": sum(state.get("seqs", []))}


def _plain(row: Row) -> Row:
    """Instants as milliseconds, keys as text, bodies as a digest; of an outbox's touchpoint also its id."""
    plain: Row = {}
    for name, value in row.items():
        if name in {"body", "value"}:
            plain["digest"] = _digest(value or b"")
            if row.get("topic") == "acts":
                plain["event"] = event_row(json.loads(value))["event"]
        else:
            plain[name] = milliseconds(value) if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
    return plain
