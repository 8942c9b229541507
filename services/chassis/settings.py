"""Settings every service reads from its environment (`MAKEGOOD_*`); nothing is read at import."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LOCAL = "local"
LOCAL_ISSUER = "http://makegood.local"
"""Who issues the tokens of the local stack, where anybody can be anybody."""


Seconds = Annotated[float, Field(json_schema_extra={"unit": "seconds"})]
Bytes = Annotated[int, Field(json_schema_extra={"unit": "bytes"})]


class Clock(StrEnum):
    """Whose time moves the lanes: the broker's (`live`) or the sender's (`replay`)."""

    LIVE = "live"
    REPLAY = "replay"


class Settings(BaseSettings):
    """What a process needs to know of its surroundings."""

    model_config = SettingsConfigDict(env_prefix="MAKEGOOD_", extra="ignore", frozen=True)

    env: str = Field(default="production", description="`local` allows the local stack's own token issuer")
    clock: Clock = Field(default=Clock.LIVE, description="whose time moves the lanes: the broker's, or the sender's")
    kafka: str = Field(description="bootstrap address, host:port")
    database: str = Field(description="postgresql://user:password@host:port/database")
    http_host: str = Field(default="127.0.0.1", description="address that is listened at; `0.0.0.0` is every one of the machine's")
    http_port: int = Field(default=8080, ge=0, le=65535, description="port that is listened at; 0 takes a free one")
    jwks: Path | None = Field(default=None, description="file with the public keys tokens are checked against")
    jwks_url: str | None = Field(default=None, description="address of these keys at the issuer, instead of a file; https outside `local`")
    issuer: str = Field(default=LOCAL_ISSUER, description="who issues tokens, as they name themselves in `iss`")
    audience: str = Field(default="makegood", description="whom tokens are for: `aud`")
    headers_within: Seconds = Field(default=10.0, gt=0, description="whoever takes longer to say what they want is let go")
    body_within: Seconds = Field(default=60.0, gt=0, description="whoever takes longer to send a body is refused")
    stalled_for: Seconds = Field(default=60.0, gt=0, description="whoever takes nothing of an answer for so long is let go")
    rate: float = Field(default=500.0, ge=0, description="requests a second that one principal may make at each process; 0: no limit")
    burst: int = Field(default=2000, gt=0, description="so many at once, where they made fewer before")
    log_level: str = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`, and what is worse")
    traces: str = Field(default="none", description="`none`, `otlp`, or the path of a JSON Lines file")
    measure_every: Seconds = Field(default=15.0, gt=0, description="with `traces` to `otlp`, metrics are sampled and sent this often")
    effective_after: Seconds = Field(default=300.0, ge=0, description="how long after publication a version takes effect")

    session_timeout: Seconds = Field(default=10.0, gt=0, description="a silent member leaves its group after this")
    batch_records: int = Field(default=4000, gt=0, description="records taken from one partition at a time")
    lanes_at_once: int = Field(default=4, gt=0, description="lanes of one process that have a transaction open at a time")
    pace: Seconds = Field(default=0.2, ge=0, description="a consume loop takes at least this long, so that batches are worth a commit")
    marker_interval: Seconds = Field(default=0.2, gt=0, description="progress markers are sent this often")
    tick_after: Seconds = Field(default=0.5, gt=0, description="a lane silent for this long gets a tick")
    flush_interval: Seconds = Field(default=1.0, gt=0, description="positions that moved without effects are saved this often")
    watchdog_timeout: Seconds = Field(default=60.0, gt=0, description="a consume loop that makes no step for this long ends its process")
    drain_timeout: Seconds = Field(default=10.0, gt=0, description="how long a stopping process may take to finish")
    takeover_after: Seconds = Field(default=5.0, gt=0, description="wait for a partition's row before its holder is terminated")

    @property
    def effective_delay(self) -> timedelta:
        """How long after publication a promise version takes effect."""
        return timedelta(seconds=self.effective_after)


class WatchedSettings(Settings):
    """What a service needs to know that tells those who watch it as it goes on."""

    watchers: int = Field(default=1000, gt=0, description="who watch as it goes on, at once; more get a 429")
    live_pause: Seconds = Field(default=0.5, gt=0, description="from one look for what they are to be told to the next")
    live_heartbeat: Seconds = Field(default=15.0, gt=0, description="after which they are told that nothing has happened")
