"""The AsyncAPI 3.1 document: topics as channels, who writes and reads them as operations, events as messages."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from contracts.catalogue import EVENTS
from contracts.envelope import EventType
from contracts.topics import Topic, topics

CONTENT_TYPE: Final = "application/cloudevents+json"
SERVICES: Final = ("journey", "promises", "recovery")


def document(version: str) -> dict[str, Any]:
    """The whole document; every reference in it resolves."""
    models = {each.name: each.model() for each in EVENTS}
    payloads, definitions = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template="#/components/schemas/{model}"
    )
    messages = {each.title: _message(each, payloads[models[each.name], "serialization"]) for each in EVENTS}
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Makegood",
            "version": version,
            "description": "The Kafka topics of Makegood. Readers ignore attributes and fields that they do not know.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.short: _channel(topic) for topic in topics()},
        "operations": dict(operation for topic in topics() for operation in _operations(topic)),
        "components": {"schemas": definitions["$defs"], "messages": messages | {"Refused": _REFUSED}},
    }


_REFUSED: Final = {
    "name": "refused",
    "title": "A refused record",
    "summary": "The original value and headers, with the reason and the place it came from.",
    "contentType": "application/octet-stream",
    "headers": {
        "type": "object",
        "required": ["makegood-reason", "makegood-origin"],
        "properties": {
            "makegood-reason": {"type": "string", "description": "why, as a slug"},
            "makegood-origin": {"type": "string", "description": "topic's short name, partition and offset"},
        },
    },
    "payload": {"description": "the bytes as they were sent"},
}


def _messages_of(topic: Topic) -> list[str]:
    return [each.title for each in EVENTS if each.topic == topic.name] or ["Refused"]


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "summary": f"Owned by {topic.owner}, keyed by: {topic.key}.",
        "description": topic.meaning,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(topic)},
        "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions, "bindingVersion": "0.5.0"}},
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    sides = [("send", each) for each in topic.writers] + [("receive", each) for each in topic.readers]
    return [(f"{service}.{action}.{topic.short}", _operation(topic, action, service)) for action, service in sides if service in SERVICES]


def _operation(topic: Topic, action: str, service: str) -> dict[str, Any]:
    verb = "writes" if action == "send" else "reads"
    return {
        "action": action,
        "summary": f"{service} {verb} {topic.name}",
        "channel": {"$ref": f"#/channels/{topic.short}"},
        "messages": [{"$ref": f"#/channels/{topic.short}/messages/{name}"} for name in _messages_of(topic)],
        "tags": [{"name": service}],
    }


def _message(event: EventType, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": event.name,
        "title": event.title,
        "summary": event.meaning,
        "contentType": CONTENT_TYPE,
        "payload": payload,
        "examples": [{"name": event.name, "payload": event.example}],
    }
