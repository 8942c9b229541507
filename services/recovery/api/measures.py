"""How well it is made good: how long it takes, how many are restored, what it costs, who is lost."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.chassis import csvs
from services.chassis.shares import wilson
from services.recovery.store import measures as store
from services.recovery.store.measures import TIMES, Measured

router = APIRouter(prefix="/v1", tags=["measures"])
EVER: Final = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
_CENT: Final = Decimal("0.01")


class Duration(BaseModel):
    """How long it took from opening on, of those cases that came so far."""

    cases: int
    median_s: float | None
    p90_s: float | None


class Share(BaseModel):
    """A share and where it truly lies, with 95 % confidence; null where it is of none."""

    number: int
    of: int
    share: float | None
    low: float | None
    high: float | None


class Cost(BaseModel):
    """What it cost, in one currency; for each restored customer what all cost, also those that were not."""

    currency: str
    amount: Decimal
    per_restored_customer: Decimal | None


class Measure(BaseModel):
    """One group of cases; what was withdrawn or merged is in none."""

    name: str | None = Field(description="the promise, cause or team; null: no such thing is known of these, or all together")
    cases: int
    time_to_own: Duration
    time_to_first_word: Duration
    time_to_remedy: Duration
    time_to_restored: Duration
    recovered: Share = Field(description="confirmed by the customer, of those confirmed, declined or without an answer")
    restored: Share = Field(description="of those of which it is known; `unknown` is apart")
    unknown: int
    declined: int
    double_deviations: int = Field(description="pledges and compensations that were broken")
    failed_twice: int = Field(description="the cases in which that was")
    repeat_failures: int = Field(description="failures while the healed customer was watched")
    restored_customers: int
    lost_customers: int = Field(description="whose latest judged case is not restored")
    won_back_customers: int = Field(description="whose latest judged case is restored, after it or one before was not")
    costs: list[Cost]


class Measures(BaseModel):
    """The measures, by name."""

    items: list[Measure]


@router.get("/measures", operation_id="get_measures", response_model=Measures, responses=csvs.DESCRIBED)
async def get_measures(
    request: Request,
    by: Literal["all", "promise", "cause", "team"] = "all",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Measures | Response:
    """Measures of the cases opened in a time, `until` apart; a case of two promises, or of an owner in two teams, is in both groups."""
    found = await store.measured(request.app.state.engine, by, since or EVER[0], until or EVER[1])
    measures = [_measure(each) for each in found]
    if csvs.wanted(request):
        return Response(_csv(measures), media_type=csvs.MEDIA_TYPE)
    return Measures(items=measures)


def _measure(found: Measured) -> Measure:
    figures, customers = found.figures, found.figures["restored_customers"]
    own, word, remedy, restored = (_duration(figures, each) for each in TIMES)
    return Measure(
        name=found.name, cases=figures["cases"],
        time_to_own=own, time_to_first_word=word, time_to_remedy=remedy, time_to_restored=restored,
        recovered=_share(figures["confirmed"], figures["answered"]),
        restored=_share(figures["restored"], figures["restored"] + figures["not_restored"]),
        unknown=figures["unknown"], declined=figures["declined"],
        double_deviations=figures["double_deviations"], failed_twice=figures["failed_twice"], repeat_failures=figures["repeats"],
        restored_customers=customers, lost_customers=figures["lost_customers"], won_back_customers=figures["won_back_customers"],
        costs=[Cost(currency=currency, amount=amount, per_restored_customer=_each(amount, customers)) for currency, amount in found.costs],
    )  # fmt: skip


def _duration(figures: dict[str, Any], name: str) -> Duration:
    median, p90 = figures[f"{name}_s"] or (None, None)
    return Duration(cases=figures[f"{name}_cases"], median_s=median, p90_s=p90)


def _share(number: int, of: int) -> Share:
    interval = wilson(number, of)
    return Share(
        number=number, of=of, share=number / of if of else None, low=interval and interval.low, high=interval and interval.high
    )  # fmt: skip


def _each(amount: Decimal, customers: int) -> Decimal | None:
    return (amount / customers).quantize(_CENT) if customers else None


def _csv(measures: Iterable[Measure]) -> bytes:
    """One line a group; each currency has its columns."""
    rows = [_flat(each) for each in measures]
    return csvs.render(list(dict.fromkeys(name for row in [_flat(_NOTHING), *rows] for name in row)), rows)


def _flat(measure: Measure) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in measure:
        if isinstance(value, BaseModel):
            row |= {f"{name}_{part}": each for part, each in value}
        elif not isinstance(value, list):
            row[name] = value
    for cost in measure.costs:
        row |= {f"cost_{cost.currency}": cost.amount, f"cost_per_restored_customer_{cost.currency}": cost.per_restored_customer}
    return row


_NO_TIME, _NO_SHARE = Duration(cases=0, median_s=None, p90_s=None), Share(number=0, of=0, share=None, low=None, high=None)
_NOTHING: Final = Measure(
    name=None, cases=0, time_to_own=_NO_TIME, time_to_first_word=_NO_TIME, time_to_remedy=_NO_TIME, time_to_restored=_NO_TIME,
    recovered=_NO_SHARE, restored=_NO_SHARE, unknown=0, declined=0, double_deviations=0, failed_twice=0, repeat_failures=0,
    restored_customers=0, lost_customers=0, won_back_customers=0, costs=[],
)  # fmt: skip
"""Gives the columns of a table without lines."""
