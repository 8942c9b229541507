"""Sources: company systems that say how often they are heard from; while one is silent, what depends on it is held."""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Who
from services.chassis.problems import NOT_FOUND, Problem
from services.promises.api.shared import Around, read_documents, stored
from services.promises.blindness import Source
from services.promises.catalogue import Published
from services.promises.store import reads, sources
from services.promises.store.sources import PublishedSource

router = APIRouter(prefix="/v1", tags=["sources"])


class SourceVersion(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    source: str
    version: int


class RetiredSource(BaseModel):
    """What is to be declared no more."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$", description="`source` of its events")


class SourceView(BaseModel):
    """A declared source as it stands."""

    name: str
    source: str
    version: int
    heartbeat: str | None = Field(description="how long it may be silent; null: as long as it likes")
    calendar: str | None = Field(description="whose working time the heartbeat counts in")
    types: list[str] = Field(description="the event types that it emits; empty: any")
    promises: list[str] = Field(description="which promises its events may play a part in: they are held while it is silent")
    silent_since: datetime | None = Field(description="since when it is silent; null: it is heard, or was never yet")
    published_at: datetime
    published_by: str


class Sources(BaseModel):
    """The declared sources, by `source`."""

    items: list[SourceView]


@router.post("/sources", operation_id="declare_source", status_code=201)
async def declare_source(around: Around, who: Who, document: dict[str, Any]) -> SourceVersion:
    """Declare a company system: silence beyond its heartbeat holds what depends on it, from the next event on."""
    (read,) = await read_documents(around, [document], ("Source",))
    assert isinstance(read.declares, Source)
    name = read.declares.name
    version = await sources.publish_source(around.engine, name, stored(document), who.subject, await around.now())
    return SourceVersion(source=name, version=version)


@router.put("/sources/retirement", operation_id="undeclare_source", status_code=204)
async def undeclare_source(around: Around, who: Who, retired: RetiredSource) -> None:
    """Declare a company system no longer: its silence holds nothing any more. Tell journey, too: it passes that on to every partition."""
    if await sources.retire_source(around.engine, retired.source, who.subject, await around.now()) is None:
        raise Problem(NOT_FOUND, "No such source was ever declared.")


@router.get("/sources", operation_id="list_declared_sources")
async def list_declared_sources(around: Around) -> Sources:
    """The declared sources: what depends on each, and whether it is silent."""
    found = await sources.published_sources(around.engine)
    published = Published(await reads.read_versions(around.engine), declared=[each.row for each in found])
    return Sources(items=[_source(each, published) for each in found])


def _source(each: PublishedSource, published: Published) -> SourceView:
    document = orjson.loads(each.row.document)
    spec = document["spec"]
    return SourceView(
        name=document["metadata"]["name"], source=each.source, version=each.version, heartbeat=spec.get("heartbeat"),
        calendar=spec.get("calendar"), types=spec.get("types", []), silent_since=each.silent_since,
        promises=sorted({published.by_id[id_].name for id_ in published.dependents(each.source)} if "heartbeat" in spec else ()),
        published_at=each.published_at, published_by=each.published_by,
    )  # fmt: skip
