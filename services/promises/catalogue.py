"""The published promise versions at work: made from their stored documents whenever one more is published."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache

from services.chassis.documents import ProblemsFoundError
from services.promises import language
from services.promises.blindness import Source
from services.promises.calendars import Calendar
from services.promises.compile import Catalogue, Compiled
from services.promises.domain import Blind
from services.promises.facts import told_of
from services.promises.language import Known
from services.promises.language.declarations import Promise
from services.promises.store import published
from services.promises.store.sources import SourceRow
from services.promises.store.tables import PromiseRow
from services.promises.strands import Version

log = logging.getLogger(__name__)

MOST_TYPES = 10_000
"""Event types whose promises are remembered; beyond them each is looked up again."""


class Published:
    """Every version with its number in the database, which evidence and commitments name it by."""

    def __init__(
        self, rows: Sequence[PromiseRow], revision: int = 0, declared: Sequence[SourceRow] = (), seeded: Collection[tuple[int, int]] = ()
    ) -> None:
        """Compile the stored documents; a version counts until another of its name, or its retirement, takes effect.

        `seeded` are the versions and partitions whose look-back has been read.
        """
        self.revision = revision
        spans = zip(rows, published.spans_of(rows), strict=True)
        self.by_id = {row.id: _compiled(row, row.document, span.end) for row, span in spans if row.document is not None}
        self.told = {id_: told_of(compiled) for id_, compiled in self.by_id.items()}
        self._ids = {compiled: id_ for id_, compiled in self.by_id.items()}
        self._numbers = {(compiled.name, compiled.version): id_ for id_, compiled in self.by_id.items()}
        self._catalogue = Catalogue(self.by_id.values())
        self._by_type: dict[str, list[tuple[int, Compiled]]] = {}
        self.versions = {id_: Version(id_, each.name, each.version, each.terms) for id_, each in self.by_id.items()}

        self.sources = {each.name: each for row in declared if (each := read_source(row)) is not None and each.heartbeat is not None}
        """Every declared source by its name."""
        self._depends = {
            id_: tuple(name for name, each in self.sources.items() if one.hears(name, each.types)) for id_, one in self.by_id.items()
        }

        self._seeded = frozenset(seeded)
        self._looking_back = {id_: _not_looked_back(each) for id_, each in self.by_id.items() if _waits_for_its_past(each)}
        self._same = {row.id: (row.name, row.document) for row in rows if row.document is not None}

    def waits(self, promise: int, partition: int) -> bool:
        """Whether what had arrived before a version was published is still to be read for it."""
        return promise in self._looking_back and (promise, partition) not in self._seeded

    @property
    def looks_back(self) -> bool:
        """Whether any version does that was published into a running system."""
        return bool(self._looking_back)

    def unread(self, promise: int, partition: int) -> tuple[Blind, ...]:
        """What withholds the verdicts of a version whose look-back is not read yet."""
        return (self._looking_back[promise],) if self._looking_back and self.waits(promise, partition) else ()

    def alike(self, promise: int) -> frozenset[int]:
        """The other versions of the same document, which see the same in an event."""
        return frozenset(id_ for id_, same in self._same.items() if same == self._same[promise] and id_ != promise)

    def number_of(self, name: str, version: int) -> int:
        """The number of a published version."""
        return self._numbers[name, version]

    def always(self, promise: int) -> Compiled:
        """A version as if it had always counted."""
        return Compiled(self.by_id[promise].promise, self.by_id[promise].version)

    def sources_of(self, promise: int) -> tuple[str, ...]:
        """The declared sources whose events may play a part in a promise version."""
        return self._depends[promise]

    def dependents(self, source: str) -> list[int]:
        """The promise versions in which a source's events may play a part; of one that is not declared, whatever it emits."""
        if source not in self.sources:
            return [id_ for id_, one in self.by_id.items() if one.hears(source, ())]
        return [id_ for id_, names in self._depends.items() if source in names]

    def of(self, type_: str) -> list[tuple[int, Compiled]]:
        """The versions in which events of this type can play a part, with their numbers."""
        found = self._by_type.get(type_)
        if found is None:
            found = [(self._ids[each], each) for each in self._catalogue.of(type_)]
            if len(self._by_type) < MOST_TYPES:
                self._by_type[type_] = found
        return found


def _waits_for_its_past(compiled: Compiled) -> bool:
    return compiled.terms.looks_back and compiled.effective_from is not None


def _not_looked_back(compiled: Compiled) -> Blind:
    assert compiled.effective_from is not None
    return Blind(compiled.effective_from, None, f"what came before version {compiled.version} was published is being read")


def read_promise(document: bytes, name: str, calendar: bytes | None = None) -> Promise:
    """The promise of a stored document, and of the stored calendar that it is judged by."""
    known = Known() if calendar is None else Known(dict([read_calendar(calendar)]))
    declared = language.read(document.decode(), name, known)[0].declares
    if not isinstance(declared, Promise):
        message = f"{name} is stored as a promise and is none"
        raise TypeError(message)
    return declared


@lru_cache(maxsize=256)
def read_calendar(document: bytes) -> tuple[str, Calendar]:
    """The calendar of a stored document, under its name; the same one again, since it remembers what was computed with it."""
    read = language.read(document.decode(), "calendar")[0]
    if not isinstance(read.declares, Calendar):
        message = f"{read.name} is stored as a calendar and is none"
        raise TypeError(message)
    return read.name, read.declares


def _compiled(row: PromiseRow, document: bytes, ends: datetime | None) -> Compiled:
    promise = read_promise(document, row.name, row.calendar)
    return Compiled(promise, row.version, effective_from=row.effective_from, superseded_at=ends)


def read_source(row: SourceRow) -> Source | None:
    """The source of a stored document; None, and nobody is held for it, where its calendar has become one that it cannot be heard by."""
    known = Known() if row.calendar is None else Known(dict([read_calendar(row.calendar)]))
    try:
        declared = language.read(row.document.decode(), "source", known)[0].declares
    except ProblemsFoundError as problems:
        log.warning("a source is not judged", extra={"why": str(problems)})
        return None
    return declared if isinstance(declared, Source) else None
