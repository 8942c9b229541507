"""People with their tokens at the REST side of recovery."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local import issuer
from services.chassis.preconditions import Once
from services.recovery.domain.failing import case_id
from services.recovery.store import playbooks

CUSTOMER = UUID(int=12)
CASE = f"/v1/cases/{case_id(CUSTOMER, UUID(int=1))}"


class Desk:
    """Somebody at the API."""

    def __init__(self, client: httpx2.AsyncClient, token: str, keys: Path) -> None:
        self.client, self.headers, self.keys = client, {"authorization": f"Bearer {token}"}, keys

    async def get(self, path: str, **parameters: Any) -> httpx2.Response:
        return await self.client.get(path, headers=self.headers, params=parameters)

    async def post(self, path: str, body: Any, key: str) -> httpx2.Response:
        """Create something that is no act of a case."""
        return await self.client.post(path, json=body, headers=self.headers | {"idempotency-key": key})

    async def put(self, path: str, body: Any, seen: str | None = None) -> httpx2.Response:
        """Say something anew, of the version that stands, unless `seen` is another."""
        read = (await self.client.get(path.removesuffix("/away").removesuffix("/hours"), headers=self.headers)).headers
        sent = self.headers | {"if-match": seen or str(read.get("etag", '"0"'))}
        return await self.client.put(path, json=body, headers=sent)

    async def act(self, path: str, body: Any = None, case: str = CASE, **headers: str) -> httpx2.Response:
        """Act on a case as it stands now, unless `headers` say otherwise."""
        seen = (await self.client.get(case, headers=self.headers)).headers.get("etag", '"1"')
        sent = self.headers | {"if-match": seen} | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"{case}{path}", json=body, headers=sent)


class Office:
    """People with their tokens, in front of one service."""

    def __init__(self, client: httpx2.AsyncClient, keys: Path) -> None:
        self.client, self.keys = client, keys

    def desk(self, subject: str, *roles: str, teams: Sequence[str] = ()) -> Desk:
        return Desk(self.client, issuer.token(self.keys, subject=subject, name=subject, roles=roles, teams=teams), self.keys)


def slug(response: httpx2.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json", response.text
    return str(response.json()["type"]).rsplit(":", 1)[1]


async def publish(engine: AsyncEngine, name: str, document: Mapping[str, Any], at: datetime, by: str) -> None:
    """Publish a playbook, without asking whether it is one."""
    await playbooks.publish(engine, Once.of(by, str(uuid4()), "publish_playbook", document), name, document, at, lambda _: b"")
