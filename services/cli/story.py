"""The lost passport, as touchpoints and acts: what is done when, and what the timeline must then show.

Bank branch in Caracas, November 2012; half an hour off the full hours is that country's zone in those years.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from contracts.roles import Role
from contracts.topics import PROMISES
from deploy.errors import StackError
from deploy.local.state import State
from services.chassis.instants import text_of
from services.cli import narration, replay
from services.cli.answers import key_of
from services.cli.client import Client, RefusedError
from services.cli.rest import POLL, Rest

CUSTOMER: Final = "crm:4711"
PROMOTER: Final = "promoter"
CARACAS: Final = ZoneInfo("America/Caracas")
SOURCE: Final = "bank/branch"
_PATIENCE: Final = 60.0
"""Seconds that one step may take to show."""
_STALE: Final = 412
_MINUTE: Final = timedelta(minutes=1)
"""Between the things that are done in one step."""
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to the customer."""

    type: str
    words: str
    data: Mapping[str, Any] = field(default_factory=dict)
    straight: bool = False
    """Written to Kafka by the company's system itself; otherwise sent over HTTP."""
    subject: str = CUSTOMER
    source: str = SOURCE


@dataclass(frozen=True, slots=True)
class Act:
    """Something that the promoter does in the case, over REST."""

    path: str
    words: str = ""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of the story, local time; `shows` is what the timeline must gain by it."""

    at: datetime
    does: tuple[Event | Act, ...]
    shows: tuple[str, ...]


def _at(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=CARACAS)


_PASSPORT: Final = {"document_id": "passport-1", "document": "passport"}
_TICKET: Final = {"document_id": "ticket-1", "document": "ticket"}
_CALL: Final = "I call you by ten tomorrow, and I will have found a way to a new passport."
_MADE_GOOD: Final = "A new passport this morning, its fee paid; the currency recorded again; tomorrow I drive you to the airport."
_HER_WORDS: Final = "I had meant not to come back. I have changed my mind."

STORY: Final = (
    Step(
        _at("2012-11-05", "09:40"),
        (
            Event("visit.started", "comes to the branch for currency: she flies to Spain on Wednesday", {"purpose": "currency"}),
            Event("document.handed_over", "hands over her passport", _PASSPORT),
            Event("document.handed_over", "hands over her ticket", _TICKET),
        ),
        ("makegood.commitment.opened", "makegood.commitment.opened"),
    ),
    Step(
        _at("2012-11-05", "10:05"),
        (Event("document.returned", "has her ticket back", {"document_id": "ticket-1"}),),
        ("makegood.commitment.kept",),
    ),
    Step(
        _at("2012-11-05", "10:10"),
        (Event("document.missing", "is to have her passport back, and it is gone", {"document_id": "passport-1"}, straight=True),),
        ("makegood.commitment.broken", "makegood.case.opened"),
    ),
    Step(_at("2012-11-05", "10:14"), (Act("owner"),), ("makegood.case.owned", "makegood.commitment.kept")),
    Step(
        _at("2012-11-05", "10:30"),
        (Act("pledges", _CALL, {"what": _CALL, "due": _at("2012-11-06", "10:00").isoformat()}),),
        ("makegood.case.pledged", "makegood.commitment.opened"),
    ),
    Step(
        _at("2012-11-05", "21:30"),
        (Act("pledges/{pledge}/fulfil", "calls the same night: meet me at the office when it opens"),),
        ("makegood.case.pledge_fulfilled", "makegood.commitment.kept", "makegood.case.pledge_kept"),
    ),
    Step(
        _at("2012-11-06", "11:30"),
        (Act("remedy", _MADE_GOOD, {"what": _MADE_GOOD}),),
        ("makegood.case.remedied", "makegood.commitment.opened"),
    ),
    Step(
        _at("2012-11-07", "15:00"),
        (Event("customer.confirmed", f'says at the airport: "{_HER_WORDS}"', {"words": _HER_WORDS}),),
        ("makegood.commitment.kept", "makegood.case.confirmed", "makegood.case.watching", "makegood.commitment.opened"),
    ),
    Step(
        _at("2012-12-03", "10:00"),
        (Event("visit.started", "comes back from Spain, to the same branch", {"purpose": "account"}),),
        ("makegood.commitment.kept",),
    ),
    Step(_at("2012-12-08", "08:30"), (), ("makegood.commitment.kept", "makegood.case.restored")),
)


@dataclass(slots=True)
class Telling:
    """The story on its way through a running system."""

    stack: State
    say: Callable[[str], None]
    company: Client
    promoter: Client
    customer: UUID | None = None
    told: set[str] = field(default_factory=set)
    events: dict[str, str] = field(default_factory=dict)
    """By event id, how it reads."""

    def take(self, step: Step) -> None:
        """Let it be that moment, do what is done, and tell what the timeline gained."""
        replay.advance(self.stack, step.at)
        if any(isinstance(each, Act) for each in step.does) or self.customer is not None:
            self._wait(f"it is {step.at:%d %b %H:%M} for those who act", lambda: self._is_there(step.at))
        for number, each in enumerate(step.does):
            if isinstance(each, Event):
                self._happen(each, step.at + number * _MINUTE)
            else:
                self._act(each)
                if each.words:
                    self.say(_line(step.at, PROMOTER, each.words))
        replay.advance(self.stack, step.at + len(step.does) * _MINUTE)
        wanted = sorted(step.shows)
        self._wait(f"the timeline shows {', '.join(wanted)}", lambda: _gained(self._news(), wanted))
        for entry in self._news():
            self._tell(entry)

    def _wait(self, what: str, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise StackError(f"{_PATIENCE:.0f} s have gone by and not yet: {what}. The logs of the services may say why.")
            time.sleep(POLL / 2)

    def _is_there(self, moment: datetime) -> bool:
        rows = Rest(self.company, self.stack).rows("recovery")
        reached = [row.arrival for (topic, _), row in rows.items() if topic == PROMISES]
        return bool(reached) and all(each is not None and each >= moment for each in reached)

    def _happen(self, event: Event, at: datetime) -> None:
        when = text_of(at.astimezone(UTC))
        sent = {
            "specversion": "1.0",
            "id": f"{event.type}-{len(self.events) + 1}",
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": when,
            "recordedtime": when,
            "datacontenttype": "application/json",
            "data": dict(event.data),
        }
        self.events[str(sent["id"])] = event.words
        if event.straight:
            replay.produce(self.stack, [sent])
        else:
            self.company.post("journey", "/v1/touchpoints", json=sent, headers={"Content-Type": "application/cloudevents+json"})

    def _act(self, act: Act) -> None:
        """Do an act on the case as it stands; where the system moved it meanwhile, look again."""
        key = str(uuid4())
        case = self.company.get("recovery", "/v1/cases", customer=str(self.customer))["items"][0]["id"]
        while True:
            read = self.company.call("GET", "recovery", f"/v1/cases/{case}")
            pledges = read.json()["pledges"]
            path = act.path.format(pledge=pledges[-1]["id"] if pledges else "")
            headers = {"If-Match": read.headers["ETag"], "Idempotency-Key": key}
            try:
                self.promoter.post("recovery", f"/v1/cases/{case}/{path}", headers=headers, json=act.body)
            except RefusedError as error:
                if error.status != _STALE:
                    raise
            else:
                return

    def _news(self) -> list[Entry]:
        """What the timeline holds and was not told yet."""
        if self.customer is None:
            found = self.company.get("journey", "/v1/customers", identifier=CUSTOMER)["items"]
            if not found:
                return []
            self.customer = UUID(found[0]["key"])
        entries = self.company.pages("journey", f"/v1/customers/{self.customer}/timeline", limit=1000)
        return [each for each in entries if each["id"] not in self.told]

    def _tell(self, entry: Entry) -> None:
        self.told.add(entry["id"])
        words = self.events.get(entry["id"]) or narration.told(entry)
        if words is not None:
            self.say(narration.line(entry, words, CARACAS))


def tell(stack: State, say: Callable[[str], None], story: Sequence[Step] = STORY) -> UUID:
    """Play the story into a system on the replay clock, and tell the timeline as it unfolds; return the customer's key."""
    with Client(stack) as company, Client(stack, PROMOTER, (Role.AGENT,)) as promoter:
        telling = Telling(stack, say, company, promoter)
        for step in story:
            telling.take(step)
        return key_of(company, CUSTOMER)


def _gained(news: Sequence[Entry], wanted: Sequence[str]) -> bool:
    types = [each["type"] for each in news]
    return all(types.count(each) >= wanted.count(each) for each in wanted)


def _line(at: datetime, who: str, words: str) -> str:
    return f"  {at:%a %d %b %Y %H:%M}  {who:<10} {words}"
