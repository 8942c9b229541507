"""A canary in every field of recovery in which words of a customer may come to stand: after erasure there is no trace of one."""

import itertools
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.journey.domain import customer_key
from services.recovery.erasure import nameless
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, Office

DUE = (NOON + timedelta(hours=4)).isoformat()
LATER = (NOON + timedelta(hours=8)).isoformat()
PNG = b"\x89PNG\r\n\x1a\n"
EUR = {"amount": "5", "currency": "EUR"}
FEWEST = 50
SORRY = {"name": "sorry", "language": "en", "subject": "About it", "text": "We are sorry for: {failure}.", "send": "owned"}
BOOK = {
    "apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost"},
    "spec": {"messages": [SORRY]},
}  # fmt: skip


class Canaries:
    """Gives a new one each time."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self) -> str:
        self.given.append(f"canary{len(self.given):02}x")
        return self.given[-1]


class Life:
    """Everything that people can write in a case, and what the playbook writes of it."""

    def __init__(self, ana: Desk, office: Office, c: Canaries) -> None:
        self.ana, self.office, self.c, self.keys = ana, office, c, itertools.count()
        self.ben, self.lea = office.desk("ben", "agent"), office.desk("lea", "lead")
        self.customer = office.desk(f"customer:{CUSTOMER}", "customer")

    async def does(self, desk: Desk, path: str, body: Any = None, *, creates: bool = False) -> Any:
        """An act, under a key that is a canary itself."""
        key = {"idempotency_key": f"{self.c()}.{next(self.keys)}"} if creates else {}
        seen = (await self.ana.get(CASE)).headers["etag"]  # a customer does not read it
        answer = await desk.act(path, body, if_match=seen, **key)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    async def begins(self) -> None:
        c, does, ana, ben = self.c, self.does, self.ana, self.ben
        assert (await self.office.desk("mia", "manager").post("/v1/playbooks", BOOK, "book")).status_code == 201
        report = {"customer": str(CUSTOMER), "what": c(), "playbook": "lost", "value": EUR}
        assert (await ana.post("/v1/cases", report, c())).status_code == 201
        await does(ben, "/owner")
        await does(ben, "/offer", {"to": "ana", "why": c()})
        await does(ana, "/offer/refuse", {"why": c()})
        await does(ben, "/offer", {"to": "ana", "why": c()})
        await does(ana, "/offer/accept")
        await does(ana, "/preferences", {"address": f"{c()}@example.org"})
        drafted = await does(ana, "/messages", {"subject": c(), "text": c()}, creates=True)
        await does(ana, f"/messages/{drafted['messages'][-1]['id']}/send")
        pledged = await does(ana, "/pledges", {"what": c(), "due": DUE}, creates=True)
        moved = {"due": LATER, "channel": "phone", "why": c()}
        await does(ana, f"/pledges/{pledged['pledges'][0]['id']}/postpone", moved, creates=True)

    async def works(self) -> None:
        c, does, ana = self.c, self.does, self.ana
        await does(ana, "/tasks", {"what": c(), "due": DUE, "assignee": "ben"}, creates=True)
        await does(ana, "/notes", {"text": c()})
        await does(ana, "/assessment", {"vulnerable": True, "distress": 4, "why": c()})
        await does(ana, "/severity", {"severity": "high", "why": c()})
        await does(ana, "/contacts", {"channel": "phone", "reached": True, "said": c(), "felt": c()})
        asked = await does(ana, "/help-requests", {"what": c(), "due": DUE, "assignee": "ben"}, creates=True)
        help_ = f"/help-requests/{asked['help_requests'][0]['id']}"
        await does(self.ben, f"{help_}/pass", {"assignee": "eva", "why": c()})
        await does(self.office.desk("eva", "agent"), f"{help_}/answer", {"text": c()})
        await does(ana, f"{help_}/thank", {"text": c()})
        group = {"what": "the storm", "since": NOON.isoformat(), "promises": ["papers-returned"]}
        mass = (await self.lea.post("/v1/mass-failures", group, "m")).json()["id"]
        await does(self.lea, "/mass-failures", {"mass_failure": mass})
        await does(self.lea, f"/mass-failures/{mass}/leave", {"why": c()})

    async def gives(self) -> None:
        c, does, ana = self.c, self.does, self.ana
        for decision in ("grant", "refuse"):
            wanted = {"kind": "exception", "what": c(), "due": DUE}
            before = {each["id"] for each in (await ana.get(CASE)).json()["approvals"]}
            (new,) = {each["id"] for each in (await does(ana, "/approvals", wanted, creates=True))["approvals"]} - before
            await does(self.lea, f"/approvals/{new}/{decision}", {"why": c()})
        given = await does(ana, "/gestures", {"kind": "deed", "what": c(), "value": EUR, "bearer": "supplier"}, creates=True)
        await does(ana, f"/gestures/{given['gestures'][0]['id']}/thanks", {"words": c()})
        await does(ana, "/ledger", {"kind": "third_party", "what": c(), "money": EUR, "bearer": "employee"}, creates=True)
        await does(ana, "/fair", {"money": EUR, "why": c()})

    async def attaches(self) -> str:
        """One file that stays, and one that is taken out; returns what was in that one."""
        c, ana, content = self.c, self.ana, ""
        for name, why in ((c(), None), (c(), c())):
            content = c()
            seen = ana.headers | {"if-match": (await ana.get(CASE)).headers["etag"], "idempotency-key": c()}
            path = f"{CASE}/attachments"
            attached = await ana.client.post(path, params={"name": name}, content=PNG + content.encode(), headers=seen)
            assert attached.status_code == 201, attached.text
            if why is not None:
                file = next(each["id"] for each in attached.json()["attachments"] if each["name"] == name)
                await self.does(ana, f"/attachments/{file}/remove", {"why": why})
        return content

    async def ends(self) -> None:
        c, does = self.c, self.does
        await does(self.ana, "/cause", {"component": "procedures", "what": c()})
        await does(self.ana, "/remedy", {"what": c()})
        await does(self.customer, "/feedback", {"outcome": 4, "said": c()})
        praise = {"case": CASE.rpartition("/")[2], "person": "ana", "what": c()}
        assert (await self.ben.post("/v1/recognitions", praise, "praise")).status_code == 201
        await does(self.customer, "/decline", {"why": c()})
        await does(self.ana, "/review", {"what": c()})


async def kept(lane: Lane) -> str:
    """Every row of every table that there is, what is binary as it was written."""
    rows: list[str] = []
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'recovery'"
    async with lane.engine.connect() as connection:
        for (table,) in (await connection.execute(text(tables))).all():
            for row in await connection.execute(text(f"SELECT * FROM {table}")):
                rows += [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in row]
    return "\n".join(rows)


async def test_fifty_canaries_leave_no_trace_in_any_table_topic_export_or_log(
    ana: Desk, office: Office, lane: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    """Breaks if a new field, an answer kept for its key, or a file kept words of somebody who is forgotten."""
    state = office.client._transport.app.state  # type: ignore[attr-defined]
    state.settings = state.settings.model_copy(update={"attachment_scanner": "none"})
    caplog.set_level(logging.DEBUG)
    c = Canaries()
    life = Life(ana, office, c)
    await life.begins()
    await life.works()
    await life.gives()
    taken_out = await life.attaches()
    await life.ends()
    await lane.feed(lane.fact(number=9, segment=c()), lane.marker(NOON))
    before = await kept(lane)
    assert len(c.given) >= FEWEST
    assert {each for each in c.given if each not in before} <= {taken_out}, "they were nowhere to begin with"
    erased = {"type": "makegood.promises.erased", "customer": str(CUSTOMER), "time": NOON.isoformat()}
    lane.sequence += 1
    await lane.feed(lane.record(orjson.dumps(erased), [("lane", f"promises/0/1/{lane.sequence}".encode())]))
    after = await kept(lane)
    assert [each for each in c.given if each in after] == []
    said = b"\n".join(each.value or b"" for each in await lane.unpublished()).decode()
    assert [each for each in c.given if each in said] == []
    shown = [(await ana.get(path)).text for path in (CASE, f"{CASE}/audit", f"/v1/customers/{CUSTOMER}/export", "/v1/deliveries")]
    shown += [(await ana.get(f"/v1/cases?customer={CUSTOMER}")).text, (await ana.get("/v1/recognitions")).text]
    assert [each for each in c.given if any(each in one for one in shown)] == []
    logged = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith("http"))  # but by the test's own client
    assert [each for each in c.given if each in logged] == []
    assert UUID(CASE.rpartition("/")[2]).hex in after.replace("-", ""), "that there was a case stays"


MARIA = customer_key("crm:4711")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Ask crm:4711, who saw it.", "Ask …, who saw it."),
        ("It was (crm:4711).", "It was (…)."),
        (f"see customer:{MARIA} and /cases/{str(MARIA).upper()}/notes", "see … and …"),
        ("crm:47110 and xcrm:4711 are others", "crm:47110 and xcrm:4711 are others"),
        ({"what": "by\ncrm:4711", "since": [1, None, "crm:4711"]}, {"what": "by\n…", "since": [1, None, "…"]}),
    ],
)
def test_who_is_forgotten_is_named_nowhere_by_key_or_by_what_the_key_was_made_of(said: Any, left: Any) -> None:
    """Breaks if a name stood in what is said of many, or somebody else's went with it."""
    assert nameless(said, {MARIA}) == left
