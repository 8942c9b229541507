"""Pages that go on by themselves, over real streams of a recovery service that is really served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import httpx2
import pytest

from deploy.local import issuer
from services.chassis.access import Gate
from services.chassis.tokens import Checker, KeysInFile
from services.workbench import live
from services.workbench.live import Stream, Viewers
from services.workbench.sessions import Session
from services.workbench.settings import WorkbenchSettings
from services.workbench.upstream import Services, Told
from tests.recovery.conftest import Lane
from tests.recovery.office import CASE, Desk, Office
from tests.serving import served

Relay = Callable[..., AsyncIterator[bytes]]
_PATIENCE = 10


@pytest.fixture
async def services(office: Office) -> AsyncIterator[Services]:
    """The workbench's way to a recovery service on a port; journey does not answer."""
    application = office.client._transport.app  # type: ignore[attr-defined]
    async with served(application) as address, httpx2.AsyncClient() as client:
        settings = WorkbenchSettings(
            database="none", journey_url="http://127.0.0.1:9", promises_url="http://127.0.0.1:9", recovery_url=address,
            oidc_url="", workbench_url="", assets=Path(),
        )  # fmt: skip
        yield Services(settings, client, client)
        application.state.leaving.set()


@pytest.fixture
async def session(office: Office) -> Session:
    token = issuer.token(office.keys, subject="ben", name="Ben", roles=["agent"])
    gate = Gate(Checker(KeysInFile(office.keys / issuer.PUBLIC), issuer.ISSUER, issuer.AUDIENCE), {}, {})
    return Session(await gate.identify(token), token)


async def news(events: AsyncIterator[bytes]) -> str:
    """The id of the next event that tells of something new."""
    async with asyncio.timeout(_PATIENCE):
        async for each in events:
            if b"data:" in each:
                return each.decode().partition("id: ")[2].partition("\n")[0]
    raise AssertionError("the stream ended without news")


def viewers() -> Viewers:
    return Viewers(10, asyncio.Event())


async def test_an_act_is_heard_of_and_whoever_comes_back_with_its_id_hears_of_what_came_since(
    broken: Lane, ana: Desk, services: Services, session: Session
) -> None:
    """Breaks if an update is lost between two connections, or told of although nothing came since."""
    stream = Stream("recovery", CASE + "/events", "1")
    async with aclosing(live.relay(services, session, [stream], viewers())) as events:
        await ana.act("/owner")
        assert await news(events) == "2"
    await ana.act("/notes", {"text": "She called."})
    again = Stream("recovery", CASE + "/events", live.places("2", 1)[0])
    async with aclosing(live.relay(services, session, [again], viewers())) as events:
        assert await news(events) == "3"


async def test_a_stream_that_does_not_answer_takes_no_news_from_the_other(
    broken: Lane, ana: Desk, services: Services, session: Session
) -> None:
    streams = [Stream("recovery", CASE + "/events", "1"), Stream("journey", "/v1/customers/x/timeline/events", "a:1")]
    async with aclosing(live.relay(services, session, streams, viewers())) as events:
        await ana.act("/owner")
        assert await news(events) == "2|a:1"


async def test_what_does_not_concern_a_page_is_no_news_to_it(broken: Lane, ana: Desk, services: Services, session: Session) -> None:
    place = await services.place(session, "recovery", "/v1/cases/events")
    stream = Stream("recovery", "/v1/cases/events", place, lambda each: each["kind"] == "noted")
    async with aclosing(live.relay(services, session, [stream], viewers())) as events:
        heard = asyncio.create_task(news(events))
        await ana.act("/owner")
        await ana.act("/notes", {"text": "She called."})
        after = await heard
    async with aclosing(services.watch(session, "recovery", "/v1/cases/events", place)) as told:
        kinds = [(at, thing["kind"]) async for at, thing in _first(told, 2)]
    assert [kind for _, kind in kinds] == ["owned", "noted"]
    assert after == kinds[1][0]


async def test_whoever_is_one_too_many_is_told_to_come_back_later(broken: Lane, services: Services, session: Session) -> None:
    streams, none = [Stream("recovery", CASE + "/events", "1")], Viewers(0, asyncio.Event())
    assert [each async for each in live.relay(services, session, streams, none)] == [b"retry: 30000\n\n"]


async def test_everybody_is_let_go_and_counted_out_once_the_process_leaves(broken: Lane, services: Services, session: Session) -> None:
    """Breaks if a stopping workbench waits for pages that stay open."""
    watching = viewers()
    events = live.relay(services, session, [Stream("recovery", CASE + "/events", "1")], watching)
    assert await anext(events) == b"retry: 2000\n\n"
    assert watching.now == 1
    watching.leaving.set()
    async with asyncio.timeout(_PATIENCE):
        assert not [each async for each in events if b"data:" in each]
    assert watching.now == 0


async def test_a_place_that_nobody_knows_sends_the_page_to_begin_anew(broken: Lane, services: Services, session: Session) -> None:
    events = live.relay(services, session, [Stream("recovery", "/v1/cases/events", "nonsense")], viewers())
    async with asyncio.timeout(_PATIENCE):
        assert [each async for each in events][-1] == b"id\ndata: 0\n\n"


@pytest.mark.parametrize("text", [None, "", "1", "1|2|3"])
def test_an_id_that_is_not_one_of_ours_is_no_place(text: str | None) -> None:
    assert live.places(text, 2) == [None, None]


async def _first(told: AsyncIterator[Told], number: int) -> AsyncIterator[tuple[str, dict[str, object]]]:
    found = 0
    async for place, things in told:
        for each in things:
            yield place, each
            found += 1
            if found == number:
                return
