"""What is told to people and systems outside, through a real mail server and a real HTTP server, and what is not."""

import asyncio
import hmac
import threading
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import text

from deploy.local import processes
from services.chassis.process import Context
from services.chassis.telemetry import Telemetry
from services.recovery.telling import hooks
from services.recovery.telling.hooks import ForbiddenAddressError
from services.recovery.telling.worker import Teller
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, Office, slug


class Mailbox:
    """Everything that a mail server took in, and how it answers."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Message]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    port = processes.free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def outside() -> Iterator[tuple[list[tuple[dict[str, str], bytes]], list[int], int]]:
    """A system outside: what it received, and what it answers next (200 where nothing is said)."""
    received: list[tuple[dict[str, str], bytes]] = []
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield received, answers, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def teller(lane: Lane, mailbox: tuple[Mailbox, str]) -> AsyncIterator[Teller]:
    change = {"mail_server": mailbox[1], "directory": {"lead": "lead@bank.example"}, "webhooks_to_loopback": True, "delivery_attempts": 2}
    lane.settings = lane.settings.model_copy(update=change)
    context = Context(lane.settings, lane.engine, Telemetry(lane.settings, "recovery"))
    yield Teller(context)
    context.telemetry.close()


async def everything(teller: Teller) -> int:
    """Deliver until nothing is due; how many turns that took."""
    return len([True async for _ in _steps(teller)])


async def _steps(teller: Teller) -> AsyncIterator[bool]:
    while await teller.step():
        yield True


async def rest_is_over(lane: Lane) -> None:
    async with lane.engine.begin() as connection:
        await connection.execute(text("UPDATE deliveries SET next_at = now() WHERE state = 'waiting'"))


async def write(ana: Desk, key: str, words: str) -> str:
    drafted = await ana.act("/messages", {"subject": f"About {key}", "text": words}, idempotency_key=key)
    message: str = drafted.json()["messages"][-1]["id"]
    await ana.act(f"/messages/{message}/send")
    return message


async def states(ana: Desk) -> list[str]:
    return [each["state"] for each in (await ana.get(CASE)).json()["messages"]]


async def owned(ana: Desk) -> None:
    await ana.act("/owner")
    await ana.act("/preferences", {"address": "rosa@example.org"})


async def test_a_message_reaches_the_customer_once_and_the_case_knows(
    ana: Desk, lane: Lane, teller: Teller, mailbox: tuple[Mailbox, str]
) -> None:
    await owned(ana)
    await write(ana, "passport", "We found your passport.")
    await everything(teller)
    ((to, mail),) = mailbox[0].mails
    assert (to, mail["Subject"], mail.get_payload()) == (["rosa@example.org"], "About passport", "We found your passport.\r\n")
    assert await states(ana) == ["sent"]
    assert await everything(teller) == 0
    async with lane.engine.connect() as connection:
        assert b"passport." not in b"".join((await connection.execute(text("SELECT body FROM outbox"))).scalars())


async def test_what_waits_together_is_one_mail(ana: Desk, lane: Lane, teller: Teller, mailbox: tuple[Mailbox, str]) -> None:
    await owned(ana)
    await ana.act("/preferences", {"address": "rosa@example.org", "hours": {"begins": "13:00", "ends": "14:00", "zone": "UTC"}})
    for key in ("passport", "ticket"):
        await write(ana, key, f"We found your {key}.")
    assert await everything(teller) == 0
    await lane.feed(lane.marker(NOON.replace(hour=13)))
    await everything(teller)
    ((_, mail),) = mailbox[0].mails
    assert "your passport." in str(mail)
    assert "your ticket." in str(mail)
    assert await states(ana) == ["sent", "sent"]


async def test_a_server_that_is_busy_is_tried_again_and_one_that_refuses_is_not(
    ana: Desk, lane: Lane, teller: Teller, mailbox: tuple[Mailbox, str]
) -> None:
    await owned(ana)
    box, _ = mailbox
    box.answer = "451 rosa@example.org later"
    message = await write(ana, "passport", "We found it.")
    await everything(teller)
    assert await states(ana) == ["waiting"]
    box.answer = "550 rosa@example.org nobody"
    await rest_is_over(lane)
    await everything(teller)
    (logged,) = (await ana.get("/v1/deliveries", about=message)).json()["items"]
    assert (logged["state"], logged["attempts"], logged["reason"]) == ("failed", 2, "the mail server said 550")
    assert await states(ana) == ["failed"]
    box.answer = "250 OK"
    await ana.act(f"/messages/{message}/send")
    await everything(teller)
    assert await states(ana) == ["sent"]


async def test_a_teller_that_dies_after_it_told_tells_again_under_the_same_id(
    ana: Desk, lane: Lane, teller: Teller, mailbox: tuple[Mailbox, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await owned(ana)
    await write(ana, "passport", "We found it.")

    async def dies(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(teller, "_settle", dies)
        with pytest.raises(asyncio.CancelledError):
            await teller.step()
    assert await everything(teller) == 0, "the lease of the one that died is not over"
    await rest_is_over(lane)
    await everything(teller)
    first, second = (mail["Message-ID"] for _, mail in mailbox[0].mails)
    assert first == second
    assert await states(ana) == ["sent"]


async def test_tellers_beside_each_other_tell_each_thing_once(ana: Desk, teller: Teller, mailbox: tuple[Mailbox, str], lane: Lane) -> None:
    lead = {"tell": [{"on": "opened", "to": "lead"}, {"on": "opened", "to": "nobody-knows"}]}
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost"}, "spec": lead}
    manager = Office(ana.client, ana.keys).desk("mia", "manager")
    await ana.client.post("/v1/playbooks", json=document, headers=manager.headers | {"idempotency-key": "p"})
    for number in range(30, 36):
        report = {"customer": str(UUID(int=number)), "what": "I lost it", "playbook": "lost"}
        await ana.client.post("/v1/cases", json=report, headers=ana.headers | {"idempotency-key": str(number)})
    await lane.feed(lane.marker(NOON))
    await asyncio.gather(*(everything(teller) for _ in range(3)))
    told = [mail["Subject"] for _, mail in mailbox[0].mails]
    assert len(told) == len(set(told)) == 6
    assert all("I lost it" not in str(mail) for _, mail in mailbox[0].mails)
    failed = (await ana.get("/v1/deliveries", state="failed", limit=4)).json()
    assert "no address of nobody-knows" in failed["items"][0]["reason"]
    rest = (await ana.get("/v1/deliveries", state="failed", limit=4, cursor=failed["next"])).json()
    assert len({each["id"] for each in failed["items"] + rest["items"]}) == 6


async def test_a_system_is_told_the_facts_it_chose_signed_and_again_when_asked(
    office: Office, ana: Desk, lane: Lane, teller: Teller, outside: tuple[list[Any], list[int], int]
) -> None:
    received, answers, port = outside
    manager = office.desk("mia", "manager")
    office.client._transport.app.state.settings = lane.settings  # type: ignore[attr-defined]
    asked = {"url": f"http://127.0.0.1:{port}/told", "types": ["makegood.case.owned"]}
    made = (await manager.post("/v1/webhooks", asked, "w")).json()
    answers.append(503)
    await ana.act("/owner")
    await everything(teller)
    await rest_is_over(lane)
    await everything(teller)
    (first, body), (second, again) = received
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert orjson.loads(body)["type"] == "makegood.case.owned"
    said = f"{second['webhook-id']}.{second['webhook-timestamp']}.".encode() + again
    digest = hmac.new(b64decode(made["secret"].removeprefix("whsec_")), said, sha256).digest()
    assert second["webhook-signature"] == f"v1,{b64encode(digest).decode()}"
    assert "secret" not in (await manager.get("/v1/webhooks")).json()["items"][0]
    redelivery = f"/v1/deliveries/{second['webhook-id']}/redeliver"
    assert (await office.client.post(redelivery, headers=manager.headers)).status_code == 202
    await everything(teller)
    assert len(received) == 3
    assert (await office.client.delete(f"/v1/webhooks/{made['id']}", headers=manager.headers | {"if-match": '"1"'})).status_code == 204
    await ana.act("/remedy", {"what": "found"})
    assert await everything(teller) == 0


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the Standard Webhooks specification's own libraries."""
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = hooks.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://10.1.2.3/", "https://169.254.169.254/latest", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "http://example.org/", "https://user@example.org/", "https://100.64.0.1/", "https://0.0.0.0/", "https://[fd00::1]/",
    ],
)  # fmt: skip
def test_webhooks_go_to_no_network_of_our_own(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        hooks.require_shape(url, loopback=False)


async def test_a_name_that_leads_into_our_network_is_found_when_it_is_sent(office: Office) -> None:
    manager = office.desk("mia", "manager")
    asked = {"url": "https://127.0.0.1/told", "types": ["makegood.case.*"]}
    refused = await manager.post("/v1/webhooks", asked, "w")
    assert (refused.status_code, slug(refused)) == (422, "forbidden-address")
    with pytest.raises(ForbiddenAddressError):
        await hooks.post(office.client, "https://localhost/told", b"", {}, loopback=False)


async def test_nothing_of_what_was_told_is_left_once_the_customer_is_erased(ana: Desk, lane: Lane) -> None:
    await owned(ana)
    await write(ana, "passport", "We found it.")
    erased = {"type": "makegood.promises.erased", "customer": str(CUSTOMER), "time": NOON.isoformat()}
    lane.sequence += 1
    await lane.feed(lane.record(orjson.dumps(erased), [("lane", f"promises/0/1/{lane.sequence}".encode())]))
    async with lane.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT target, subject, body, state FROM deliveries"))).all()
    assert [tuple(each) for each in rows] == [("", "", b"", "discarded")]
