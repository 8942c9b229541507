"""`chaos`: kills the consumers of the local system under load, one after the other, and shows that nothing was lost.

What it sends, questions of which most are answered in time, and what must come of each, it knows by itself; what came of
them it reads over REST.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import orjson
import typer

from deploy.errors import StackError
from deploy.local import stack as local
from deploy.local import state
from deploy.local.processes import Say
from deploy.local.state import State
from services.chassis import rfc3339
from services.chassis.instants import text_of
from services.chassis.settings import Clock
from services.cli import console
from services.cli.client import Client, running
from services.cli.emit import send_batch
from services.cli.publish import publish_to
from services.cli.stack import teller
from services.cli.status import wait_for_rest

SOURCE: Final = "chaos/questions"
PROMISE: Final = "chaos-answered"
DOCUMENT: Final = Path(__file__).with_suffix(".yaml")
CONSUMERS: Final = ("journey-consume", "promises-consume", "recovery-consume")
CUSTOMERS: Final = 20
STEP: Final = 0.1
ANSWERED: Final = 0.95
"""The share of questions that are answered, within the promise."""
SOONEST, LATEST = 0.3, 2.0
"""Seconds until an answer."""
WAIT_SECONDS: Final = 300.0


class Event(NamedTuple):
    """What is sent: when, in seconds from the start, about which question, and as which of its two events."""

    at: float
    question: str
    kind: str

    def line(self, began: datetime) -> bytes:
        """The event as it is sent."""
        number = int(self.question.rpartition("-")[2])
        event = {
            "specversion": "1.0",
            "id": f"{self.question}/{self.kind}",
            "source": SOURCE,
            "type": f"chaos.question.{self.kind}",
            "subject": f"chaos:{self.question.partition('-')[0]}-{number % CUSTOMERS}",
            "time": text_of(began + timedelta(seconds=self.at)),
            "data": {"question": self.question},
        }
        return orjson.dumps(event)


@dataclass(frozen=True, slots=True)
class Sent:
    """A load: the questions by what must come of them, and its events."""

    owed: Mapping[str, str]
    events: tuple[Event, ...]

    @property
    def ids(self) -> set[str]:
        """The ids of all events."""
        return {f"{each.question}/{each.kind}" for each in self.events}


@dataclass(slots=True)
class Found:
    """What came of a load, and what of that is wrong: lines that say what and where."""

    verdicts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """All of it."""
        return self.lost + self.doubled + self.false


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(chaos)


def chaos(
    seconds: Annotated[float, typer.Option(min=10, help="How long to send, and to kill.")] = 60,
    rate: Annotated[float, typer.Option(min=1, max=500, help="Questions a second.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Repeats a run: what is sent, and who is killed.")] = None,
) -> None:
    """Kill the services of the local system under load, again and again, and show that nothing was lost, doubled or said falsely."""
    stack = running()
    if stack.clock != Clock.LIVE:
        raise StackError("this system is on the replay clock, where nothing happens by itself. `make up` starts one on the live clock.")
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    say = teller()
    say(f"seed {seed}; the promise: a question is answered within 5 seconds")
    publish_to(stack, [DOCUMENT], say)
    with Client(stack) as client:
        _wait_until_in_force(client)
        began, draw = datetime.now(UTC), random.Random(seed)  # noqa: S311  (nothing secret)
        sent = plan(f"{seed}x{began.timestamp():.0f}", draw, seconds, rate)
        killed = _play(client, stack, sent, began, draw, say)
        say("waiting until everything that was sent is judged and at rest")
        wait_for_rest(client, stack, WAIT_SECONDS)
        found = _look(client, sent, began)
    _tell(sent, killed, found)
    if found.wrong:
        raise typer.Exit(1)


def _wait_until_in_force(client: Client) -> None:
    """Wait until the promise counts: the first time on a system that has judged something, that takes minutes."""
    latest = max(client.get("promises", f"/v1/promises/{PROMISE}")["items"], key=lambda each: each["version"])
    since = rfc3339.parse(latest["effective_from"]) if latest["effective_from"] else datetime.now(UTC)
    with console.Waiting() as waiting:
        while (left := (since - datetime.now(UTC)).total_seconds()) > 0:
            waiting.tell(f"the promise is new here, and counts from {text_of(since)} on: {left:.0f} s to go")
            time.sleep(1)


def plan(name: str, draw: random.Random, seconds: float, rate: float) -> Sent:
    """Questions over so many seconds, so many a second, most of them answered; `name` is part of every id."""
    owed, events = {}, []
    for number in range(int(seconds * rate)):
        question, asked = f"{name}-{number}", number / rate
        events.append(Event(asked, question, "asked"))
        owed[question] = "kept" if draw.random() < ANSWERED else "broken"
        if owed[question] == "kept":
            events.append(Event(asked + draw.uniform(SOONEST, LATEST), question, "answered"))
    return Sent(owed, tuple(sorted(events)))


def judged(
    sent: Sent, touchpoints: Iterable[Mapping[str, Any]], commitments: Iterable[Mapping[str, Any]], cases: Iterable[Mapping[str, Any]]
) -> Found:
    """Hold what came of a load against what must: each event once, each question one verdict, each broken one in one case."""
    found = Found()
    arrivals: dict[str, datetime] = {}
    for each in touchpoints:
        if each["id"] in arrivals:
            found.doubled.append(f"event {each['id']}")
        arrivals[each["id"]] = rfc3339.parse(each["arrival"])
    found.lost += [f"event {id_}" for id_ in sorted(sent.ids - arrivals.keys())]
    failed = Counter(failure["commitment"] for case in cases for failure in case["failures"])
    seen: set[str] = set()
    for each in commitments:
        question = each["correlation"]
        if question in seen:
            found.doubled.append(f"commitment {each['id']} of {question}")
        seen.add(question)
        found.verdicts[each["judgement"]] += 1
        _one(found, each, sent.owed[question], arrivals.get(f"{question}/answered"), failed[each["id"]])
    found.lost += [f"commitment of {question}" for question in sent.owed if question not in seen]
    return found


def _one(found: Found, commitment: Mapping[str, Any], owed: str, answered: datetime | None, cases: int) -> None:
    """One commitment: its verdict, whether another one was said before it though its answer was there, and its cases."""
    question, judgement = commitment["correlation"], commitment["judgement"]
    if judgement != owed:
        found.false.append(f"{question} is {judgement}, and {owed} in truth")
    elif commitment["verdict"] > 1 and (answered is None or answered <= rfc3339.parse(commitment["due"])):
        found.false.append(f"{question} was said to be something else before")
    if owed == "broken" and cases == 0:
        found.lost.append(f"case of {question}")
    elif cases > 1:
        found.doubled.append(f"case of {question}")


def _play(client: Client, stack: State, sent: Sent, began: datetime, draw: random.Random, say: Say) -> Counter[str]:
    """Send everything at its time, and kill somebody each time all are ready again; return how often each was killed."""
    killed: Counter[str] = Counter()
    started, down, down_at, rest_until = time.monotonic(), "", 0.0, draw.uniform(1, 3)
    for until, batch in _steps(sent.events):
        time.sleep(max(started + until - time.monotonic(), 0))
        _send(client, [each.line(began) for each in batch])
        now = time.monotonic() - started
        if down and client.is_ready(down):
            say(f"{down} is ready again after {now - down_at:.1f} s")
            down, rest_until = "", now + draw.uniform(1, 3)
        elif not down and now > rest_until:
            down, down_at = draw.choice(CONSUMERS), now
            say(f"kill -9 {down}")
            _kill(stack, down)
            killed[down] += 1
    return killed


def _steps(events: Iterable[Event]) -> Iterator[tuple[float, list[Event]]]:
    """Events by tenths of a second, each with its end."""
    end, batch = STEP, list[Event]()
    for each in events:
        while each.at >= end:
            yield end, batch
            end, batch = end + STEP, []
        batch.append(each)
    yield end, batch


def _send(client: Client, lines: list[bytes]) -> None:
    refused: list[tuple[int, str]] = []
    if lines:
        send_batch(client, list(enumerate(lines)), refused)
    if refused:
        raise StackError(f"an event was refused: {refused[0][1]}")


def _kill(stack: State, name: str) -> None:
    """End a process at once, and start it again."""
    process = stack.started(name).process()
    if process is not None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    local.start_again(state.data_folder(), stack, name)


def _look(client: Client, sent: Sent, began: datetime) -> Found:
    """Read what came of a load, page by page."""
    touchpoints = client.pages("journey", "/v1/touchpoints", source=SOURCE, arrived_from=text_of(began), limit=500)
    commitments = client.pages("promises", "/v1/commitments", promise=PROMISE, limit=500)
    ours = (each for each in commitments if each["correlation"] in sent.owed)
    cases = client.pages("recovery", "/v1/cases", promise=PROMISE, limit=100)
    return judged(sent, touchpoints, ours, cases)


def _tell(sent: Sent, killed: Counter[str], found: Found) -> None:
    out = console.output()
    for each in found.wrong[:20]:
        out.print(f"  !! {each}", markup=False)
    kills = ", ".join(f"{name} {number}" for name, number in sorted(killed.items()))
    out.print(f"\n{killed.total()} kills ({kills}) while {len(sent.events):,} events were sent about {len(sent.owed):,} questions.")
    out.print(f"  kept {found.verdicts['kept']:,}, broken {found.verdicts['broken']:,}, each broken one in a case")
    out.print(f"  lost {len(found.lost):,}, doubled {len(found.doubled):,}, said falsely {len(found.false):,}")
