"""Settings of the recovery service, beside those of every service."""

from datetime import timedelta
from typing import Self, get_args

from pydantic import Field, SecretStr, model_validator

from services.chassis.settings import Bytes, Seconds, WatchedSettings
from services.recovery.domain.people import Limits
from services.recovery.domain.playbook import Playbook, plain
from services.recovery.domain.voice import Restraint
from services.recovery.files import MediaType


class RecoverySettings(WatchedSettings):
    """What recovery alone needs to know."""

    confirmed_by: str = Field(
        default="customer-confirms", description="the promise that, kept, is the customer's own answer; a playbook may name another"
    )
    restored_by: frozenset[str] = Field(
        default=frozenset({"no-repeat-failure", "came-back"}),
        description="the promises that, all kept, show that the customer is back; a playbook may name others",
    )
    heartbeat_every: Seconds = Field(
        default=5.0, gt=0, description="from one look at whether all that is committed is published to the next"
    )
    act_attempts: int = Field(default=20, gt=0, description="how often a person's act tries for its lane")

    contacts: int = Field(default=2, gt=0, description="how often a customer is spoken to at most, over all cases")
    contacts_per: timedelta = Field(default=timedelta(days=1), gt=timedelta(0), description="within how long, as in `P1D`")
    most_cases: int = Field(default=40, gt=0, description="cases in work that one person may own; more are refused")
    most_weight: int = Field(default=80, gt=0, description="their weight: low 1, medium 2, high 4, critical 8")
    warn_at: float = Field(default=0.8, gt=0, le=1, description="from this share of either on, whoever takes a case is warned")
    rest_after_hard: timedelta = Field(default=timedelta(days=1), description="after a hard case ended nobody is given another one")

    cases_a_day: float = Field(default=0, ge=0, description="how many cases people put right a day, where the last days do not show it")

    @property
    def limits(self) -> Limits:
        """How much one person may carry."""
        return Limits(self.most_cases, self.most_weight, self.warn_at, self.rest_after_hard)

    mail_server: str | None = Field(
        default=None, description="smtp://user:password@host:port (with STARTTLS where it is offered) or smtps://; without it e-mail waits"
    )
    mail_from: str = Field(default="makegood@localhost", description="who e-mails come from")
    directory: dict[str, str] = Field(
        default={}, description="where people and roles that playbooks name are reached: e-mail addresses, as JSON"
    )
    channels: dict[str, SecretStr] = Field(
        default={}, description="where else playbooks tell: URLs of apprise by the names that `channel` and `tell` use, as JSON"
    )
    webhooks_to_loopback: bool = Field(default=False, description="lets webhooks go to this machine itself, over http too")
    delivery_attempts: int = Field(default=12, gt=0, description="how often something is tried to be delivered")

    attachment_bytes: Bytes = Field(default=10 * 2**20, gt=0, le=100 * 2**20, description="how large a file of a case may be")
    attachment_types: frozenset[MediaType] = Field(
        default=frozenset(get_args(MediaType)), description="what files may be, by what is in them; as JSON"
    )
    attachment_scanner: str | None = Field(
        default=None,
        description="a command that reads a file and ends with 0 or, where it found something, 1; or a URL that answers 2xx or 422; "
        "`none` keeps files unscanned, and without it none is taken",
    )
    scan_seconds: Seconds = Field(default=30.0, gt=0, description="how long the scanner may take")

    @model_validator(mode="after")
    def _reach_each_one_way(self) -> Self:
        if twice := sorted(self.channels.keys() & self.directory.keys()):
            message = f"{', '.join(twice)}: a name is somebody's address or a channel's; take it out of `directory` or `channels`"
            raise ValueError(message)
        return self

    @property
    def plain(self) -> Playbook:
        """How a case goes whose promise names no playbook that is published."""
        return plain(self.confirmed_by, self.restored_by, Restraint(self.contacts, self.contacts_per))
