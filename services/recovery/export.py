"""Everything that recovery keeps of a customer, for whoever asks what is known of them."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.exports import as_lines
from services.recovery import store
from services.recovery.audit import Entry
from services.recovery.domain.case import Case
from services.recovery.store import attachments, deliveries, learning
from services.recovery.store.lists import case_ids

AT_ONCE: Final = 100


async def is_known(engine: AsyncEngine, customer: UUID) -> bool:
    """Whether there ever was a case of this customer."""
    return bool(await case_ids(engine, customer))


def lines(engine: AsyncEngine, customer: UUID) -> AsyncIterator[bytes]:
    """The export, line by line."""
    parts = {
        "case": ("their cases, and every act in them", _cases(engine, customer)),
        "attachment": ("the files of their cases, in pieces: base64, by number", _files(engine, customer)),
        "delivery": ("what was written to them, and told of their cases", _deliveries(engine, customer)),
        "recognition": ("what colleagues did beyond duty in their cases", _recognitions(engine, customer)),
    }
    return as_lines("recovery", {"customer": customer}, parts)


async def _each(engine: AsyncEngine, customer: UUID) -> AsyncIterator[tuple[Case, list[Entry]]]:
    """Every case with its acts."""
    for identity in await case_ids(engine, customer):
        found = await store.case_with_trail(engine, identity)
        if found is not None:
            yield found[0].case, found[1]


async def _cases(engine: AsyncEngine, customer: UUID) -> AsyncIterator[dict[str, Any]]:
    async for case, trail in _each(engine, customer):
        yield {
            "case": case.id, "state": case.state, "severity": case.severity, "opened_at": case.opened_at,
            "failures": [{"promise": each.promise, "what": each.what, "broken_at": each.broken_at} for each in case.failures.values()],
            "owed": [{"kind": kind, "what": each.what, "due": each.due, "state": each.state} for kind, each in case.owed()],
            "acts": [{"kind": each.happened.kind, "at": each.happened.at, "words": dict(each.happened.payload)} for each in trail],
        }  # fmt: skip


async def _files(engine: AsyncEngine, customer: UUID) -> AsyncIterator[dict[str, Any]]:
    async for case, _ in _each(engine, customer):
        for file in case.attachments.values():
            number = 0
            async for piece in attachments.read(engine, file.id):
                yield {"attachment": file.id, "case": case.id, "name": file.name, "number": number, "bytes": b64encode(piece).decode()}
                number += 1


async def _deliveries(engine: AsyncEngine, customer: UUID) -> AsyncIterator[dict[str, Any]]:
    after = None
    while found := await deliveries.of_customer(engine, customer, after, AT_ONCE):
        after = found[-1].due, found[-1].id
        for each in found:
            yield each._asdict() | {"body": each.body.decode()}


async def _recognitions(engine: AsyncEngine, customer: UUID) -> AsyncIterator[dict[str, Any]]:
    for each in await learning.recognitions_about(engine, customer):
        yield {"case": each["case_id"], "at": each["at"], "what": each["what"]}
