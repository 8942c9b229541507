"""Settings of the promises service, beside those of every service."""

from pydantic import Field

from services.chassis.settings import Seconds, Settings


class PromisesSettings(Settings):
    """What promises alone needs to know."""

    due_at_once: int = Field(default=400, gt=0, description="commitments whose time has come that one transaction judges")
    remembered: int = Field(default=8000, ge=0, description="events of one partition whose strands are kept in memory between batches")
    register_age: Seconds = Field(default=10.0, ge=0, description="the public register may be this old")
    backtests_at_once: int = Field(default=10, gt=0, description="backtests over the journal that may be under way or waiting")
    backtest_events: int = Field(default=300_000, gt=0, description="events of one partition that a backtest over the journal may hold")
