"""Settings of the workbench, beside those of every service."""

from pathlib import Path

from pydantic import Field, SecretStr

from services.chassis.settings import Bytes, Settings


class WorkbenchSettings(Settings):
    """What the workbench alone needs to know; addresses are without a path and without a slash at the end."""

    kafka: str = Field(default="", description="not used: the workbench reads no topic")
    journey_url: str = Field(description="address of the journey API")
    promises_url: str = Field(description="address of the promises API")
    recovery_url: str = Field(description="address of the recovery API")
    oidc_url: str = Field(description="the OpenID provider that people sign in at, as it names itself (`issuer`)")
    oidc_client: str = Field(default="makegood-workbench", description="what the provider knows the workbench as")
    oidc_secret: SecretStr | None = Field(default=None, description="its secret there; without one it is a public client")
    workbench_url: str = Field(description="where people find the workbench; people come back from signing in to /sign-in/done below it")
    assets: Path = Field(description="folder of the installed browser files")
    zone: str = Field(default="UTC", description="in which pages are read by whoever has chosen none; an IANA name")
    calendar: str = Field(default="", description="the published calendar by whose working time what is left is told; none: the clock's")
    viewers: int = Field(default=1000, gt=0, description="pages that go on by themselves, at once; others are told to come back later")
    attachment_bytes: Bytes = Field(default=10 * 2**20, gt=0, description="how large a file may be that is handed on to recovery")
    traces_url: str = Field(default="", description="where a trace is shown, `{trace}` standing for its id; none: no links into traces")
