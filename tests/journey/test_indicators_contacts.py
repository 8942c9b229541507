"""Contacts of people with several keys: whatever is linked and unlinked meanwhile, the counts are those of a plain recount."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.projections import projector
from services.journey.projections.measuring import Indicators
from services.journey.projections.projector import Projector
from services.journey.store import principles
from tests.driving import NOON, clear, rows, touchpoint
from tests.journey.conftest import TABLES, Raw
from tests.journey.identities import say, trust
from tests.journey.test_principles import principle

NAMES = ("crm:1", "crm:2", "card:1")
INDICATORS = ("statements", "indicator_contacts", "indicator_counts", "indicator_groups", "projections")
Counts = dict[tuple[str | None, bool], Counter[str]]


class Told(NamedTuple):
    """Something that happened in a contact, as it is told."""

    name: str
    contact: str
    kind: str
    minute: int
    channel: str


class Stated(NamedTuple):
    """Who is said to be one person, or not."""

    kind: str
    one: str
    other: str


tellings = some.builds(
    Told, some.sampled_from(NAMES), some.sampled_from("xxy"), some.sampled_from(["begun", "begun", "greeted", "attended", "ended"]),
    some.integers(0, 90), some.sampled_from(["phone", "branch"]),
)  # fmt: skip
statements = some.builds(Stated, some.sampled_from(["linked", "unmerged"]), some.sampled_from(NAMES), some.sampled_from(NAMES))
steps = some.lists(some.one_of(tellings, tellings, statements, some.just("measure")), min_size=6, max_size=16)
TWICE = [Told(name, contact, "begun", minute, "phone") for minute, (contact, name) in enumerate(product("xy", ("crm:1", "card:1")))]
LINKED, UNMERGED = Stated("linked", "crm:1", "card:1"), Stated("unmerged", "crm:1", "card:1")


@example(steps=[*TWICE, "measure", LINKED], size=9)
@example(steps=[*TWICE, LINKED, "measure", UNMERGED], size=99)
@example(steps=[*TWICE, LINKED, "measure", Told("card:1", "x", "attended", 3, ""), "measure", UNMERGED], size=1)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps, size=some.integers(1, 6))
async def test_a_contact_under_several_keys_of_one_person_counts_once(
    steps: list[Any], size: int, engine: AsyncEngine, raw: Callable[..., Raw]
) -> None:
    """Breaks if a link left two contacts where there was one, an unmerge one where there were two, or `first` two of one person."""
    await clear(engine, *TABLES, *INDICATORS)
    await trust(engine)
    await principles.publish(engine, "mission", orjson.dumps(principle("mission", sort="mission")), "somebody", NOON)
    lane = await raw(0).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projector, "ROWS", size)
        for number, step in enumerate([*steps, "measure"]):
            match step:
                case Told():
                    time = (NOON + timedelta(minutes=step.minute, seconds=number)).isoformat()
                    data = {"contact": step.contact} | ({"channel": step.channel} if step.kind == "begun" else {})
                    lane.add(touchpoint(f"e{number}", f"contact.{step.kind}", subject=step.name, data=data, time=time))
                case Stated() if step.one != step.other:
                    lane.add(say(f"s{number}", step.kind, step.one, step.other, time=NOON + timedelta(seconds=number)))
                case "measure":
                    await lane.deliver()
                    await Projector(engine, [Indicators()]).step()
        await Projector(engine, [Indicators()]).catch_up()
    assert await counted(engine) == await recounted(engine)


async def counted(engine: AsyncEngine) -> Counts:
    """What the indicators say, by channel and whether it was the first of its customer."""
    found: Counts = defaultdict(Counter)
    joined = "indicator_counts JOIN indicator_groups g ON g.id = grp WHERE quarter >= 0 AND number <> 0"
    for named, what, number in await rows(engine, joined, "named, what, number"):
        group = orjson.loads(named)
        found[group["channel"], group["first"]][what] += number
    return {group: counts for group, counts in found.items() if counts.total()}


async def recounted(engine: AsyncEngine) -> Counts:
    """The same from all that was ever journalled, and from who is one person now."""
    whose = dict(await rows(engine, "customers", "key, coalesce(person, key)"))
    contacts: dict[tuple[Any, str], list[tuple[datetime, str, str | None]]] = defaultdict(list)
    for customer, copied, body in await rows(engine, "journal", "customer, copied, body"):
        event = orjson.loads(body)
        if event["type"].startswith("contact.") and not copied:
            said = datetime.fromisoformat(event["time"]), event["type"].removeprefix("contact."), event["data"].get("channel")
            contacts[whose[customer], event["data"]["contact"]].append(said)
    begun = {place: min(when) for place, said in contacts.items() if (when := [each[0] for each in said if each[1] == "begun"])}
    found: Counts = defaultdict(Counter)
    for place, start in begun.items():
        first = start == min(when for (person, _), when in begun.items() if person == place[0])
        channel = min(each[0::2] for each in contacts[place] if each[1] == "begun")[1]
        found[channel, first].update(_figures(start, contacts[place]))
    return {group: +counts for group, counts in found.items()}


def _figures(start: datetime, said: Iterable[tuple[datetime, str, str | None]]) -> Counter[str]:
    when: dict[str, list[datetime]] = defaultdict(list)
    for time, kind, _ in said:
        when[kind].append(time)
    attended, ended = min(when["attended"], default=None), min(when["ended"], default=None)
    there = attended is not None and (ended is None or attended <= ended)
    seconds = max((attended - start).total_seconds(), 0) if there and attended else 0
    left = ended is not None and not there
    return Counter(contacts=1, greeted=bool(when["greeted"]), attended=int(there), left=int(left), seconds=int(seconds))
