"""Makes the rows of `commitments` again out of what is append-only, and says where those in the table are not so.

Where each column comes from:

* out of the facts in the outbox, the first of which says `opened`: id, partition, strand (by customer, the promise's
  `correlate` and correlation), customer, correlation, promise, trigger_event, trigger_id, trigger_type, trigger_time,
  segment; out of the last one verdict and trace, out of the last verdict among them verdict_state, out of all said;
* where `open: first` opened it, out of the evidence: promise, the trigger's four columns and segment, since an earlier
  trigger that arrives late moves them without a word;
* judged anew by all evidence and blind intervals at the partition's barrier: state, reason, due, sayable, next_at, settled,
  decided_by, late, standing; wake is next_at, where another that is not later does as well.

Two columns cannot always be made as they were. What is blind from some time on, and events behind `settled`, move `sayable` without
the rows being judged for it; and of what is held, `next_at`, to a later time. Both are made as they are known now; there a stored
`sayable`, and an earlier `next_at`, at which nothing will be found, do not count as different.

A judgement that is news and was not said yet is left to the partition's owner, who says it: its row is due at once.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.keys import read_key
from services.chassis.progress import Progress
from services.chassis.turns import take_turn
from services.promises.blindness import BlindSpots, customer_subject, source_subject
from services.promises.catalogue import Published
from services.promises.commitment import MOVED, NOT_YET, Change, Commitment
from services.promises.correlations import UNCORRELATED, canonical, strand_of
from services.promises.domain import Blind, State
from services.promises.facts import unpacked
from services.promises.handlers import JOURNEY, TURNS
from services.promises.intake import barrier_in
from services.promises.pool import BlindTo, Pool
from services.promises.store import blind_spots, catalogue_revision, read_evidence, read_promises
from services.promises.store import rebuild as store
from services.promises.store.erasure import erased
from services.promises.store.lookback import read_seeded
from services.promises.store.marks import marks_from_json
from services.promises.store.rebuild import Said, Scratch
from services.promises.store.sources import read_sources
from services.promises.store.tables import PackRow
from services.promises.strands import Origin

STRANDS_AT_ONCE: Final = 500

OPENED: Final = "opened"
NO_VERDICT: Final = (OPENED, "at_risk", "held")
NOT_OF_ROWS: Final = ("rejudged", MOVED)
"""A second verdict, which stands beside the row, and due times, which are judged anew."""
_COMMITMENT: Final = "makegood.commitment."
_KIND: Final = len(_COMMITMENT)
_JUDGED: Final = ("state", "reason", "due", "sayable", "next_at", "settled", "decided_by", "late", "standing")
_COLUMNS: Final = [each.name for each in fields(Commitment)]


class Difference(NamedTuple):
    """What is not as it is made again: `missing` and `superfluous` rows, and `different` ones with (column, stored, made)."""

    commitment: UUID
    what: str
    columns: tuple[tuple[str, object, object], ...] = ()


def said_in(published: Published, ordinal: int, body: bytes, erased: AbstractSet[str] = frozenset()) -> Said | None:
    """What a row is made of in one fact; None where it is none of its."""
    fact = orjson.loads(body)
    kind, data = fact["type"][_KIND:], fact["data"]
    if kind in NOT_OF_ROWS or not fact["type"].startswith(_COMMITMENT) or fact["customer"] in erased:
        return None
    promise = published.number_of(data["promise"], data["version"])
    correlation = canonical(data["correlation"]) or UNCORRELATED
    strand = strand_of(read_key(fact["customer"]), published.by_id[promise].correlate_text, correlation)
    trigger = data["trigger"]
    return Said(
        strand, read_key(data["commitment"]), ordinal, kind, promise, read_key(fact["customer"]), correlation, read_key(trigger["event"]),
        trigger["id"], trigger["type"], datetime.fromisoformat(trigger["time"]), data["segment"], _instant(data["due"]),
        data["judgement"], data["reason"], read_key(data["decided_by"]) if data["decided_by"] else None, data["verdict"],
        fact.get("traceparent"),
    )  # fmt: skip


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def as_said(partition: int, facts: Iterable[Said]) -> list[Commitment]:
    """The commitments that facts tell of, each as it was last said; facts of one stand together, in their order."""
    found = []
    for _, own in groupby(facts, key=lambda each: (each.strand, each.commitment)):
        told = list(own)
        opened = next((each for each in told if each.kind == OPENED), None)
        if opened is not None:
            found.append(_row(partition, opened, told))
    return found


def _row(partition: int, opened: Said, told: Sequence[Said]) -> Commitment:
    last = told[-1]
    verdict = next((each.state for each in reversed(told) if each.kind not in NO_VERDICT), None)
    return Commitment(
        id=opened.commitment, partition=partition, promise=opened.promise, strand=opened.strand, customer=opened.customer,
        correlation=opened.correlation, trigger_event=opened.trigger_event, trigger_id=opened.trigger_id,
        trigger_type=opened.trigger_type, trigger_time=opened.trigger_time, state=last.state, reason=last.reason, due=last.due,
        sayable=None, next_at=None, wake=None, settled=None, decided_by=last.decided_by, late=False, standing=False, segment=opened.segment,
        verdict=last.verdict, verdict_state=verdict if verdict is not None and State(verdict).decided else None, trace=last.trace,
        said="".join(f" {each.ordinal}" for each in told),
    )  # fmt: skip


def make_again(pool: Pool, commitments: Iterable[Commitment]) -> None:
    """Put rows that stand as they were last said where all that the pool has in hand has them."""
    for each in commitments:
        before = replace(each)
        if not pool.again(each):
            for name in _JUDGED:
                setattr(each, name, getattr(before, name))
            each.next_at = pool.barrier
        each.wake = each.next_at


def differences(
    made: Iterable[Commitment], stored: Mapping[UUID, Commitment], barrier: datetime, hazy: Collection[UUID] = ()
) -> list[Difference]:
    """Where the stored rows are not as they are made again; what the hazy ones have may be older."""
    found = []
    wanted = {each.id: each for each in made}
    for id_, each in wanted.items():
        row = stored.get(id_)
        if row is None:
            found.append(Difference(id_, "missing"))
        elif columns := tuple(_different(row, each, barrier, hazy=id_ in hazy)):
            found.append(Difference(id_, "different", columns))
    return found + [Difference(id_, "superfluous") for id_ in stored if id_ not in wanted]


def _different(row: Commitment, made: Commitment, barrier: datetime, *, hazy: bool) -> Iterable[tuple[str, object, object]]:
    apart: Collection[str] = {"sayable"} if hazy else ()
    if hazy and row.next_at is not None and made.next_at is not None and row.next_at < made.next_at:
        apart = {"sayable", "next_at"}
    if row.next_at is not None and row.next_at <= barrier:
        apart = _JUDGED  # its owner is about to judge it
    for name in _COLUMNS:
        stored, anew = getattr(row, name), getattr(made, name)
        if stored != anew and name not in apart and not (name == "wake" and _is_looked_at_in_time(row)):
            yield name, stored, anew


def _is_looked_at_in_time(row: Commitment) -> bool:
    return row.next_at is None or (row.wake is not None and row.wake <= row.next_at)


class Made(NamedTuple):
    """Rows made again, those that cannot be since their trigger is no longer in evidence, and what differs from both."""

    rows: list[Commitment]
    unsupported: list[Commitment]
    found: list[Difference]


class Rebuild:
    """One partition's rows made again, some strands at a time; whoever judges it meanwhile notices, and goes on."""

    def __init__(self, engine: AsyncEngine, partition: int) -> None:
        """Nothing is read yet."""
        self._engine, self._partition = engine, partition
        self._published = Published([])
        self._copied = 0
        self._erased: AbstractSet[str] = frozenset()
        """Whose rows stay as they are: what they were made of is gone."""
        self.rows = self.unsupported = 0
        """Those made again so far, and those that stay as they are."""

    async def run(self, *, check: bool) -> AsyncIterator[Difference]:
        """Yield where the rows are not as they are made again, and put them right unless this is a check."""
        self._erased = await erased(self._engine, self._partition)
        async with self._engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            session = Transaction(connection, driver, ())
            async with Scratch(driver) as scratch:
                after = UUID(int=0)
                await self._copy(session, scratch)
                while strands := await scratch.strands(self._partition, after, STRANDS_AT_ONCE):
                    await self._copy(session, scratch)
                    told, after = await scratch.of(strands), strands[-1]
                    async with driver.transaction(isolation="repeatable_read", readonly=True):  # as of one moment, in nobody's way
                        barrier = barrier_in(*await store.standing_of(driver, JOURNEY, self._partition))
                        made = await self._make(session, barrier, strands, told)
                    self.rows += len(made.rows)
                    self.unsupported += len(made.unsupported)
                    for each in made.found if check or not made.found else await self._put_right(strands, told):
                        yield each

    async def _copy(self, session: Transaction, scratch: Scratch) -> None:
        """Copy what was said since the last time; nothing in the outbox ever changes."""
        while packs := await store.packs(session.driver, self._partition, self._copied):
            await self._know_versions(session)
            await scratch.add(self._said(packs))
            self._copied = packs[-1].last

    def _said(self, packs: Iterable[PackRow]) -> list[Said]:
        facts = ((fact.ordinal, fact.body) for row in packs for fact in unpacked(row) if fact.ordinal > self._copied)
        return [said for ordinal, body in facts if (said := said_in(self._published, ordinal, body, self._erased)) is not None]

    async def _know_versions(self, tx: Transaction) -> None:
        """What is published; no fact names a version that is not."""
        revision = await catalogue_revision(tx)
        if revision != self._published.revision:
            declared, seeded = await read_sources(tx.driver), await read_seeded(tx.driver)
            self._published = Published(await read_promises(tx.driver), revision, declared, seeded)

    async def _put_right(self, strands: Sequence[UUID], told: Sequence[Said]) -> list[Difference]:
        """Make the rows of some strands anew as the partition's owner for a moment; the owner before reads all again."""

        async def work(tx: Transaction, progress: Progress) -> list[Difference]:
            made = await self._make(tx, barrier_in(progress.state, progress.arrival), strands, told)
            wrong = {each.commitment for each in made.found}
            await store.replace_rows(tx, wrong, [each for each in made.rows if each.id in wrong])
            return made.found

        return await take_turn(self._engine, JOURNEY, self._partition, TURNS, work)

    async def _make(self, tx: Transaction, barrier: datetime | None, strands: Sequence[UUID], told: Sequence[Said]) -> Made:
        await self._know_versions(tx)
        told = [*told, *await self._said_since(tx.driver, set(strands))]
        commitments = as_said(self._partition, sorted(told, key=lambda each: (each.strand, each.commitment, each.ordinal)))
        blind_to = await self._blind_to(tx, commitments)
        pool = Pool(self._partition, self._published.versions, barrier or NOT_YET, _tell_nobody, blind_to)
        evidence = await read_evidence(tx, {each.strand: NOT_YET for each in commitments})
        pool.load(commitments, ((row.strand, row.event, Origin(row.id, row.type), marks_from_json(row)) for row in evidence))
        made = [each for each in commitments if pool.holds(each)]
        left = [each for each in commitments if not pool.holds(each)]
        make_again(pool, made)
        rows = {each.id: each for each in await store.rows_of(tx, strands, [each.id for each in commitments])}
        for each in left:
            rows.pop(each.id, None)
        hazy = {each.id for each in made if each.settled is not None or blind_to(each, NOT_YET)}
        return Made(made, left, differences(made, rows, pool.barrier, hazy))

    async def _said_since(self, driver: Driver, strands: set[UUID]) -> list[Said]:
        """What was said of these strands between the copy and now."""
        found: list[Said] = []
        copied = self._copied
        while packs := await store.packs(driver, self._partition, copied):
            found += [each for each in self._said(packs) if each.strand in strands]
            copied = packs[-1].last
        return found

    async def _blind_to(self, tx: Transaction, commitments: Sequence[Commitment]) -> BlindTo:
        """What was not read that may bear on these commitments."""
        customers = {each.customer for each in commitments}
        subjects = [*map(customer_subject, customers), *map(source_subject, self._published.sources)]
        spots = BlindSpots(await blind_spots(tx, self._partition, subjects, NOT_YET))

        def blind_to(commitment: Commitment, arrival: datetime) -> tuple[Blind, ...]:
            missed = self._published.unread(commitment.promise, self._partition)
            return missed + spots.of(commitment.customer, self._published.sources_of(commitment.promise), arrival)

        return blind_to


def _tell_nobody(_commitment: Commitment, _change: Change) -> None:
    """What is made again has been said."""


def as_json(difference: Difference) -> dict[str, Any]:
    """A difference as one line of JSON."""
    columns = {name: {"stored": stored, "made": made} for name, stored, made in difference.columns}
    return {"commitment": difference.commitment, "what": difference.what} | ({"columns": columns} if columns else {})
