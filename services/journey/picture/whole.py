"""What is kept of one customer for what is asked of all: numbers that add up, and entries of lists. One fold makes all of it.

Numbers are whole, so that the totals of all customers are exactly their sum, in whatever order they were added.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from services.chassis.instants import text_of
from services.journey.picture import consent, needs
from services.journey.picture.aspirations import Aspiration, aspirations
from services.journey.picture.discretion import EVERYONE
from services.journey.picture.encounters import encounters
from services.journey.picture.expectation import Effort, effort, efforts_of_failures, spent, within
from services.journey.picture.feedback import Feedback, falls_silent, feedback, visible
from services.journey.picture.history import History, Touchpoint
from services.journey.picture.refusals import refusals
from services.journey.picture.relationship import figures, standing
from services.journey.picture.rules import Rules
from services.journey.picture.score import loyalty, pieces
from services.journey.picture.stages import JourneyMap, Travel, travel
from services.journey.promised import Known

IGNORED, REFUSED, COME_BACK, NEEDED, ATTACHED = "ignored", "refused", "come_back", "needed", "attached"
"""Lists over all customers."""
DISCRETION = ("discretion", "by", "team", "seen_by")
"""What of an event's data says who may see it."""
NEED = ("need", "kind", "sure", "outcome", "purpose")
"""What of an event's data is kept of a need."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BANDS = (
    ("an hour", timedelta(hours=1)),
    ("a day", timedelta(days=1)),
    ("a week", timedelta(weeks=1)),
    ("30 days", timedelta(days=30)),
    ("a year", timedelta(days=365)),
)
LONGER = "longer"
LONGEST_NAME = 200
"""Characters."""
MOST_EVIDENCE = 20
EFFORTS = ("contacts", "repetitions", "passed_on", "waits")


class Item(NamedTuple):
    """An entry of a list that runs over all customers; names its evidence and holds nothing personal."""

    list: str
    event: UUID
    topic: str
    time: datetime
    owner: str | None = None
    further: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Declared:
    """What was published for pictures; without rules nothing of relationships is kept of all customers."""

    maps: tuple[JourneyMap, ...] = ()
    rules: Rules | None = None
    promises: Known = field(default_factory=dict)


@dataclass(slots=True)
class Picture:
    """One customer's part in everything. `again` is when time alone next changes it; until then it stays as it is."""

    tally: Counter[str] = field(default_factory=Counter)
    items: list[Item] = field(default_factory=list)
    again: datetime | None = None


def picture(declared: Declared, history: History, now: datetime | None) -> Picture:
    """Fold one customer's history."""
    found, history = Picture(), history.so_far(declared.promises)
    for each in declared.maps:
        _add_travel(found, each.name, travel(each, history, now))
    if declared.rules is not None:
        _add_efforts(found, declared, history, now)
        _add_encounters(found, declared.rules, history, now)
        said = feedback(declared.rules, history, now)
        _until(found, falls_silent(declared.rules, history, now))
        _add_feedback(found, said, now)
        going = aspirations(history, EVERYONE, now).items
        _add_refusals(found, history, {each.name: each for each in going})
        _add_aspirations(found, going)
        _add_needs(found, history, now)
        _add_relationship(found, declared.rules, history, said, now)
    return found


def _until(found: Picture, again: datetime | None) -> None:
    if again is not None:
        found.again = again if found.again is None else min(found.again, again)


def _add_travel(found: Picture, name: str, way: Travel) -> None:
    def count(part: str, what: str, which: str, number: int = 1) -> None:
        found.tally[f"map:{name}:{part}:{what}:{plain(which)}"] += number

    count("all", "customers", "travelled" if way.visits else "unseen")
    for visit in way.visits:
        count("stage", visit.how, visit.stage)
        if visit.left is None:
            count("stage", "entered", visit.stage, seconds(visit.entered - EPOCH))
        else:
            count("stage", "seconds", visit.stage, seconds(visit.left - visit.entered))
            count("time", band(visit.left - visit.entered), visit.stage)
    for part, outcomes in (("stage", way.stages), ("moment", way.moments)):
        for which, kept in outcomes.items():
            for what, number in asdict(kept).items():
                if number:
                    count(part, what, which, number)
    for which, met in way.met.items():
        count("moment", "met", which, len(met))
    for type_, number in way.unmapped.items():
        count("unmapped", "touchpoints", type_, number)
    _until(found, way.again)


def _add_efforts(found: Picture, declared: Declared, history: History, now: datetime | None) -> None:
    """What relations cost customers: in all, per journey, and per broken promise."""
    assert declared.rules is not None
    costs = spent(declared.rules.efforts, history)

    def count(part: str, which: str, cost: Effort) -> None:
        numbers = {"number": 1, "waited_seconds": seconds(cost.waited)} | {what: len(getattr(cost, what)) for what in EFFORTS}
        found.tally.update({f"effort:{part}:{plain(which)}:{what}": number for what, number in numbers.items() if number})

    count("all", "", effort(costs))
    for each in declared.maps:
        visits = travel(each, history, now).visits
        if visits:
            count("journey", each.name, effort(costs, within([(visit.entered, visit.left) for visit in visits])))
    for failure in efforts_of_failures(costs, history):
        count("failure", failure.commitment.promise, failure.effort)


def _add_encounters(found: Picture, rules: Rules, history: History, now: datetime | None) -> None:
    for each in encounters(rules, history, now):
        found.tally[f"encounters:{each.kind}:{each.outcome}"] += 1
    _until(found, consent.ends(history, now))


def _add_feedback(found: Picture, said: list[Feedback], now: datetime | None) -> None:
    for each in said:
        state = each.state(now)
        found.tally[f"feedback:{state}:{plain(each.name)}"] += 1
        if state == "waiting":
            _until(found, each.ignored_from)
        elif state == "ignored":
            further = {**_said_by(each.event), "tone": each.tone, "expressed": each.expressed, "told": each.told}
            found.items.append(Item(IGNORED, each.event.key, plain(each.name), each.event.time, _name(each.owner), further))


def _add_refusals(found: Picture, history: History, going: Mapping[str, Aspiration]) -> None:
    """Refusals; with the aspiration that one left unserved where the customer agrees that it is used, and who may see it."""
    for each in refusals(history):
        further = {**_said_by(each.event), "granted": each.granted is not None}
        if each.unserved and (about := going.get(each.aspiration or "")) is not None:
            further["unserved"] = {"aspiration": plain(about.name), **_said_by(about.recorded[-1])}
        found.items.append(Item(REFUSED, each.event.key, plain(each.request), each.event.time, _name(each.event.text("team")), further))


def _said_by(event: Touchpoint) -> dict[str, Any]:
    """An event's type, and what of its data says who may see it."""
    return {"type": event.type, "data": {name: event.data[name] for name in DISCRETION if name in event.data}}


def _add_needs(found: Picture, history: History, now: datetime | None) -> None:
    """All that tells each viewer which needs are unmet, without a word of anybody's: at each time at which somebody may see it begin."""
    for each in needs.unmet(history, now):
        said = sorted([*each.observations, *each.probes, *each.met], key=lambda one: one[:2])
        further = {"said": [_said_of_need(one) for one in said]}
        for one in each.observations:
            found.items.append(Item(NEEDED, one.key, plain(each.name), one.time, _name(one.text("by")), further))


def _said_of_need(event: Touchpoint) -> dict[str, Any]:
    said = _said_by(event)
    said["data"] |= {name: event.data[name] for name in NEED if name in event.data}
    return {**said, "event": str(event.key), "time": text_of(event.time)}


def _add_aspirations(found: Picture, going: Iterable[Aspiration]) -> None:
    """When to come back to what; who may see it, as the touchpoints say that gave the date and that recorded it."""
    for each in going:
        last = max([*each.recorded, *each.revisited], key=lambda one: one[:2])
        if each.come_back is not None:
            owner = _name(last.text("team") or last.text("by"))
            further = {**_said_by(last), "recorded": [_said_by(one) for one in each.recorded]}
            found.items.append(Item(COME_BACK, last.key, plain(each.name), each.come_back, owner, further))


def _add_relationship(found: Picture, rules: Rules, history: History, said: list[Feedback], now: datetime | None) -> None:
    how = standing(rules, history, now)
    found.tally[f"relationship:stage:{how.stage}"] += 1
    _until(found, how.again)
    classic = figures(rules, history, now)
    numbers = {"purchases": classic.purchases, "complaints": classic.complaints, "customers": int(classic.purchases > 0)}
    numbers |= {"loyal": int(classic.purchases > 1), "worth": 0 if classic.worth is None else classic.worth.total}
    who = loyalty(pieces(rules, history, said)).one_person(rules.one_person)
    found.tally.update({f"relationship:figures:{name}": number for name, number in numbers.items() if number})
    if who is not None:
        found.tally[f"relationship:attached:{plain(who)}"] += 1
        found.tally[f"relationship:at_stake:{plain(who)}"] += numbers["worth"]
    _add_attached(found, rules, history, visible(said, None), numbers["worth"])


def _add_attached(found: Picture, rules: Rules, history: History, said: list[Feedback], worth: int) -> None:
    """With whom the customer would leave, by what everybody may see of it."""
    whose = loyalty(pieces(rules, history, said))
    who = whose.one_person(rules.one_person)
    if who is not None and history.touchpoints:
        last = history.touchpoints[-1]
        further = {
            "share": round(whose.employees[who], 4),
            "worth": worth,
            "evidence": [each.evidence for each in whose.evidence[who]][-MOST_EVIDENCE:],
        }
        found.items.append(Item(ATTACHED, last.key, plain(who), last.time, None, further))


def _name(text: str | None) -> str | None:
    return None if text is None else plain(text)


def plain(text: str) -> str:
    """A text of an event's as part of a name: not too long, and without what PostgreSQL's texts cannot hold."""
    return text.replace("\0", "\ufffd")[:LONGEST_NAME]


def seconds(span: timedelta) -> int:
    """Whole seconds of a time span."""
    return span // timedelta(seconds=1)


def band(span: timedelta) -> str:
    """Into which of the bands a time span falls: the first that it does not exceed."""
    return next((name for name, limit in BANDS if span <= limit), LONGER)
