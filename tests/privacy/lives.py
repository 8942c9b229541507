"""What a customer goes through, with something of theirs in every field that their data can get into."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import orjson
from ruamel.yaml import YAML

from contracts import customer, measures
from services.journey.domain import customer_key
from tests.driving import touchpoint
from tests.journey.conftest import declare
from tests.privacy.house import House, read
from tests.promises.conftest import promise, response

IDENTIFIERS = {"order": {"path": "data.order", "of": "thing"}, "email": {"path": "data.email"}}
HOURS = timedelta(hours=1)
OF_STAFF = {"by", "team", "seen_by", "employee", "owner"}
"""Fields that name who of the company it was."""


class Canaries:
    """Gives a new one for each name that is asked for."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}

    def __getitem__(self, place: str) -> str:
        return self.given.setdefault(place, f"canary{len(self.given):02}x")


async def declared(house: House) -> None:
    for type_ in ("placed", "delivered", "paid", "weighed", "seen"):
        await declare(house.engines["journey"], type_, IDENTIFIERS)
    async with house.somebody("journey", "manager") as manager:
        for where, document in DOCUMENTS.items():
            read(await manager.post(f"/v1/{where}", json=YAML(typ="safe").load(document)))
    engine = house.engines["promises"]
    await promise(engine, "in-time", {"response": response(), "segment": "data.channel"})
    weight = {"event": {"type": "weighed"}, "must": "data.weight > 5", "correlate": "data.order"}
    await promise(engine, "heavy", {"conformance": weight})
    whole = {"when": {"type": "placed"}, "collect": {"type": "paid"}, "correlate": "data.order", "within": "5 hours"}
    await promise(engine, "paid", {"settlement": whole | {"must": "sum(events, 'data.value') >= 1"}, "segment": "data.channel"})


DOCUMENTS = {
    "journey-maps": """
apiVersion: makegood/v1
kind: JourneyMap
metadata: {name: shop, owner: sales}
spec:
  stages:
    - {name: buying, phase: sale, touchpoints: {type: placed}, silence: 30 days}
    - {name: using, phase: after, touchpoints: {type: [delivered, seen]}, silence: 30 days}
  moments: [{name: first-order, at: {type: placed}, first: true}]
""",
    "relationships": """
apiVersion: makegood/v1
kind: Relationship
metadata: {name: shop, owner: service}
spec:
  feedback: [{name: complaint, of: {type: complained}, tone: -1, ignored_after: 1 hour, owner: service}]
  currency: EUR
""",
    "principles": "{apiVersion: makegood/v1, kind: Principle, metadata: {name: mission}, spec: {statement: We keep our word.}}",
}


async def live(house: House, who: str, c: Any) -> UUID:
    """What a customer goes through, with something of theirs in every field; returns their key."""
    subject = f"crm:{c['subject']}"
    data = {
        "order": c["order"],
        "channel": c["channel"],
        "email": c["email"],
        "deep": [{"a": {c["name in data"]: c["depth"]}}],
        "total": 50,
    }
    data |= {c[f"name {number}"]: [None, {"value": [c[f"value {number}"]]}] for number in range(7)}
    dressed = {"subject": subject, "data": data, "note": c["extension"], "dataschema": f"urn:{c['dataschema']}"}
    house.send(touchpoint(f"{who}-{c['event id']}", "placed", **dressed), key=c["record key"].encode())
    described = {"attributes": {"tier": c["attribute"], c["attribute name"]: True}}
    house.send(touchpoint(f"{who}-d", "customer.described", subject=subject, data=described))
    house.send(touchpoint(f"{who}-p", "paid", subject=subject, data={"order": c["order"], "value": 3, "by": c["payer"]}))
    house.send(touchpoint(f"{who}-w", "weighed", subject=subject, data={"order": c["order"], "weight": c["no weight"]}))
    house.send(touchpoint(f"{who}-2", "placed", subject=subject, data={"order": c["second order"], "channel": "web"}))
    house.send(touchpoint(f"{who}-3", "delivered", subject=subject, data={"order": c["second order"]}))
    house.send(touchpoint(f"{who}-4", "seen", subject=f"order:{c['parcel']}", data={"street": c["street"]}))
    house.send(touchpoint(f"{who}-c", "contact.begun", subject=subject, data={"contact": c["contact"], "channel": c["way in"]}))
    house.send(touchpoint(f"{who}-6", "complained", subject=subject, data={"text": c["complaint"], "topic": c["topic"]}))
    need = {
        "need": c["need"],
        "level": "latent",
        "by": "maria",
        "discretion": "team",
        "team": "branch",
        "purpose": "service",
        "confidence": 0.5,
    }
    house.send(touchpoint(f"{who}-7", "customer.need.observed", subject=subject, data=need))
    house.send(touchpoint(f"{who}-5", "seen", subject=subject, data={"order": c["parcel"]}))
    sense(house, who, c, subject)
    await house.pass_time(3)
    await refuse(house, who, c, subject)
    await speak(house, c, customer_key(subject))
    await mention(house, c, subject)
    await house.pass_time(1)
    return customer_key(subject)


def sense(house: House, who: str, c: Any, subject: str) -> None:
    """One of every type that the catalogue knows of a customer, with something of theirs in every free field that it has by now."""
    for kind in (*customer.EVENTS, *measures.EVENTS):
        fields = {} if kind.data is None else kind.data.model_json_schema()["properties"]
        if "round" in fields or kind.name == "customer.consent.withdrawn":
            continue  # a team's pulse is about no customer; what is withheld for want of consent would be in no figure before
        said = {name: filled for name, field in fields.items() if name not in OF_STAFF for filled in free(field, c[f"sensed {name}"])}
        said |= {"discretion": "open"} if "discretion" in fields else {}
        house.send(touchpoint(f"{who}-{kind.name}", kind.name, subject=subject, data=kind.example["data"] | said))


def free(field: dict[str, Any], text: str) -> list[Any]:
    """The text as a field of this schema takes it, if it takes any."""
    for each in field.get("anyOf", [field]):
        if each.get("type") == "string" and not {"enum", "format"} & each.keys():
            return [text]
        if each.get("type") == "array":
            return [[text]]
    return []


async def refuse(house: House, who: str, c: Any, subject: str) -> None:
    """Records that cannot be taken, whole and in pieces; one is dismissed, one corrected."""
    first = len(house.lanes["touchpoints"].log)
    house.send(touchpoint(f"{who}-b1{c['refused id']}", time=None, subject=subject, data=c["refused data"]), key=c["refused key"].encode())
    corrected = touchpoint(f"{who}-b2", "seen", time=None, subject=subject, data={"order": c["refused order"]})
    house.send(corrected, headers=[("content-type", b"application/cloudevents+json"), ("x-who", c["header"].encode())])
    house.send(f'{{"specversion":"1.0","subject":"{subject}","data":{{"x":"{c["cut"]}'.encode())
    house.send(touchpoint(f"{who}-b3", "seen", time="never", data={"email": c["email"], "x": c["bad time"]}, source=c["source"]))
    binary = [("ce_specversion", b"1.0"), ("ce_id", b"x"), ("ce_type", b"t"), ("ce_subject", subject.encode()), ("ce_source", b"shop")]
    house.send(c["binary body"].encode(), headers=[*binary, ("ce_UPPER", c["bad attribute"].encode())])
    await house.settle()
    async with house.somebody("journey", "operations") as operator:
        at = "/v1/quarantine/touchpoints/0"
        read(await operator.post(f"{at}/{first}/dismiss", json={"reason": f"a test of {c['dismissal']}"}))
        right = orjson.loads(corrected) | {"time": house.now.isoformat(), "data": {"order": c["refused order"], "x": c["correction"]}}
        read(await operator.post(f"{at}/{first + 1}/release", json={"event": right}))


async def speak(house: House, c: Any, customer: UUID) -> None:
    """What people write about the customer."""
    async with house.somebody("promises", "manager", "lead") as manager:
        broken = read(await manager.get(f"/v1/commitments?customer={customer}&judgement=broken"))["items"][0]
        headers = {"Idempotency-Key": c["key of terms"]}
        term = {"customer": str(customer), "within": "30 days"}
        read(await manager.post("/v1/promises/in-time/terms", json=term, headers=headers))
        excuse = {"reason": "force-majeure", "text": c["excuse"], "evidence": [c["evidence"]], "approver": "maria"}
        path = f"/v1/commitments/{broken['id']}/excuse"
        answer = await manager.post(path, json=excuse, headers={"Idempotency-Key": c["key of excuse"]})
        assert answer.status_code in {201, 503}, answer.text
    case = await the_case(house, customer)
    async with house.somebody("recovery", "agent") as agent:
        read(await agent.post(f"/v1/cases/{case['id']}/owner", headers={"If-Match": f'"{case["version"]}"'}))
        case = await the_case(house, customer)
        pledge = {"what": c["pledge"], "due": (house.now + 5 * HOURS).isoformat()}
        headers = {"If-Match": f'"{case["version"]}"', "Idempotency-Key": c["key of pledge"]}
        read(await agent.post(f"/v1/cases/{case['id']}/pledges", json=pledge, headers=headers))
        await write_to(agent, house, c, customer)
        case = await the_case(house, customer)
        read(await agent.post(f"/v1/cases/{case['id']}/remedy", json={"what": c["remedy"]}, headers={"If-Match": f'"{case["version"]}"'}))


async def mention(house: House, c: Any, subject: str) -> None:
    """Words about the work, or about many, that name the customer all the same."""
    note = f"{c['note']}, as ({subject}) told us."
    since = (house.now - HOURS).isoformat()
    async with house.somebody("recovery", "lead", "manager", subject="lea") as lead:
        for number, (path, body) in enumerate(
            {
                "people/ana/coaching-notes": {"text": note},
                "improvements": {
                    "component": "procedures",
                    "what": f"A second look: {subject}.",
                    "owner": "lea",
                    "due": house.now.isoformat(),
                },
                "queues": {"name": f"like {subject}", "filter": {"customer": str(customer_key(subject))}},
                "mass-failures": {"what": f"The storm, first seen by {subject}", "since": since, "promises": ["in-time"]},
            }.items()
        ):
            read(await lead.post(f"/v1/{path}", json=body, headers={"Idempotency-Key": f"mention-{number}-{customer_key(subject)}"}))


async def write_to(agent: httpx2.AsyncClient, house: House, c: Any, customer: UUID) -> None:
    """An e-mail to the customer, on its way: it waits in the queue with whom it goes to and what it says."""
    message = {"subject": c["subject line"], "text": c["message"]}
    said = {"channel": "phone", "reached": True, "said": c["what they said"], "felt": c["how they felt"]}
    wanted = {"channel": "email", "address": f"{c['address']}@example.com"}
    for path, needs in (("preferences", wanted), ("contacts", said), ("messages", message), ("messages/{}/send", {})):
        case = await the_case(house, customer)
        whole = read(await agent.get(f"/v1/cases/{case['id']}"))
        headers = {"If-Match": f'"{whole["version"]}"', "Idempotency-Key": c[f"key of {path[:5]}"]}
        last = whole["messages"][-1]["id"] if whole.get("messages") else ""
        read(await agent.post(f"/v1/cases/{case['id']}/{path.format(last)}", json=needs, headers=headers))


async def the_case(house: House, customer: UUID) -> dict[str, Any]:
    async with house.somebody("recovery", "agent") as agent:
        found: dict[str, Any] = read(await agent.get(f"/v1/cases?customer={customer}"))["items"][0]
        return found


class Plain(dict[str, str]):
    """What Bob's fields hold: no canary."""

    def __missing__(self, place: str) -> str:
        return f"plain-{place.replace(' ', '-')}" if place != "attribute name" else "plain"
