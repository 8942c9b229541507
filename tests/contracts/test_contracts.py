"""What is committed under `contracts/` is what the models say, is valid, and takes nothing away from who relies on it."""

import copy
import json
import subprocess
from typing import Any, Literal

import jsoncompat
import jsonschema
import pytest
from ruamel.yaml import YAML

from contracts import access, asyncapi, generate, topics
from contracts.catalogue import EVENTS
from contracts.envelope import EventType
from contracts.roles import Role
from services.chassis import cloudevents

ROOT = generate.FOLDER.parent
# `deserializer`: whatever was accepted still is. `serializer`: whatever we send, readers of the old schema understand.
ROLES: dict[str, Literal["serializer", "deserializer"]] = {"touchpoint": "deserializer"}

every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda each: each.name)


def _git(*arguments: str) -> str | None:
    answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def _released() -> str:
    """The last release, or the last commit where there is none."""
    tag = _git("describe", "--tags", "--abbrev=0", "--match=v*")
    if tag:
        return tag.strip()
    if _git("rev-parse", "--verify", "HEAD") is None:
        pytest.skip("nothing has been committed yet that could be compared with")
    return "HEAD"


def _at(release: str, folder: str) -> dict[str, str]:
    """The committed files of a folder of contracts, by name."""
    listed = _git("ls-tree", "--name-only", release, f"contracts/{folder}/") or ""
    return {path.rpartition("/")[2].removesuffix(".json"): _git("show", f"{release}:{path}") or "" for path in listed.splitlines()}


def compatible(name: str, old: str, new: str) -> bool:
    # jsoncompat follows references inside one document only, and takes `$id` for the name of another
    before, after = (json.dumps({key: part for key, part in json.loads(each).items() if key != "$id"}) for each in (old, new))
    return jsoncompat.check_compat(before, after, ROLES.get(name, "serializer"))


def test_generated_files_are_up_to_date() -> None:
    """Breaks when a model changes and nobody ran `python -m contracts.generate`."""
    assert generate.stale() == []


def test_generating_twice_gives_the_same_bytes() -> None:
    assert generate.documents() == generate.documents()


@every_event
def test_every_example_is_valid_by_model_schema_and_codec(event: EventType) -> None:
    event.model().model_validate_json(json.dumps(event.example))
    jsonschema.validate(event.example, generate.schema(event), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    decoded = cloudevents.event(event.example)
    assert decoded.attributes == event.example
    assert event.any_type or decoded.type == event.name


@every_event
def test_every_schema_is_a_valid_schema(event: EventType) -> None:
    jsonschema.Draft202012Validator.check_schema(generate.schema(event))


def test_names_of_event_types_are_unique() -> None:
    assert len({event.name for event in EVENTS}) == len({event.title for event in EVENTS}) == len(EVENTS)


def test_no_published_schema_was_taken_back_or_narrowed() -> None:
    """Breaks when a field is taken away, renamed or retyped: publish a new version of the type instead."""
    release = _released()
    current = {event.name: json.dumps(generate.schema(event)) for event in EVENTS}
    published = _at(release, "schemas")
    assert published.keys() <= current.keys()
    broken = [name for name, old in published.items() if not compatible(name, old, current[name])]
    assert broken == []


def test_every_published_example_still_validates() -> None:
    models = {event.name: event.model() for event in EVENTS}
    for name, example in _at(_released(), "examples").items():
        models[name].model_validate_json(example)


@pytest.mark.parametrize("name", ["makegood.commitment.kept", "recovery.pledge.made", "touchpoint"])
def test_the_gate_sees_a_retyped_field(name: str) -> None:
    event = next(each for each in EVENTS if each.name == name)
    old = generate.schema(event)
    new = copy.deepcopy(old)
    new["properties"]["source"] = {"type": "integer"}
    assert not compatible(name, json.dumps(old), json.dumps(new))


def test_the_gate_sees_a_field_taken_away_and_lets_one_be_added() -> None:
    event = next(each for each in EVENTS if each.name == "makegood.commitment.kept")
    old = generate.schema(event)
    less, more = copy.deepcopy(old), copy.deepcopy(old)
    del less["$defs"]["CommitmentFact"]["properties"]["promise"]
    less["$defs"]["CommitmentFact"]["required"].remove("promise")
    more["$defs"]["CommitmentFact"]["properties"]["further"] = {"type": "string"}
    assert not compatible(event.name, json.dumps(old), json.dumps(less))
    assert compatible(event.name, json.dumps(old), json.dumps(more))


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for value in node.values() for each in _references(value)]
    return [each for value in node for each in _references(value)] if isinstance(node, list) else []


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    document = asyncapi.document(generate.VERSION)
    for reference in _references(document):
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_topics_have_the_names_that_code_uses() -> None:
    names = {topics.TOUCHPOINTS, topics.ACTS, topics.JOURNEY, topics.PROMISES, topics.RECOVERY, topics.DEAD_LETTERS}
    assert {topic.name for topic in topics.topics()} == names
    assert all(topic.name == f"makegood.{topic.short}" for topic in topics.topics())


def test_a_customers_partition_is_the_same_number_in_every_topic_keyed_by_customer() -> None:
    """Breaks if one of the three gets another count: a customer's records would stand in different partitions."""
    counts = {topic.partitions for topic in topics.topics() if topic.name in {topics.JOURNEY, topics.PROMISES, topics.RECOVERY}}
    assert len(counts) == 1


def test_every_topic_shows_an_event_that_stands_in_it() -> None:
    where = {event.name: event.topic for event in EVENTS}
    assert all(topic.example is None or where[topic.example] == topic.name for topic in topics.topics())


def test_other_readers_of_yaml_read_the_same_topics() -> None:
    """Breaks if a value means one thing in YAML 1.2 and another in 1.1, which many tools still read."""
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 1)
    listed = reader.load(topics.PATH.read_text())["topics"]
    assert [topics.Topic.model_validate(each) for each in listed] == list(topics.topics())


def test_every_operation_may_be_done_by_somebody_and_says_why() -> None:
    assert all(row.roles and row.why.endswith(".") for row in access.OPERATIONS.values())


def test_what_changes_something_is_not_open_to_auditors_or_the_public() -> None:
    reading = ("get_", "list_", "find_", "explain_", "watch_", "propose_", "lint_")
    writing = {name: row.roles for name, row in access.OPERATIONS.items() if not name.startswith(reading)}
    assert writing.pop("receive_webhook") == {Role.PUBLIC}  # what it sends is signed
    assert writing.pop("answer_customer_status") == {Role.PUBLIC}  # the link is signed, and given to the customer alone
    assert all(roles.isdisjoint({Role.AUDITOR, Role.PUBLIC}) for roles in writing.values())
