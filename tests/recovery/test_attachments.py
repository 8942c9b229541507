"""Files of a case: what is taken in, what is not, how it is given out, and that nothing of it outlives its customer."""

import hashlib
import shlex
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.cli.audit import wrong
from services.recovery import scanning
from services.recovery.audit import first_break
from services.recovery.files import media_type
from services.recovery.store import case_with_trail
from services.recovery.store.attachments import CHUNK_BYTES
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, Office, slug

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
CLEAN, FOUND, BROKEN = (f"{shlex.quote(sys.executable)} -c 'import sys; sys.stdin.buffer.read(); sys.exit({code})'" for code in (0, 1, 2))


@pytest.fixture
async def scanned(lane: Lane, office: Office, ana: Desk) -> Desk:
    """Ana's desk, behind a scanner that finds nothing."""
    settings(office, attachment_scanner=CLEAN)
    await ana.act("/owner")
    return ana


def settings(office: Office, **changed: Any) -> None:
    state = office.client._transport.app.state  # type: ignore[attr-defined]
    state.settings = state.settings.model_copy(update=changed)


async def attach(desk: Desk, content: bytes, name: str = "passport.png", key: str = "a", **headers: str) -> httpx2.Response:
    seen = (await desk.get(CASE)).headers["etag"]
    sent = desk.headers | {"if-match": seen, "idempotency-key": key, "content-type": "text/html"} | headers
    return await desk.client.post(f"{CASE}/attachments", params={"name": name}, content=content, headers=sent)


async def kept(lane: Lane) -> int:
    async with lane.engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM attachment_chunks"))).scalar_one())


async def test_a_file_is_kept_as_what_its_bytes_are_and_given_out_to_be_saved(scanned: Desk, lane: Lane) -> None:
    """Breaks if a browser could be made to open a customer's file as a page of ours."""
    content = PNG + bytes(2 * CHUNK_BYTES)
    made = await attach(scanned, content, "Ángela's <passport>.html")
    (file,) = made.json()["attachments"]
    assert (made.status_code, file["media_type"], file["size"], file["by"]) == (201, "image/png", len(content), "ana")
    assert await kept(lane) == 3
    got = await scanned.get(f"{CASE}/attachments/{file['id']}")
    assert (got.content, got.headers["content-type"], got.headers["x-content-type-options"]) == (content, "image/png", "nosniff")
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%81ngela%27s%20%3Cpassport%3E.html"
    assert "sandbox" in got.headers["content-security-policy"]
    trail = (await scanned.get(f"{CASE}/audit")).json()["acts"][-1]
    assert (trail["kind"], trail["payload"]["digest"]) == ("attached", hashlib.sha256(content).hexdigest())


async def test_a_file_sent_again_is_the_same_one_and_a_stale_case_takes_none(scanned: Desk, lane: Lane) -> None:
    first, again = await attach(scanned, PNG), await attach(scanned, PNG)
    assert (first.content, await kept(lane)) == (again.content, 1)
    assert slug(await attach(scanned, PNG + b"x")) == "idempotency-key-reused"
    assert (await attach(scanned, PNG, key="c", **{"if-match": '"1"'})).status_code == 412
    assert await kept(lane) == 1


async def test_a_file_that_does_not_belong_is_taken_out_and_that_there_was_one_stays(scanned: Desk, office: Office, lane: Lane) -> None:
    """Breaks if its bytes or its name stayed anywhere in the case, or anybody could take out what another put there."""
    file = (await attach(scanned, PNG, "her-sister.png")).json()["attachments"][0]["id"]
    path, why = f"/attachments/{file}/remove", {"why": "It is of somebody else."}
    assert slug(await office.desk("ben", "agent").act(path, why)) == "not-the-owner"
    removed = await scanned.act(path, why)
    assert (removed.status_code, removed.json()["attachments"], await kept(lane)) == (200, [], 0)
    assert slug(await scanned.get(f"{CASE}/attachments/{file}")) == "not-found"
    assert slug(await scanned.act(path, why)) == "not-found"
    audit = await scanned.get(f"{CASE}/audit")
    assert [each["kind"] for each in audit.json()["acts"][-2:]] == ["attached", "detached"]
    assert wrong(audit.json()) == []
    assert "her-sister" not in audit.text + (await scanned.get(CASE)).text


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"MZ\x90\x00", b"\x7fELF\x02", b"caf\xe9", b"a\x00b", b"\x1b[2J"])
async def test_what_is_of_no_kind_that_is_taken_leaves_nothing(scanned: Desk, lane: Lane, content: bytes) -> None:
    assert slug(await attach(scanned, content, "harmless.png")) == "unsupported-media-type"
    assert (await kept(lane), (await scanned.get(CASE)).json()["attachments"]) == (0, [])


async def test_size_and_kind_are_settings(scanned: Desk, office: Office, lane: Lane) -> None:
    settings(office, attachment_bytes=len(PNG), attachment_types=frozenset({"image/png"}))
    assert (await attach(scanned, PNG)).status_code == 201
    assert slug(await attach(scanned, PNG + b"x", key="b")) == "body-too-large"
    refused = await attach(scanned, b"plain words", key="c")
    assert (slug(refused), "image/png" in refused.json()["detail"]) == ("unsupported-media-type", True)
    assert slug(await scanned.act("/notes", {"text": "x" * 70_000})) == "body-too-large", "what is no file stays small"
    assert await kept(lane) == 1


@pytest.mark.parametrize(
    ("scanner", "said"),
    [
        (FOUND, (422, "found-in-file")), (BROKEN, (503, "scanner-unavailable")), (None, (503, "scanner-unavailable")),
        ("/nowhere/scan", (503, "scanner-unavailable")), ("http://127.0.0.1:9/", (503, "scanner-unavailable")), ("none", (201, "")),
    ],
)  # fmt: skip
async def test_what_the_scanner_found_or_could_not_look_at_is_not_kept(
    scanned: Desk, office: Office, lane: Lane, scanner: str | None, said: tuple[int, str]
) -> None:
    """Breaks if a scanner that is away let a file in."""
    settings(office, attachment_scanner=scanner)
    answer = await attach(scanned, PNG)
    assert answer.status_code == said[0]
    assert not said[1] or slug(answer) == said[1]
    assert await kept(lane) == (answer.status_code == 201)


async def test_a_scanner_that_takes_too_long_is_away() -> None:
    slow = f"{shlex.quote(sys.executable)} -c 'import time; time.sleep(60)'"
    with pytest.raises(scanning.ScannerUnavailableError):
        await scanning.scan(slow, PNG, 0.5)


@pytest.fixture
def service() -> Iterator[tuple[list[int], list[bytes], str]]:
    """A scanner behind a URL: what it answers next, and what it was sent."""
    answers: list[int] = []
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield answers, received, f"http://127.0.0.1:{server.server_port}/scan"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_service_scans_too(service: tuple[list[int], list[bytes], str]) -> None:
    answers, received, url = service
    answers += [204, 422, 302, 500]
    await scanning.scan(url, PNG, 10)
    with pytest.raises(scanning.FoundInFileError):
        await scanning.scan(url, PNG, 10)
    for _ in range(2):
        with pytest.raises(scanning.ScannerUnavailableError):
            await scanning.scan(url, PNG, 10)
    assert received == [PNG] * 4


async def test_a_file_is_exported_whole_and_goes_with_its_customer(scanned: Desk, office: Office, lane: Lane) -> None:
    """Breaks if a customer who was erased lived on in a scan of their passport, its name or its digest."""
    content = PNG + bytes(CHUNK_BYTES)
    made = (await attach(scanned, content, "canary.png")).json()["attachments"][0]
    manager = office.desk("mia", "manager")
    lines = [orjson.loads(each) for each in (await manager.get(f"/v1/customers/{CUSTOMER}/export")).content.splitlines()]
    chunks = [each for each in lines if each.get("part") == "attachment"]
    assert b"".join(b64decode(each["bytes"]) for each in sorted(chunks, key=lambda each: int(each["number"]))) == content
    assert {(each["attachment"], each["name"]) for each in chunks} == {(made["id"], "canary.png")}
    erased = {"type": "makegood.promises.erased", "customer": str(CUSTOMER), "time": NOON.isoformat()}
    lane.sequence += 1
    await lane.feed(lane.record(orjson.dumps(erased), [("lane", f"promises/0/1/{lane.sequence}".encode())]))
    assert await kept(lane) == 0
    assert (await scanned.get(f"{CASE}/attachments/{made['id']}")).status_code == 410
    whole = await scanned.get(CASE)
    assert "canary" not in whole.text
    assert made["digest"] not in whole.text
    assert slug(await attach(scanned, PNG, key="b")) == "erased"
    found = await case_with_trail(lane.engine, UUID(CASE.rpartition("/")[2]))
    assert found is not None
    assert first_break(found[1]) is None


@given(st.binary(max_size=64))
def test_what_is_called_text_can_be_read_as_text(content: bytes) -> None:
    if media_type(content) == "text/plain":
        assert content.decode()
        assert not any(each < 32 and each not in b"\t\n\r\f" for each in content)
