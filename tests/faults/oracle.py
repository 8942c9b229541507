"""The independent judge of a fault test: given what arrived and what was promised, what must be; and what is not so.

It shares no code with the product: `recorded` reads, `expected.sql` says what must be, `checks.sql` what is looked for.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from tests.faults.recorded import Recorded, Row
from tests.faults.terms import Promise

HERE: Final = Path(__file__).parent
SCHEMA: Final = {
    "raw": "lane VARCHAR, pos BIGINT, stamp BIGINT, digest VARCHAR, kind VARCHAR, event VARCHAR, type VARCHAR, subject VARCHAR, "
    "time BIGINT, data VARCHAR",
    "journey_topic": "partition INTEGER, lane VARCHAR, seq BIGINT, pos BIGINT, digest VARCHAR, customer VARCHAR, event VARCHAR, "
    "type VARCHAR, subject VARCHAR, time BIGINT, arrival BIGINT, data VARCHAR, due BIGINT, copied BOOLEAN",
    "promises_topic": "partition INTEGER, seq BIGINT, pos BIGINT, digest VARCHAR, fact VARCHAR, kind VARCHAR, customer VARCHAR, "
    "commitment VARCHAR, promise VARCHAR, audience VARCHAR, judgement VARCHAR, verdict INTEGER, was VARCHAR, decided_by VARCHAR, "
    "reason VARCHAR, fell_due BIGINT, barrier BIGINT, trigger_event VARCHAR",
    "recovery_topic": "partition INTEGER, seq BIGINT, pos BIGINT, digest VARCHAR, fact VARCHAR, kind VARCHAR, customer VARCHAR, "
    "case_id VARCHAR",
    "streams": "topic VARCHAR, partition INTEGER, lane VARCHAR, highest BIGINT, applied BIGINT, repeats BIGINT, changed BIGINT",
    "dead": "origin VARCHAR, digest VARCHAR",
    "progress": "service VARCHAR, topic VARCHAR, partition INTEGER, lane VARCHAR, position BIGINT, ordinal BIGINT, published BIGINT, "
    "arrival BIGINT, applied BIGINT, duplicate BIGINT, conflict BIGINT, quarantined BIGINT, ignored BIGINT, seqs BIGINT",
    "journal": "lane VARCHAR, ordinal BIGINT, partition INTEGER, seq BIGINT, customer VARCHAR, event VARCHAR, time BIGINT, "
    "arrival BIGINT, copied BOOLEAN, digest VARCHAR",
    "quarantine": "lane VARCHAR, pos BIGINT, reason VARCHAR, digest VARCHAR",
    "timeline": "topic VARCHAR, partition INTEGER, customer VARCHAR, digest VARCHAR",
    "commitments": "id VARCHAR, promise VARCHAR, partition INTEGER, customer VARCHAR, trigger_event VARCHAR, state VARCHAR, "
    "verdict INTEGER, verdict_state VARCHAR, fell_due BIGINT",
    "evidence": "strand VARCHAR, event VARCHAR, arrival BIGINT",
    "facts": "partition INTEGER, seq BIGINT, customer VARCHAR, commitment VARCHAR, digest VARCHAR",
    "refused": "partition INTEGER, pos BIGINT, reason VARCHAR",
    "cases": "id VARCHAR, customer VARCHAR, state VARCHAR",
    "failures": "commitment VARCHAR, case_id VARCHAR, withdrawn BOOLEAN",
    "outbox": "topic VARCHAR, partition INTEGER, ordinal BIGINT, seq BIGINT, customer VARCHAR, digest VARCHAR, event VARCHAR",
    "promises": 'name VARCHAR, pattern VARCHAR, within BIGINT, correlate VARCHAR, "by" VARCHAR, grace BIGINT, strictly BOOLEAN, '
    "audience VARCHAR, total_at_most BIGINT",
    "roles": "promise VARCHAR, role VARCHAR, type VARCHAR",
}
DERIVED: Final = """
CREATE VIEW barriers AS SELECT partition, arrival AS barrier FROM progress WHERE service = 'promises';
CREATE TABLE said AS SELECT * FROM promises_topic WHERE kind NOT IN ('opened', 'at_risk', 'held', 'moved');
CREATE TABLE broken AS SELECT commitment, arg_max(judgement, seq) = 'broken' AS still FROM said
    WHERE audience = 'customer' GROUP BY commitment HAVING bool_or(judgement = 'broken');
"""
DIFFERENCE: Final = """
WITH one AS ({0}
), other AS ({1}
)
(FROM one EXCEPT ALL FROM other) UNION ALL (FROM other EXCEPT ALL FROM one)
"""
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Findings:
    """What the oracle found: what contradicts each claim, and how much of everything there is."""

    wrong: dict[str, list[tuple[Any, ...]]]
    counts: dict[str, int]

    def by_kind(self) -> dict[str, int]:
        """How much of each kind is wrong: lost, doubled, false, disordered."""
        found: Counter[str] = Counter()
        for claim, kind in kinds().items():
            found[kind] += len(self.wrong.get(claim, []))
        return dict(found)

    def __str__(self) -> str:
        """One table of counts, and below it what is wrong, with the first examples."""
        lines = [f"  {name:<28}{number:>10,}" for name, number in self.counts.items()]
        for claim, rows in self.wrong.items():
            lines.append(f"WRONG ({len(rows)}): {claim}")
            lines += [f"    {row}" for row in rows[:SHOWN]]
        return "\n".join(lines)


def judge(recorded: Recorded, promises: Sequence[Promise]) -> Findings:
    """Compare what was read back with what must be."""
    given = {"promises": [each.row() for each in promises], "roles": [role for each in promises for role in each.roles()]}
    with duckdb.connect() as database, tempfile.TemporaryDirectory() as folder:
        for name, columns in SCHEMA.items():
            database.execute(f"CREATE TABLE {name} ({columns})")
            _load(database, Path(folder) / name, name, given.get(name) or recorded.tables.get(name, []))
        database.execute(DERIVED)
        database.execute((HERE / "expected.sql").read_text())
        wrong = {claim: rows for claim, query in _queries("checks.sql", "CLAIM") if (rows := database.execute(query).fetchall())}
        counts = {name: int(database.execute(query).fetchall()[0][0]) for name, query in _queries("counts.sql", "COUNT")}
    return Findings(wrong, counts)


def kinds() -> dict[str, str]:
    """Under what each claim is counted."""
    found, kind = {}, ""
    for line in (HERE / "checks.sql").read_text().splitlines():
        _, _, title = f"{line}   ".split(" ", 2)
        if line.startswith("-- KIND "):
            kind = title.strip()
        elif line.startswith("-- CLAIM "):
            found[title.strip()] = kind
    return found


def _queries(file: str, word: str) -> Iterator[tuple[str, str]]:
    """The queries of a file by their titles; two that must find the same become one for what only one of them finds."""
    for part in (HERE / file).read_text().split(f"-- {word} ")[1:]:
        title, _, query = part.partition("\n")
        one, *other = query.split("\nSAME AS\n")
        yield title, DIFFERENCE.format(one, other[0]) if other else query


def _load(database: Any, path: Path, table: str, rows: Sequence[Row]) -> None:
    if not rows:
        return
    with path.open("w") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)
    kept = [each.strip().split(" ") for each in SCHEMA[table].split(",")]
    columns = "{" + ", ".join(f"'{name.strip(chr(34))}': '{kind}'" for name, kind in kept) + "}"
    database.execute(f"INSERT INTO {table} SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {columns})")
