"""Settings of the journey service, beside those of every service."""

from pydantic import Field, SecretStr, field_validator

from services.chassis.settings import Seconds, WatchedSettings

SHORTEST_SECRET = 32


class JourneySettings(WatchedSettings):
    """What journey alone needs to know."""

    clock_lead: Seconds = Field(default=60.0, gt=0, description="how far a live lane may run ahead of our own clock")
    requests_in_flight: int = Field(default=64, gt=0, description="ingest requests served at once; more get a 429")
    feed_interval: Seconds = Field(default=1.0, gt=0, description="from one look at the feeds, and how far they lag, to the next")
    act_attempts: int = Field(default=20, gt=0, description="how often an operator's act tries for its lane")
    status_secret: SecretStr = Field(default=SecretStr(""), description="what status links are signed with; the local stack needs none")

    @field_validator("status_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < SHORTEST_SECRET:
            message = f"at least {SHORTEST_SECRET} characters, drawn at random"
            raise ValueError(message)
        return secret
