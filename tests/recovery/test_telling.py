"""What is told to people and systems outside, through a real mail server and a real HTTP server, and what is not."""

import asyncio
import hmac
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr, ValidationError
from sqlalchemy import text

from deploy.local import processes
from services.chassis.process import Context
from services.chassis.telemetry import Telemetry
from services.recovery.settings import RecoverySettings
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


def warned(lane: Lane, kind: str, thing: str, at: datetime) -> Any:
    """The warning of promises that something owed in the case is about to be late."""
    trigger = {"type": f"recovery.{kind}", "id": f"x:3:{kind}"}
    return lane.fact("at_risk", customer=UUID(int=30), at=at, promise="pledge", correlation=thing, trigger=trigger)


async def test_who_has_what_is_about_to_be_late_is_told_once_for_each_warning_and_who_the_playbook_names(
    ana: Desk, lane: Lane, teller: Teller, mailbox: tuple[Mailbox, str]
) -> None:
    """Breaks if a pledge ran out while the one who could keep it was not told, or if a warning that was read twice were told twice."""
    people = {"lead": "lead@bank.example", "ana": "ana@bank.example", "ben": "ben@bank.example"}
    teller._settings = lane.settings.model_copy(update={"directory": people})
    case = await reported(ana, lane, {"tell": [{"on": "pledge_at_risk", "to": "lead"}], "quiet": {"from": "12:00", "until": "11:00"}})
    due = (NOON + timedelta(hours=4)).isoformat()
    pledged = await ana.act("/pledges", {"what": "we call you", "due": due}, idempotency_key="call", case=case)
    asked = await ana.act("/help-requests", {"what": "a visa", "due": due, "assignee": "ben"}, idempotency_key="visa", case=case)
    pledge, help_ = pledged.json()["pledges"][0]["id"], asked.json()["help_requests"][0]["id"]
    late = NOON + timedelta(hours=3)
    warning = warned(lane, "pledge.made", pledge, late)
    await lane.feed(warning, warning, warned(lane, "help.asked", help_, late), lane.marker(late))
    await everything(teller)
    told = sorted((to[0], mail["Subject"].partition(": ")[2]) for to, mail in mailbox[0].mails)
    assert told == [
        ("ana@bank.example", "help at risk"), ("ana@bank.example", "pledge at risk"), ("ben@bank.example", "help at risk"),
        ("lead@bank.example", "pledge at risk"),
    ]  # fmt: skip
    assert all("Due 2026-03-01 16:00 UTC." in words(mail) for _, mail in mailbox[0].mails)
    await ana.act(f"/pledges/{pledge}/fulfil", case=case)
    await lane.feed(warned(lane, "pledge.made", pledge, late), lane.marker(late))
    assert await everything(teller) == 0, "what is done is not warned of"


def words(mail: Message) -> str:
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


async def reported(ana: Desk, lane: Lane, spec: dict[str, Any]) -> str:
    """A case of somebody else that goes by a playbook, owned by Ana; its path."""
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost"}, "spec": spec}
    manager = Office(ana.client, ana.keys).desk("mia", "manager")
    assert (await manager.post("/v1/playbooks", document, "p")).status_code == 201
    opened = await ana.post("/v1/cases", {"customer": str(UUID(int=30)), "what": "I lost it", "playbook": "lost"}, "report")
    path = f"/v1/cases/{opened.json()['id']}"
    await ana.act("/owner", case=path)
    await lane.feed(lane.marker(NOON))
    return path


async def test_a_channel_of_apprise_is_told_without_a_mail_server_and_tried_again(
    ana: Desk, lane: Lane, teller: Teller, outside: tuple[list[Any], list[int], int], caplog: pytest.LogCaptureFixture
) -> None:
    """Its URL, which holds a secret, lies in the settings and is in no error and no log."""
    received, answers, port = outside
    chat = {"branch-chat": SecretStr(f"json://bot:s3cret@127.0.0.1:{port}/told"), "broken-chat": SecretStr("nothing://s3cret")}
    teller._settings = lane.settings.model_copy(update={"channels": chat, "mail_server": None})
    answers.append(503)
    ladder = [{"promise": "case-owned", "tell": ["broken-chat"]}]
    case = await reported(ana, lane, {"tell": [{"on": "owned", "channel": "branch-chat"}], "ladder": ladder})
    await everything(teller)
    (waiting,) = (await ana.get("/v1/deliveries", case_id=case.rpartition("/")[2])).json()["items"]
    assert (waiting["state"], waiting["reason"]) == ("waiting", "the channel branch-chat did not take it")
    await rest_is_over(lane)
    await everything(teller)
    (_, first), (headers, body) = received
    assert first == body
    assert headers["authorization"].startswith("Basic ")
    told = orjson.loads(body)
    assert told["title"] == f"Case {case.rpartition('/')[2][:8]}, medium: owned"
    assert "I lost it" not in body.decode()
    late = lane.fact(
        number=51, customer=UUID(int=30), promise="case-owned", audience="internal", correlation=case.rpartition("/")[2],
        trigger={"type": "recovery.case.opened", "id": "x"},
    )  # fmt: skip
    await lane.feed(late, lane.marker(NOON))
    await everything(teller)
    logged = (await ana.get("/v1/deliveries", case_id=case.rpartition("/")[2])).json()["items"]
    assert {(each["state"], each["reason"]) for each in logged} == {
        ("sent", None), ("failed", "what MAKEGOOD_CHANNELS says of broken-chat is no URL of apprise"),
    }  # fmt: skip
    assert "s3cret" not in caplog.text + repr(teller._settings)


def test_a_process_that_tells_no_channel_does_not_load_what_tells_them() -> None:
    tried = "import sys, services.recovery.__main__; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", tried], check=False).returncode == 0


def test_a_name_is_somebodys_address_or_a_channels() -> None:
    with pytest.raises(ValidationError, match="lead: a name is somebody's address or a channel's"):
        RecoverySettings(kafka="x:1", database="postgresql://x", directory={"lead": "a@b"}, channels={"lead": SecretStr("json://x")})


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
