"""Settings of the promises service, beside those of every service."""

from pydantic import Field

from services.chassis.settings import Settings


class PromisesSettings(Settings):
    """What promises alone needs to know."""

    due_at_once: int = Field(default=5000, gt=0, description="commitments whose time has come that one transaction judges")
