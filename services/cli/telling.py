"""`story`: played into a running system on the replay clock, over REST and Kafka as people and systems do; tells what comes of it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import typer

from contracts.topics import PROMISES
from deploy.errors import StackError
from deploy.local.state import State
from services.chassis.instants import text_of
from services.cli import narration, replay
from services.cli.client import Client, RefusedError, running
from services.cli.rest import POLL, Rest
from services.cli.story import CARACAS, CAST, CUSTOMER, HERSELF, PROMOTER, STORY, TEAM, Act, Event, Step
from services.recovery.domain.things import THINGS

_PATIENCE: Final = 60.0
"""Seconds that one step may take to show."""
_STALE: Final = 412
_MINUTE: Final = timedelta(minutes=1)
"""Between the things that are done in one step."""
Entry = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(story)


def story() -> None:
    """Play the story of the lost passport into the running system, on the replay clock and with `promises/` published."""
    tell(running(), print)


@dataclass(slots=True)
class Telling:
    """A story of one customer on its way through a running system; `promoter` reads, everybody else acts in their own name."""

    stack: State
    say: Callable[[str], None]
    company: Client
    promoter: Client
    open: Callable[[Client], Client]
    """Keeps a client until the story is told."""
    identifier: str = CUSTOMER
    people: dict[str, Client] = field(default_factory=dict)
    customer: UUID | None = None
    told: set[str] = field(default_factory=set)
    events: dict[str, str] = field(default_factory=dict)
    """By event id, how it reads."""

    def take(self, step: Step) -> None:
        """Let it be that moment, do what is done, and tell what the timeline gained."""
        if any(isinstance(each, Act) for each in step.does):
            self.reach(step.at)
        else:
            replay.advance(self.stack, step.at)
        for number, each in enumerate(step.does):
            if isinstance(each, Event):
                self._happen(each, step.at + number * _MINUTE)
            else:
                self._act(each)
                if each.words:
                    self.say(_line(step.at, each.by, each.words))
        if any(isinstance(each, Event) for each in step.does):
            replay.advance(self.stack, step.at + len(step.does) * _MINUTE)
        wanted = sorted(f"makegood.{each}" for each in step.shows)
        self._wait(f"the timeline shows {', '.join(wanted)}", lambda: _gained(self._news(), wanted))
        for entry in self._news():
            self._tell(entry)
        for look in step.looks:
            found = self.promoter.get(look.service, look.path.format(customer=self.customer, case=self.case()))
            self.say(_line(step.at, PROMOTER, f"sees {look.words(found)}"))

    def reach(self, moment: datetime) -> None:
        """Let it be that moment, for those who act, too."""
        replay.advance(self.stack, moment)
        self._wait(f"it is {moment:%d %b %H:%M} for those who act", lambda: self._is_there(moment))

    def case(self) -> str:
        """The id of the customer's latest case."""
        found = self.company.get("recovery", "/v1/cases", customer=str(self.customer))["items"]
        return str(max(found, key=lambda each: str(each["opened_at"]))["id"])

    def _wait(self, what: str, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                shown = ", ".join(each["type"] for each in self._news())
                message = f"{_PATIENCE:.0f} s have gone by and not yet: {what}. It shows {shown or 'nothing new'}."
                raise StackError(f"{message} The logs of the services may say why.")
            time.sleep(POLL / 2)

    def _is_there(self, moment: datetime) -> bool:
        rows = Rest(self.company, self.stack).rows("recovery")
        reached = [row.arrival for (topic, _), row in rows.items() if topic == PROMISES]
        return bool(reached) and all(each is not None and each >= moment for each in reached)

    def _happen(self, event: Event, at: datetime) -> None:
        sent = {
            "specversion": "1.0",
            "id": f"{self.identifier}-{event.type}-{len(self.events) + 1}",
            "source": event.source,
            "type": event.type,
            "subject": event.subject or self.identifier,
            "time": text_of((at - event.late).astimezone(UTC)),
            "recordedtime": text_of(at.astimezone(UTC)),
            "datacontenttype": "application/json",
            "data": dict(event.data),
        }
        self.events[str(sent["id"])] = event.words
        if event.straight:
            replay.produce(self.stack, [sent])
        else:
            self.company.post("journey", "/v1/touchpoints", json=sent, headers={"Content-Type": "application/cloudevents+json"})

    def _act(self, act: Act) -> None:
        """Do an act; where the system moved the case meanwhile, look again. Raises `StackError` where one that must be refused is not."""
        key = str(uuid4())
        while True:
            try:
                self._try(act, key)
            except RefusedError as error:
                if error.status == _STALE:
                    continue
                if act.refused is None or error.kind != act.refused:
                    raise
                return
            if act.refused is not None:
                raise StackError(f"{act.by} was let do what has to be refused: {act.path}")
            return

    def _try(self, act: Act, key: str) -> None:
        who, headers = self._somebody(act.by), {"Idempotency-Key": key}
        if act.path.startswith("/v1/people/"):
            headers["If-Match"] = who.call("GET", "recovery", act.path).headers["ETag"]
            who.call("PUT", "recovery", act.path, headers=headers, json=act.body)
            return
        case = self.case()
        if act.path.startswith("/"):
            who.post("recovery", act.path, headers=headers, json={**(act.body or {}), "case": case})
            return
        read = self.company.call("GET", "recovery", f"/v1/cases/{case}")
        headers["If-Match"] = read.headers["ETag"]
        who.post("recovery", f"/v1/cases/{case}/{_filled(act.path, read.json())}", headers=headers, json=act.body)

    def _somebody(self, by: str) -> Client:
        """Somebody of the cast, or the customer, with a token of their own."""
        if by not in self.people:
            subject = f"customer:{self.customer}" if by == HERSELF else by
            self.people[by] = self.open(Client(self.stack, subject, (CAST[by],), () if by == HERSELF else (TEAM,)))
        return self.people[by]

    def _news(self) -> list[Entry]:
        """What the timeline holds and was not told yet."""
        if self.customer is None:
            found = self.company.get("journey", "/v1/customers", identifier=self.identifier)["items"]
            if not found:
                return []
            self.customer = UUID(found[0]["key"])
        entries = self.promoter.pages("journey", f"/v1/customers/{self.customer}/timeline", limit=1000)
        return [each for each in entries if each["id"] not in self.told]

    def _tell(self, entry: Entry) -> None:
        self.told.add(entry["id"])
        words = self.events.get(entry["id"]) or narration.told(entry)
        if words is not None:
            self.say(narration.line(entry, words, CARACAS))


@contextmanager
def telling(stack: State, say: Callable[[str], None]) -> Iterator[Callable[[str], Telling]]:
    """Give what begins the story of the customer with an identifier."""
    with ExitStack() as clients:
        company = clients.enter_context(Client(stack))
        promoter = clients.enter_context(Client(stack, PROMOTER, (CAST[PROMOTER],), (TEAM,)))
        yield lambda identifier: Telling(stack, say, company, promoter, clients.enter_context, identifier)


def tell(stack: State, say: Callable[[str], None], steps: Sequence[Step] = STORY) -> UUID:
    """Play the story into a system on the replay clock, and tell the timeline as it unfolds; return the customer's key."""
    with telling(stack, say) as begin:
        hers = begin(CUSTOMER)
        for step in steps:
            hers.take(step)
    assert hers.customer is not None, "a story begins with the customer"
    return hers.customer


def _filled(path: str, case: Mapping[str, Any]) -> str:
    """The path with the things of the case that are still to be done, else the last ones."""
    return path.format_map({kind: _next(case[part])["id"] for kind, part in THINGS.items() if case[part]})


def _next(things: Sequence[Entry]) -> Entry:
    def order(each: Entry) -> tuple[bool, bool, str]:
        return each.get("done") is None, each.get("bearer") == "employee", each.get("due") or each["at"]

    return max(things, key=order)


def _gained(news: Sequence[Entry], wanted: Sequence[str]) -> bool:
    types = [each["type"] for each in news]
    return all(types.count(each) >= wanted.count(each) for each in wanted)


def _line(at: datetime, who: str, words: str) -> str:
    return f"  {at:%a %d %b %Y %H:%M}  {who:<10} {words}"
