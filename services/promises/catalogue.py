"""The published promise versions at work: made from their stored documents whenever one more is published."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from services.promises import language
from services.promises.compile import Catalogue, Compiled
from services.promises.declarations import Promise
from services.promises.facts import told_of
from services.promises.store.tables import PromiseRow
from services.promises.strands import Version

MOST_TYPES = 10_000
"""Event types whose promises are remembered; beyond them each is looked up again."""


class Published:
    """Every version with its number in the database, which evidence and commitments name it by."""

    def __init__(self, rows: Sequence[PromiseRow], revision: int = 0) -> None:
        """Compile the stored documents; a version counts until the next of its name takes effect."""
        self.revision = revision
        superseded = _superseded(rows)
        self.by_id = {row.id: _compiled(row, superseded.get(row.id)) for row in rows}
        self.told = {id_: told_of(compiled) for id_, compiled in self.by_id.items()}
        self._ids = {compiled: id_ for id_, compiled in self.by_id.items()}
        self._catalogue = Catalogue(self.by_id.values())
        self._by_type: dict[str, list[tuple[int, Compiled]]] = {}
        self.versions = {id_: Version(id_, each.name, each.version, each.terms) for id_, each in self.by_id.items()}

    def of(self, type_: str) -> list[tuple[int, Compiled]]:
        """The versions in which events of this type can play a part, with their numbers."""
        found = self._by_type.get(type_)
        if found is None:
            found = [(self._ids[each], each) for each in self._catalogue.of(type_)]
            if len(self._by_type) < MOST_TYPES:
                self._by_type[type_] = found
        return found


def read_promise(document: bytes, name: str) -> Promise:
    """The promise of a stored document."""
    declared = language.read(document.decode(), name)[0].declares
    if not isinstance(declared, Promise):
        message = f"{name} is stored as a promise and is none"
        raise TypeError(message)
    return declared


def _compiled(row: PromiseRow, superseded_at: datetime | None) -> Compiled:
    promise = read_promise(row.document, row.name)
    return Compiled(promise, row.version, effective_from=row.effective_from, superseded_at=superseded_at)


def _superseded(rows: Sequence[PromiseRow]) -> dict[int, datetime]:
    by_name: dict[str, list[PromiseRow]] = {}
    for row in sorted(rows, key=lambda each: each.version):
        by_name.setdefault(row.name, []).append(row)
    pairs = [pair for versions in by_name.values() for pair in pairwise(versions)]
    return {old.id: new.effective_from for old, new in pairs if new.effective_from is not None}
