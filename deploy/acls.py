"""What each service may do at the brokers, and nothing else: it follows from who writes and reads which topic (contracts/topics.yaml).

`python -m deploy.acls` lists it; `python -m deploy.acls HOST:PORT` makes it so, as whoever `MAKEGOOD_KAFKA_*` names, who has to be
a super user there. A principal is called as its service; company systems that write to Kafka themselves are `systems`.
"""

import asyncio
import sys
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest
from ruamel.yaml import YAML

from deploy.errors import StackError
from deploy.reach import reaching
from deploy.topics import TOPICS

SYSTEMS = "company systems"
PRINCIPALS = {SYSTEMS: "systems"}
"""Of those in topics.yaml that are not called as their principal is."""
LITERAL, ALLOW, ANYWHERE = 3, 3, "*"


class Kind(IntEnum):
    """What somebody does something to, by its number in Kafka's protocol."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """What somebody does, by its number in Kafka's protocol; who reads or writes may describe."""

    READ = 3
    WRITE = 4
    DESCRIBE_CONFIGS = 10


class Allowed(NamedTuple):
    """One thing that somebody may do."""

    principal: str
    kind: Kind
    name: str
    operation: Operation


def allowed(path: Path = TOPICS) -> list[Allowed]:
    """Return all that anybody may do: write and read their topics, see how these are set, and share in the group of their name."""
    found: set[Allowed] = set()
    for topic in YAML(typ="safe").load(path)["topics"]:
        for operation, names in ((Operation.WRITE, topic["writers"]), (Operation.READ, topic["readers"])):
            for name in names:
                principal = PRINCIPALS.get(name, name)
                found.add(Allowed(principal, Kind.TOPIC, topic["name"], operation))
                if name != SYSTEMS:
                    found.add(Allowed(principal, Kind.TOPIC, topic["name"], Operation.DESCRIBE_CONFIGS))
                if operation is Operation.READ:
                    found.add(Allowed(principal, Kind.GROUP, f"makegood-{principal}", Operation.READ))
    return sorted(found)


async def apply(bootstrap: str, rules: Iterable[Allowed]) -> None:
    """Allow it at the brokers; what was allowed before stays. Raises `StackError` where they refuse."""
    admin = AIOKafkaAdminClient(**reaching(bootstrap))
    await admin.start()
    try:
        for each in rules:
            rule = CreateAclsRequest(each.kind, each.name, LITERAL, f"User:{each.principal}", ANYWHERE, each.operation, ALLOW)
            answer: Any = await admin._send_to_controller(rule)  # noqa: SLF001 - the client has no method for it
            for code, message in answer.creation_responses:
                if code:
                    raise StackError(f"Kafka did not take a rule: {message or for_code(code).__name__}")
    finally:
        await admin.close()


def main() -> None:
    """List what is allowed, or make it so."""
    if sys.argv[1:]:
        asyncio.run(apply(sys.argv[1], allowed()))
        return
    for each in allowed():
        print(f"User:{each.principal:<10} {each.operation.name.lower():<17} {each.kind.name.lower():<6} {each.name}")


if __name__ == "__main__":
    main()
