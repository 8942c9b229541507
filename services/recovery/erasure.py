"""Forgetting a customer: the words of their cases go, in the lane of their partition; states, figures and the audit's digests stay."""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.customer import CUSTOMERS
from services.chassis.database import Transaction
from services.chassis.keys import named
from services.chassis.progress import Progress
from services.chassis.redaction import impersonal
from services.recovery import store
from services.recovery.domain.folding import fold
from services.recovery.events import erased
from services.recovery.facts import Erased
from services.recovery.store import Sent, attachments, deliveries
from services.recovery.store import erasure as kept

_WORDS: Final = frozenset({"what", "text", "why", "answer", "thanks", "subject", "address", "said", "felt", "segment", "name", "digest"})
"""The members of a case, at any depth, that hold what people wrote, or what may be a word of the customer's own."""
_OF_THE_CUSTOMER: Final = frozenset({"assessment", "vulnerable", "distress"})
"""Those that say what the customer was like."""
_WORD: Final = re.compile(r"""[^\s,;()<>"']+""")
_KEY: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NAME_GONE: Final = "…"


class CustomerErasedError(Exception):
    """The customer was erased: there is nobody left to make it good to, and the case stays as it stood."""


async def forget(tx: Transaction, progress: Progress, gone: Sequence[Erased]) -> list[Sent]:
    """Empty what is kept of these customers' words, and say so; returns the outbox rows."""
    new = await kept.begin(tx, [(each.customer, each.at) for each in gone])
    keys = set(new)
    for customer in new:
        await deliveries.forget(tx, customer, impersonal)
        await attachments.forget(tx, customer)
        cases = await kept.empty_acts(tx, customer)
        for case in cases:
            emptied = fold(case, [each.happened for each in await store.trail_of(tx.connection, case)])
            await kept.rewrite_fold(tx, case, store.CASE.dump_json(emptied))
        await kept.empty_recognitions(tx, customer)
        await kept.rewrite_answers(tx, cases, without_words)
        await kept.rewrite_outbox(tx, progress.partition, customer, impersonal)
        keys.update(cases)
    if keys:
        await kept.rewrite_said_of_others(tx, lambda value: nameless(value, keys))
    return await store.save(tx, progress, [], [erased(each.customer, each.at) for each in gone if each.customer in new])


async def require_known(tx: Transaction, customer: UUID) -> None:
    """Raise `CustomerErasedError` where the customer was erased."""
    if await kept.is_erased(tx, customer):
        raise CustomerErasedError(CustomerErasedError.__doc__)


def nameless(value: Any, keys: Collection[UUID]) -> Any:
    """JSON in which no text names one of these: by the key of a customer or a case, or by the identifier that a key was made of."""
    if isinstance(value, str):
        return _WORD.sub(lambda word: NAME_GONE if _names(word[0], keys) else word[0], value)
    if isinstance(value, dict):
        return {name: nameless(each, keys) for name, each in value.items()}
    return [nameless(each, keys) for each in value] if isinstance(value, list) else value


def _names(word: str, keys: Collection[UUID]) -> bool:
    return named(CUSTOMERS, word.strip(".:!?")) in keys or any(UUID(each) in keys for each in _KEY.findall(word))


def without_words(answer: bytes) -> bytes:
    """A stored answer, which shows a case, without what people wrote."""
    case = orjson.loads(answer)
    return orjson.dumps(_emptied(case))


def _emptied(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name not in _OF_THE_CUSTOMER}
        return {name: "" if name in _WORDS and isinstance(each, str) else _emptied(each) for name, each in kept.items()}
    return [_emptied(each) for each in value] if isinstance(value, list) else value
