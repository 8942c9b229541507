"""The topics as data: `topics.yaml` is the one list of them, these are its names and its reader."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from ruamel.yaml import YAML

TOUCHPOINTS: Final = "makegood.touchpoints"
ACTS: Final = "makegood.acts"
JOURNEY: Final = "makegood.journey"
PROMISES: Final = "makegood.promises"
RECOVERY: Final = "makegood.recovery"
DEAD_LETTERS: Final = "makegood.deadletters"

PATH: Final = Path(__file__).with_name("topics.yaml")


class Topic(BaseModel):
    """One Kafka topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^makegood\.[a-z]+$")
    short: str = Field(pattern=r"^[a-z]+$", description="how lanes name it: `touchpoints/3`")
    owner: str = Field(description="the service that answers for it")
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int = Field(ge=1, description="what the local stack makes")
    raw: bool = Field(description="its partitions are lanes, and a record's timestamp is its arrival")
    key: str = Field(description="what records are keyed by")
    retention_days: int | None = Field(description="on the live clock; none: endless")
    example: str | None = Field(description="an event type that stands in it; none: its records are no events")
    meaning: str


@cache
def topics() -> tuple[Topic, ...]:
    """All topics, in the order that data flows through them."""
    document: Any = YAML(typ="safe", pure=True).load(PATH.read_text(encoding="utf-8"))
    return tuple(TypeAdapter(list[Topic]).validate_python(document["topics"]))
