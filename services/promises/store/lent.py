"""What another key of the same person has lent to strands, and taken back: append-only, beside the evidence; the greatest number counts."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.chassis.database import Transaction
from services.promises.lending import LentRow

NOT_TAKEN_BACK: Final = (
    " AND (SELECT l.retracted FROM lent l WHERE l.strand = e.strand AND l.event = e.event ORDER BY l.number DESC LIMIT 1) IS NOT TRUE"
)
"""Of rows `e` of evidence: those that are so still."""


async def standing(tx: Transaction, pairs: Sequence[tuple[UUID, UUID]]) -> list[LentRow]:
    """How these (strand, event) stand, of those that were ever lent."""
    rows = await tx.driver.fetch(
        "SELECT DISTINCT ON (l.strand, l.event) l.strand, l.event, l.number, l.retracted FROM unnest($1::uuid[], $2::uuid[]) "
        "k(strand, event) JOIN lent l USING (strand, event) ORDER BY l.strand, l.event, l.number DESC",
        [strand for strand, _ in pairs],
        [event for _, event in pairs],
    )
    return [LentRow(*row) for row in rows]


async def lend(tx: Transaction, rows: Sequence[LentRow]) -> None:
    """Keep what was lent or taken back."""
    if rows:
        columns = [list(each) for each in zip(*rows, strict=True)]
        await tx.driver.execute(
            "INSERT INTO lent (strand, event, number, retracted) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bool[]) "
            "ON CONFLICT DO NOTHING",
            *columns,
        )
