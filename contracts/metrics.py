"""Metrics as data: what every process may measure, in what unit, under which labels, and what it is called in PromQL.

No label names a customer or holds what one sent: promises, sources, topics and fixed words only.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """How a metric comes to its value."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric: what it is called, how it is counted, in what unit, what it means, and by what it is told apart."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()


class Reading(NamedTuple):
    """A value of one metric; its labels in the order of the declaration."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


TOPIC: Final = "messaging.destination.name"
PARTITION: Final = "messaging.destination.partition.id"
_LANE: Final = (TOPIC, PARTITION)

RECORDS: Final = Metric("makegood.records.applied", Kind.COUNTER, "{record}", "records read from Kafka and applied or absorbed", _LANE)
BATCH_RECORDS: Final = Metric("makegood.batch.size", Kind.HISTOGRAM, "{record}", "records of one batch", (TOPIC,))
BATCH_SECONDS: Final = Metric(
    "makegood.batch.duration", Kind.HISTOGRAM, "s", "from records in hand to effects acknowledged by Kafka", _LANE
)
TRANSACTION_SECONDS: Final = Metric(
    "makegood.transaction.duration", Kind.HISTOGRAM, "s", "of a lane's transaction, from its claim to its commit", (TOPIC,)
)
OUTCOMES: Final = Metric(
    "makegood.outcomes",
    Kind.COUNTER,
    "{outcome}",
    "what became of touchpoints: applied, duplicate, conflict, quarantined, ...",
    ("outcome",),
)
BEHIND: Final = Metric(
    "makegood.feed.behind", Kind.GAUGE, "{record}", "records of a company's topic that a feed has not taken in yet", ("feed", TOPIC)
)
LANE_BEHIND: Final = Metric(
    "makegood.lane.behind", Kind.GAUGE, "{record}", "records of a lane that are there and were not applied yet", _LANE
)
BARRIER_AGE: Final = Metric(
    "makegood.barrier.age",
    Kind.GAUGE,
    "s",
    "from the arrival that a lane has applied, or the barrier it was judged at, to now; live clock only",
    _LANE,
)
OUTBOX: Final = Metric("makegood.outbox.depth", Kind.GAUGE, "{effect}", "effects committed and not yet acknowledged by Kafka", _LANE)
SNAPSHOT: Final = Metric(
    "makegood.snapshot.age", Kind.GAUGE, "s", "since a service's oldest transaction began; what it may still see cannot be cleared away"
)
LOOP_LAG: Final = Metric("makegood.loop.lag", Kind.GAUGE, "s", "the longest that the event loop was late since it was measured last")
VERDICTS: Final = Metric(
    "makegood.verdicts", Kind.COUNTER, "{fact}", "what was said of commitments: opened, at_risk, kept, broken, ...",
    ("promise", "kind"),
)  # fmt: skip
CORRECTIONS: Final = Metric(
    "makegood.corrections", Kind.COUNTER, "{verdict}", "verdicts that superseded another, by what they say now", ("promise", "verdict")
)
HELD: Final = Metric(
    "makegood.commitments.held", Kind.GAUGE, "{commitment}", "commitments not judged for want of what was not read", ("promise",)
)
SILENCE: Final = Metric(
    "makegood.source.silence", Kind.GAUGE, "s", "since when a declared source is silent; 0 where it is heard", ("source",)
)
QUARANTINE: Final = Metric("makegood.quarantine.open", Kind.GAUGE, "{record}", "refused records that nobody has settled", ("reason",))
CASES: Final = Metric("makegood.cases", Kind.GAUGE, "{case}", "cases in work", ("state",))
CASE_AGE: Final = Metric("makegood.case.age", Kind.GAUGE, "s", "since the oldest case in that state was opened", ("state",))
PLEDGES: Final = Metric(
    "makegood.pledges", Kind.COUNTER, "{pledge}", "pledges judged: at_risk (its owner is warned), kept, broken, ...", ("outcome",)
)
DELIVERIES: Final = Metric(
    "makegood.deliveries", Kind.COUNTER, "{attempt}", "attempts to tell people and systems: sent, again, failed", ("kind", "outcome")
)
METRICS: Final = (
    RECORDS, BATCH_RECORDS, BATCH_SECONDS, TRANSACTION_SECONDS, OUTCOMES, BEHIND, LANE_BEHIND, BARRIER_AGE, OUTBOX, SNAPSHOT, LOOP_LAG,
    VERDICTS, CORRECTIONS, HELD, SILENCE, QUARANTINE, CASES, CASE_AGE, PLEDGES, DELIVERIES,
)  # fmt: skip

_UNITS: Final = {"s": "_seconds", "By": "_bytes"}


def in_promql(metric: Metric) -> tuple[str, ...]:
    """The names of its series in Prometheus, as the collector's exporter translates OTLP: unit, then `_total`; a histogram has three."""
    name = label_in_promql(metric.name) + _UNITS.get(metric.unit, "")
    if metric.kind is Kind.HISTOGRAM:
        return tuple(f"{name}_{part}" for part in ("bucket", "sum", "count"))
    return (f"{name}_total",) if metric.kind is Kind.COUNTER else (name,)


def label_in_promql(name: str) -> str:
    """A label's name in Prometheus."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)
