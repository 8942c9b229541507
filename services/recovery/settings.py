"""Settings of the recovery service, beside those of every service."""

from pydantic import Field

from services.chassis.settings import Settings
from services.recovery.domain import Rules


class RecoverySettings(Settings):
    """What recovery alone needs to know."""

    confirmed_by: str = Field(default="customer-confirms", description="the promise that, kept, is the customer's own answer")
    restored_by: frozenset[str] = Field(
        default=frozenset({"no-repeat-failure", "came-back"}), description="the promises that, all kept, show that the customer is back"
    )
    heartbeat_every: float = Field(default=5.0, gt=0, description="seconds between looks at whether all that is committed is published")
    act_attempts: int = Field(default=20, gt=0, description="how often a person's act tries for its lane")

    @property
    def rules(self) -> Rules:
        """The names of the promises that judge a case itself."""
        return Rules(self.confirmed_by, self.restored_by)
