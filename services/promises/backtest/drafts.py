"""Backtests of drafts over the running system's own history: makegood.journey, from its beginning to where it ends now.

One partition after the other, since no customer has events in two: what must be held at a time is bounded by the largest.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.keys import read_key
from services.chassis.records import Record
from services.chassis.scan import InOrder, Scan
from services.promises.backtest import Backtest, Report, arrived
from services.promises.backtest.jobs import GivenUpError, Say
from services.promises.catalogue import read_source
from services.promises.compile import Catalogue, Compiled
from services.promises.domain import Blind
from services.promises.lending import HeldBack
from services.promises.settings import PromisesSettings
from services.promises.store.erasure import erased
from services.promises.store.runs import BACKTESTS, Runs
from services.promises.store.sources import published_sources, spots_until

JOURNEY = "makegood.journey"


class TooMuchError(GivenUpError):
    """More events play a part in these promises than one backtest may hold; take fewer promises, or `makegood backtest`."""


class ForgottenMeanwhileError(GivenUpError):
    """A customer was erased while it was read; ask for it again."""


class Row(NamedTuple):
    """One journey event, as a backtest takes it."""

    customer: UUID
    event: dict[str, Any]
    time: datetime
    arrival: datetime


@dataclass(slots=True)
class Draft:
    """What is to be judged: promises, over triggers from `since` on, as of `until`."""

    id: UUID
    catalogue: Catalogue
    since: datetime | None
    until: datetime
    settings: PromisesSettings
    engine: AsyncEngine
    read: int = 0
    total: int = 0
    events: int = 0
    reports: dict[Compiled, Report] = field(default_factory=dict)
    gone: AbstractSet[str] = frozenset()
    """Who was erased: of them nothing counts, though their events lie in Kafka for as long as it keeps any."""
    runs: Runs = BACKTESTS

    async def do(self, say: Say) -> list[dict[str, Any]]:
        """Read all there is, and judge partition by partition."""
        self.reports = {each: Report(each, self.until, 0, 0) for each in self.catalogue}
        self.gone = await erased(self.engine)
        async with Scan(self.settings.kafka, JOURNEY) as scan:
            self.total = scan.total
            for partition in scan.partitions:
                backtest, once = Backtest(self.catalogue), InOrder()
                lent = HeldBack[Row]()
                async for passed, records in scan.records(partition):
                    await asyncio.to_thread(self._feed, backtest, lent, [each for each in records if once(each)])
                    self.read += passed
                    await say()
                await asyncio.to_thread(_take, backtest, lent.rest())
                await self._blind(backtest, partition)
                await asyncio.to_thread(_count, self, backtest)
        if self.gone != await erased(self.engine):
            raise ForgottenMeanwhileError(ForgottenMeanwhileError.__doc__)
        for report in self.reports.values():
            report.events = self.events
        return [report.as_json() for report in self.reports.values()]

    async def _blind(self, backtest: Backtest, partition: int) -> None:
        """Hold what the running system held: what was not read bears on drafts, too."""
        declared = [each for row in await published_sources(self.engine) if (each := read_source(row.row)) is not None]
        silences: dict[str, list[Blind]] = defaultdict(list)
        for spot in await spots_until(self.engine, partition, self.until):
            blind = Blind(spot.start, None if spot.end is None or spot.end > self.until else spot.end, spot.why)
            if spot.customer is not None:
                backtest.hold(spot.customer, blind)
            elif spot.source is not None:
                silences[spot.source].append(blind)
        for source in declared:
            backtest.fall_silent(source, silences[source.name])

    def _feed(self, backtest: Backtest, lent: HeldBack[Row], records: Sequence[Record]) -> None:
        """Take the events that had arrived by then and play a part; for a thread, since it computes."""
        rows = []
        for record in records:
            event = orjson.loads(record.value or b"")
            arrival = datetime.fromisoformat(event["recordedtime"])
            if arrival > self.until or event["customer"] in self.gone:
                continue
            self.events += 1
            if self.catalogue.of(event["type"]):
                row = Row(read_key(event["customer"]), event, datetime.fromisoformat(event["time"]), arrival)
                if not lent.holds(event, row):
                    rows.append(row)
        _take(backtest, rows)
        if backtest.events > self.settings.backtest_events:
            raise TooMuchError(TooMuchError.__doc__)


def _take(backtest: Backtest, rows: Sequence[Row]) -> None:
    if rows:
        backtest.take(arrived(*map(list, zip(*rows, strict=True))))


def _count(draft: Draft, backtest: Backtest) -> None:
    """Judge the commitments of one partition; what came before `since` is evidence, and opens none that counts."""
    for version, report in draft.reports.items():
        report.unreadable += backtest.unreadable[version]
        for verdict in backtest.verdicts(version, draft.until):
            if draft.since is None or verdict.trigger.time >= draft.since:
                report.add(verdict)
