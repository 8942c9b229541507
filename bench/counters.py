"""How far the system has come, read from its progress rows and from PostgreSQL's own statistics; changes nothing."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import orjson

TOUCHPOINTS, PROMISES = "makegood.touchpoints", "makegood.promises"
_PROGRESS = (
    "SELECT 'journey' AS service, topic, rev, ordinal, arrival, state FROM journey.progress UNION ALL "
    "SELECT 'promises', topic, rev, ordinal, arrival, state FROM promises.progress UNION ALL "
    "SELECT 'recovery', topic, rev, ordinal, arrival, state FROM recovery.progress"
)
_TABLES = (
    "SELECT schemaname || '.' || relname AS name, "
    "n_tup_ins AS inserted, n_tup_upd AS updated, seq_tup_read AS scanned FROM pg_stat_user_tables "
    "WHERE schemaname IN ('journey', 'promises', 'recovery') AND n_tup_ins + n_tup_upd > 0"
)
_SERVER = (
    "SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS transactions, "
    "(SELECT sessions FROM pg_stat_database WHERE datname = current_database()) AS sessions, "
    "(SELECT wal_bytes::bigint FROM pg_stat_wal) AS wal_bytes, "
    "(SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal') AS wal_syncs"
)


@dataclass(frozen=True, slots=True)
class Stand:
    """How far each stage has come since the beginning, all of it committed."""

    at: float
    journalled: int = 0
    refused: int = 0
    judged: int = 0
    """Touchpoints that promises has judged."""
    facts: int = 0
    """Facts that promises has said."""
    taken: int = 0
    """Facts that both journey and recovery have taken in."""
    barrier: datetime | None = None
    revisions: dict[str, int] = field(default_factory=dict)
    """Transactions on progress rows, by service and topic."""

    @property
    def through(self) -> float:
        """Touchpoints that have gone the whole way: judged, and what was said of them taken in downstream."""
        return self.judged * self.taken / self.facts if self.facts else float(self.judged)

    def lag(self, produced: int) -> float:
        """How many touchpoints are under way."""
        return produced - self.through


async def read_stand(connection: asyncpg.Connection) -> Stand:
    """Where the system stands now."""
    rows = await connection.fetch(_PROGRESS)
    revisions: dict[str, int] = {}
    for row in rows:
        name = f"{row['service']}: {row['topic'].removeprefix('makegood.')}"
        revisions[name] = revisions.get(name, 0) + row["rev"]
    judging = [row for row in rows if row["service"] == "promises"]
    arrivals = [row["arrival"] for row in judging]
    return Stand(
        at=time.monotonic(),
        journalled=sum(sum(orjson.loads(row["state"]).get("seqs", [])) for row in rows if row["topic"] == TOUCHPOINTS),
        refused=sum(orjson.loads(row["state"]).get("counts", {}).get("quarantined", 0) for row in rows),
        judged=sum(_applied(row["state"], "touchpoints/") for row in judging),
        facts=sum(row["ordinal"] for row in judging),
        taken=min(_taken_by(rows, "journey"), _taken_by(rows, "recovery")),
        barrier=None if not arrivals or None in arrivals else min(arrivals),
        revisions=revisions,
    )


def _applied(state: bytes, lanes: str) -> int:
    """Add up the high-water marks of some lanes."""
    marks: dict[str, list[int]] = orjson.loads(state).get("marks", {})
    return sum(seq for lane, (_, seq) in marks.items() if lane.startswith(lanes))


def _taken_by(rows: list[Any], service: str) -> int:
    return sum(_applied(row["state"], "promises/") for row in rows if row["service"] == service and row["topic"] == PROMISES)


@dataclass(frozen=True, slots=True)
class Statistics:
    """PostgreSQL's cumulative statistics; sessions report theirs at most a second late."""

    inserted: dict[str, int]
    updated: dict[str, int]
    scanned: dict[str, int]
    """Rows read without an index."""
    server: dict[str, int]


async def read_statistics(connection: asyncpg.Connection) -> Statistics:
    """The statistics now."""
    tables = await connection.fetch(_TABLES)
    server = await connection.fetchrow(_SERVER)
    assert server is not None
    inserted, updated, scanned = ({row["name"]: row[what] for row in tables} for what in ("inserted", "updated", "scanned"))
    return Statistics(inserted, updated, scanned, dict(server))


async def verdicts(connection: asyncpg.Connection) -> dict[str, tuple[int, int, int]]:
    """What has come of the promises so far: (kept, broken, of these late) by name."""
    rows = await connection.fetch(
        "SELECT p.name, count(*) FILTER (WHERE c.state = 'kept'), count(*) FILTER (WHERE c.state = 'broken'), "
        "count(*) FILTER (WHERE c.state = 'broken' AND c.late) "
        "FROM promises.commitments c JOIN promises.promises p ON p.id = c.promise GROUP BY p.name"
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}
