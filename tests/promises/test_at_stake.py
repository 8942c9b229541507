"""What the customer stands to lose is read from what opened a commitment, and said where they may be failed; it judges nothing."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.documents import ProblemsFoundError
from services.promises.amounts import amount_of
from services.promises.language import read
from tests.driving import NOON
from tests.promises.conftest import Partition, promise, response
from tests.promises.test_compile import compiled, mark

HOUR = timedelta(hours=1)
RESPONSE = "  response: {when: {type: a}, expect: {type: b}, within: 2 hours}\n"
EUROS = RESPONSE + "  recovery: {at_stake: {amount: data.total, currency: EUR}}\n"
THEIR_OWN = {"recovery": {"at_stake": {"amount": "data.total", "currency": "data.currency"}}}


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (2500, "2500 EUR"), (2500.0, "2500.0 EUR"), ("2500.00", "2500.00 EUR"), (0.1 + 0.2, "0.3000 EUR"), (0, "0 EUR"),
        (None, None), (True, None), (-1, None), ("much", None), ("1_000", None), ("-5", None), ([1], None), (1e15, None), ("9" * 13, None),
    ],
)  # fmt: skip
def test_an_amount_is_an_exact_decimal_and_what_is_none_says_nothing(total: Any, said: str | None) -> None:
    assert mark(compiled(EUROS), "a", {"total": total}).at_stake == said


def test_the_currency_may_be_a_field_and_evidence_says_nothing() -> None:
    version = compiled(EUROS.replace("EUR", "data.currency"))
    assert mark(version, "a", {"total": 5, "currency": "VES"}).at_stake == "5 VES"
    assert [mark(version, "a", {"total": 5, "currency": each}).at_stake for each in ("euros", None, 5)] == [None, None, None]
    assert mark(version, "b", {"total": 5, "currency": "VES"}).at_stake is None


@given(st.decimals(min_value=0, max_value=Decimal("999999999999.9999"), places=4))
def test_no_cent_is_lost_of_what_is_written_as_a_decimal(amount: Decimal) -> None:
    assert amount_of(f"{amount:f}") == f"{amount:f}"


@pytest.mark.parametrize(
    ("at_stake", "complaint"),
    [
        ("{amount: data.total}", "needs `currency`"),
        ("{currency: EUR}", "needs `amount`"),
        ("{amount: total, currency: EUR}", "`total` is not a path"),
        ("{amount: data.total, currency: euros}", "`euros` is not a path"),
        ("{amount: data.total, currency: EUR, of: x}", "no key `of`"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_place(at_stake: str, complaint: str) -> None:
    head = "apiVersion: makegood/v1\nkind: Promise\nmetadata: {name: p, owner: o}\nspec:\n  statement: s\n"
    with pytest.raises(ProblemsFoundError) as wrong:
        read(head + RESPONSE + f"  recovery: {{at_stake: {at_stake}}}\n", "p.yaml")
    (finding,) = wrong.value.findings
    assert (finding.line, complaint in finding.message) == (7, True), finding


async def told(lane: Partition) -> dict[str, Any]:
    await lane.deliver()
    return {each["type"].removeprefix("makegood.commitment."): each["data"].get("at_stake") for each in await lane.facts()}


@pytest.mark.parametrize("anew", [False, True])
async def test_a_break_and_a_warning_say_it_and_nothing_else_does(
    partition: Callable[..., Partition], engine: AsyncEngine, *, anew: bool
) -> None:
    """Breaks if it is lost where the commitment is read back by another owner before it breaks."""
    await promise(engine, "in-time", {"response": response(), "warn": ["50%"]} | THEIR_OWN)
    lane = await partition().start()
    lane.event("placed", data={"total": 2500, "currency": "EUR"})
    lane.marker(NOON + HOUR)
    await lane.deliver()
    if anew:
        await lane.start()
    lane.marker(NOON + 3 * HOUR)
    much = {"amount": "2500", "currency": "EUR"}
    assert await told(lane) == {"opened": None, "at_risk": much, "broken": much}
    lane.event("delivered", NOON + HOUR, NOON + 4 * HOUR)
    assert (await told(lane))["corrected"] == much


async def test_a_clock_that_starts_again_keeps_what_its_trigger_said(partition: Callable[..., Partition], engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response(), "reset": {"type": "moved"}} | THEIR_OWN)
    lane = await partition().start()
    lane.event("placed", data={"total": "80.50", "currency": "USD"})
    lane.event("moved", NOON + HOUR)
    lane.marker(NOON + 5 * HOUR)
    assert (await told(lane))["broken"] == {"amount": "80.50", "currency": "USD"}
