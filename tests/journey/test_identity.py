"""Trusted sources say who is whom: what is evidence of whom from then on, and what is so no longer."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.domain import customer_key
from tests.driving import rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare
from tests.journey.identities import after, evidence, say, trust

ANA, BOB, CARD, THING = (str(customer_key(each)) for each in ("crm:ana", "crm:bob", "card:1", "order:o1"))


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await declare(engine, "order.seen", ORDER)
    await trust(engine)
    return await raw().start()


def of(id_: str, subject: str, **others: Any) -> bytes:
    return touchpoint(id_, subject=subject, **others)


def seen(id_: str, subject: str | None = None, *, order: str | None = None, email: str | None = None) -> bytes:
    return touchpoint(id_, "order.seen", subject=subject, data={"order": order, "email": email})


async def deliver(lane: Raw, *values: bytes) -> dict[str, set[str]]:
    for value in values:
        lane.add(value)
    await lane.deliver()
    return await evidence(lane.engine)


async def test_after_a_link_each_key_has_what_the_other_has_and_goes_on_getting_it(lane: Raw) -> None:
    found = await deliver(
        lane, of("a1", "crm:ana"), of("c1", "card:1"), say("link", "linked", "crm:ana", "card:1"), of("a2", "crm:ana"), of("c2", "card:1")
    )
    assert found == {ANA: {"a1", "c1", "link", "a2", "c2"}, CARD: {"a1", "c1", "link", "a2", "c2"}}
    own = {each["id"]: each["customer"] for each in await lane.journal() if each["source"] != "makegood/journey" and "kinship" not in each}
    assert own == {"a1": ANA, "c1": CARD, "link": ANA, "a2": ANA, "c2": CARD}


async def test_what_is_unmerged_is_as_if_it_had_never_been_merged_for_what_comes_after(lane: Raw) -> None:
    found = await deliver(
        lane, of("a1", "crm:ana"), say("merge", "merged", "crm:ana", "card:1", time=after(1)), of("c1", "card:1"),
        say("unmerge", "unmerged", "crm:ana", "card:1", time=after(2)), of("a2", "crm:ana"), of("c2", "card:1"),
    )  # fmt: skip
    assert found == {ANA: {"a1", "merge", "unmerge", "a2"}, CARD: {"c1", "c2"}}
    assert {person for _, person in await rows(lane.engine, "customers", "key, person")} == {None}


async def test_the_later_word_counts_whichever_came_first(lane: Raw) -> None:
    """Breaks if a link that arrives late undoes what was said after it."""
    found = await deliver(
        lane, of("a1", "crm:ana"), of("c1", "card:1"), say("u", "unmerged", "crm:ana", "card:1", time=after(2)),
        say("l", "linked", "card:1", "crm:ana", time=after(1)),
    )  # fmt: skip
    assert found == {ANA: {"a1", "u"}, CARD: {"c1", "l"}}
    found = await deliver(lane, say("again", "linked", "crm:ana", "card:1", time=after(3)))
    assert found[ANA] == found[CARD] == {"a1", "u", "c1", "l", "again"}


async def test_a_statement_of_an_untrusted_source_is_refused_and_says_why(lane: Raw) -> None:
    lane.add(say("link", "linked", "crm:ana", "card:1", source="somebody/else"))
    await lane.deliver()
    assert lane.counts() == {"quarantined": 1}
    ((reason, detail),) = await rows(lane.engine, "quarantine", "reason, detail")
    assert reason == "untrusted-source"
    assert "trusted: true" in detail


@pytest.mark.parametrize(
    "data", [None, {}, {"identifiers": []}, {"identifiers": "card:1"}, {"identifiers": [1]}, {"identifiers": ["crm:ana"]},
             {"identifiers": ["card:1", "card:1"]}, {"identifiers": [f"card:{n}" for n in range(17)]}, {"identifiers": ["x" * 513]}],
)  # fmt: skip
async def test_a_statement_that_names_nobody_beside_its_subject_is_refused(lane: Raw, data: Any) -> None:
    lane.add(touchpoint("l", "customer.linked", source="company/crm", subject="crm:ana", data=data))
    lane.add(touchpoint("m", "customer.linked", source="company/crm", data={"identifiers": ["crm:ana", "card:1"]}))
    await lane.deliver()
    assert {reason for (reason,) in await rows(lane.engine, "quarantine", "reason")} == {"bad-statement"}


async def test_a_statement_written_with_escapes_cannot_slip_into_a_batch(lane: Raw) -> None:
    lane.add(of("a1", "crm:ana"))
    lane.add(say("link", "linked", "crm:ana", "card:1").replace(b"customer.linked", rb"customer\u002elinked"))
    await lane.deliver()
    assert await rows(lane.engine, "quarantine", "reason") == [("escaped-type",)]


async def test_a_link_that_contradicts_what_was_said_is_a_conflict_and_has_no_effect(lane: Raw) -> None:
    found = await deliver(
        lane, of("a1", "crm:ana"), of("b1", "crm:bob"), say("l1", "linked", "crm:ana", "card:1", time=after(1)),
        say("u", "unmerged", "crm:bob", "crm:ana", time=after(2)), say("l2", "linked", "crm:bob", "card:1", time=after(3)),
    )  # fmt: skip
    assert found == {ANA: {"a1", "l1"}, CARD: {"a1", "l1"}, BOB: {"b1", "u", "l2"}}
    ((customer, other, decided),) = await rows(lane.engine, "conflicts", "customer::text, other::text, decided")
    assert ({customer, other}, decided) == ({BOB, CARD}, None)


async def test_a_conflict_is_settled_by_what_is_said_of_the_two(lane: Raw) -> None:
    await deliver(lane, seen("e1", "crm:ana", order="o1"), of("b1", "crm:bob"), seen("e2", "crm:bob", order="o1"))
    assert await rows(lane.engine, "conflicts", "decided") == [(None,)]
    for minute, (kind, decided) in enumerate((("unmerged", "other"), ("linked", "same"), ("unmerged", "other"))):
        await deliver(lane, say(f"s{minute}", kind, "crm:ana", "crm:bob", time=after(minute)))
        assert await rows(lane.engine, "conflicts", "decided") == [(decided,)]
    await deliver(lane, seen("e3", "crm:bob", order="o1"))
    assert len(await rows(lane.engine, "conflicts")) == 1, "what was decided is put before nobody again"


async def test_linked_persons_who_share_a_thing_are_no_conflict(lane: Raw) -> None:
    await deliver(lane, say("l", "linked", "crm:ana", "crm:bob"), seen("e1", "crm:ana", order="o1"), seen("e2", "crm:bob", order="o1"))
    assert await rows(lane.engine, "conflicts") == []


async def test_a_link_to_a_thing_that_leads_to_another_person_is_a_conflict(lane: Raw) -> None:
    """Breaks if two persons were joined by an order that they share."""
    found = await deliver(lane, seen("b1", "crm:bob", order="o1"), of("a1", "crm:ana"), say("l", "linked", "crm:ana", "order:o1"))
    assert found == {BOB: {"b1"}, ANA: {"a1", "l"}}
    assert len(await rows(lane.engine, "conflicts")) == 1


async def test_a_thing_that_is_linked_to_a_person_joins_nobody_else(lane: Raw) -> None:
    found = await deliver(
        lane, seen("t1", order="o1"), of("b1", "crm:bob"), say("l", "linked", "crm:ana", "order:o1"), seen("e", "crm:bob", order="o1")
    )
    assert found == {THING: {"t1", "l"}, BOB: {"b1", "e"}, ANA: {"l", "t1"}}
    assert len(await rows(lane.engine, "conflicts")) == 1


async def test_a_thing_that_was_said_to_be_another_persons_does_not_join(lane: Raw) -> None:
    found = await deliver(
        lane, seen("t1", order="o1"), of("a1", "crm:ana"), say("u", "unmerged", "crm:ana", "order:o1"), seen("e", "crm:ana", order="o1")
    )
    assert found == {THING: {"t1"}, ANA: {"a1", "u", "e"}}
    assert await rows(lane.engine, "conflicts") == []


async def test_an_identifier_that_was_attached_by_mistake_is_set_apart(lane: Raw) -> None:
    """Breaks if whoever gets a mistyped address next stayed the customer it was mistyped for."""
    found = await deliver(
        lane, seen("e1", "crm:ana", email="x@y.z"), say("u", "unmerged", "crm:ana", "email:x@y.z"), seen("e2", email="x@y.z")
    )
    assert found == {ANA: {"e1", "u"}, str(customer_key("email:x@y.z")): {"e2"}}
    found = await deliver(lane, seen("e3", "crm:ana", email="x@y.z"))
    assert found[ANA] == {"e1", "u", "e3"}
    assert await rows(lane.engine, "conflicts") == []


async def test_a_thing_that_had_joined_is_set_apart_again(lane: Raw) -> None:
    found = await deliver(
        lane, seen("t1", order="o1"), of("a1", "crm:ana"), seen("join", "crm:ana", order="o1"), seen("t2", order="o1"),
        say("u", "unmerged", "crm:ana", "order:o1"), seen("t3", order="o1"), of("a2", "crm:ana"),
    )  # fmt: skip
    assert found == {THING: {"t1", "t3"}, ANA: {"a1", "join", "t2", "u", "a2"}}


async def test_what_each_key_learns_of_its_person_is_numbered_so_that_lanes_may_overtake_each_other(lane: Raw) -> None:
    await deliver(
        lane, of("c1", "card:1"), say("l", "linked", "crm:ana", "card:1", time=after(1)),
        say("u", "unmerged", "crm:ana", "card:1", time=after(2)), say("l2", "linked", "crm:ana", "card:1", time=after(3)),
    )  # fmt: skip
    told = [
        (each["kinship"], each.get("retracted", False)) for each in await lane.journal() if (each["id"], each["customer"]) == ("c1", ANA)
    ]
    assert told == [(1, False), (2, True), (3, False)]


async def test_no_event_falls_between_a_link_and_another_lane(raw: Callable[..., Raw], lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if a batch that began before the link is neither copied by it nor told of it."""
    other = await raw(1).start()
    for number in range(30):
        other.add(of(f"c{number}", "card:1"))
    lane.add(say("l", "linked", "crm:ana", "card:1"))

    async def one_by_one() -> None:
        while other.lane.progress.position < len(other.log):
            await other.deliver(1)

    await asyncio.gather(one_by_one(), lane.deliver())
    found = await evidence(engine)
    assert found[ANA] == found[CARD] == {"l", *(f"c{number}" for number in range(30))}


async def test_what_was_said_is_kept_with_who_said_it(lane: Raw) -> None:
    await deliver(lane, say("l", "merged", "crm:ana", "card:1", "crm:bob"))
    said = await rows(lane.engine, "statements", "number, kind, same, source, said")
    assert [each[:4] for each in said] == [(1, "customer.merged", True, "company/crm")] * 2
    assert {orjson.loads(each[4])["id"] for each in said} == {"l"}


async def test_what_is_known_of_one_key_is_stamped_on_events_of_the_other_while_they_are_one(lane: Raw) -> None:
    def describe(id_: str, subject: str, minute: int, **attributes: str) -> bytes:
        data = {"attributes": attributes}
        return touchpoint(id_, "customer.described", subject=subject, time=after(minute).isoformat(), data=data)

    await deliver(
        lane, describe("d1", "card:1", 1, tier="gold", zone="UTC"), describe("d2", "crm:ana", 2, tier="blue"), of("a1", "crm:ana"),
        say("l", "linked", "crm:ana", "card:1", time=after(3)), of("a2", "crm:ana"), of("c2", "card:1"),
        say("u", "unmerged", "crm:ana", "card:1", time=after(4)), of("a3", "crm:ana"),
    )  # fmt: skip
    own = {each["id"]: each.get("customerattributes") for each in await lane.journal() if not each.get("evidenceonly")}
    both = '{"tier":"blue","zone":"UTC"}'
    assert [own[id_] for id_ in ("a1", "a2", "c2", "a3")] == ['{"tier":"blue"}', both, both, '{"tier":"blue"}']
