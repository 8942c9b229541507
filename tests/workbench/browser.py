"""Somebody in front of the workbench with a browser that keeps cookies, follows links and fills in forms."""

import re
from html import unescape
from typing import Any

import httpx2

DESK, PROVIDER, RECOVERY = "https://workbench.example", "http://127.0.0.1:8400", "http://recovery"
OURS = {"sec-fetch-site": "same-origin", "origin": DESK}


class Browser:
    """One browser."""

    def __init__(self, client: httpx2.AsyncClient, hosts: httpx2.AsyncBaseTransport) -> None:
        self.client, self.hosts = client, hosts

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers=headers)

    async def send(self, path: str, **values: str) -> httpx2.Response:
        """Send a form of ours."""
        return await self.client.post(path, data=values, headers=OURS)

    async def sign_in(self, person: str, then: str = "/") -> httpx2.Response:
        """Sign in as one of the local people; the answer is the one that leads on."""
        return await self.client.get(await self.chosen(person, then))

    async def chosen(self, person: str, then: str = "/") -> str:
        """Begin to sign in and choose somebody; the address that the provider sends the browser back to."""
        away = await self.client.get("/sign-in/begin", params={"then": then})
        asked = dict(httpx2.URL(away.headers["location"]).params)
        answer = await self.client.post(PROVIDER + "/authorize", data=asked | {"person": person})
        return answer.headers["location"]

    async def act(self, case: str, name: str, **values: str) -> httpx2.Response:
        """Do an act as the case's page offers it now."""
        page = (await self.get(case)).text
        form = re.search(rf'action="{case}/acts/{name}">(.*?)</form>', page, re.DOTALL)
        assert form is not None, f"{name} is not offered"
        hidden: dict[str, Any] = {
            name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[1])
        }
        return await self.send(f"{case}/acts/{name}", **hidden | values)
