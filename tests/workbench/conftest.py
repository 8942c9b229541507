"""The workbench in front of the local OpenID provider and of a real recovery service; the other services do not answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local import identity, issuer
from deploy.local.programs import ASSETS
from services.chassis.database import create_engine
from services.workbench.api import build
from services.workbench.settings import WorkbenchSettings
from tests.recovery.conftest import NOON, Lane, ana, lane, office
from tests.recovery.office import Office
from tests.workbench.browser import DESK, PROVIDER, RECOVERY, Browser

__all__ = ["ana", "lane", "office"]


class Hosts(httpx2.AsyncBaseTransport):
    """Brings each request to the application of its host; any other host does not answer, nor does an answer without an end."""

    def __init__(self, applications: Mapping[str, httpx2.AsyncBaseTransport]) -> None:
        self.applications = {urlsplit(address).netloc: application for address, application in applications.items()}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        application = self.applications.get(request.url.netloc.decode())
        if application is None or request.url.path.endswith("/events"):
            raise httpx2.ConnectError("nobody is there", request=request)
        return await application.handle_async_request(request)


@pytest.fixture
async def engine(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[AsyncEngine]:
    settings = _settings(await database("workbench"), Path("unused"))
    engine = create_engine(settings, "workbench")
    yield engine
    await engine.dispose()


@pytest.fixture
async def browser(engine: AsyncEngine, office: Office, tmp_path: Path) -> AsyncIterator[Browser]:
    keys = issuer.ensure_keys(tmp_path)
    recovery = office.client._transport
    provider = httpx2.ASGITransport(app=identity.build(identity.Provider(PROVIDER, "makegood-workbench", DESK + "/sign-in/done", tmp_path)))
    hosts = Hosts({RECOVERY: recovery, PROVIDER: provider})
    app = build(_settings(engine.url.render_as_string(hide_password=False), keys), engine, hosts)
    hosts.applications[urlsplit(DESK).netloc] = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=hosts, base_url=DESK) as client:
        yield Browser(client, hosts)


@pytest.fixture
async def broken(lane: Lane) -> Lane:
    """The lane after a promise broke: there is one case, which nobody has."""
    await lane.feed(lane.fact(), lane.marker(NOON))
    return lane


def _settings(database: str, keys: Path) -> WorkbenchSettings:
    return WorkbenchSettings(
        database=database, jwks=keys, journey_url="http://journey", promises_url="http://promises", recovery_url=RECOVERY,
        oidc_url=PROVIDER, workbench_url=DESK, assets=ASSETS,
    )  # fmt: skip
