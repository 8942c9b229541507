"""Documents: what company systems emit, and how often they are to be heard from."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticSerializationError

from services.chassis import cursors
from services.chassis.access import Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.problems import INVALID, NOT_FOUND, Problem
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE
from services.journey.documents.sources import Standing, heartbeat_of
from services.journey.store import documents, reads
from services.journey.store.documents import Declared

router = APIRouter(prefix="/v1", tags=["journey"])
PLACE: TypeAdapter[tuple[AwareDatetime, str, str, int]] = TypeAdapter(tuple[AwareDatetime, str, str, int])
Line = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]


class Named(BaseModel):
    """The metadata of a document."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(min_length=1, max_length=200)


class IdentifierField(BaseModel):
    """Where an event carries an identifier, and what it names."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(pattern=r"^(subject|data(\.[^.\x00]+)+)$")
    of: Literal["person", "thing"] = "person"


class EventTypeSpec(BaseModel):
    """What a company system emits."""

    model_config = ConfigDict(extra="forbid")
    type: Line
    description: str | None = Field(default=None, max_length=4000, pattern=r"^[^\x00]*$")
    data_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    personal: list[Annotated[str, Field(pattern=r"^(subject|data(\.[^.\x00]+)+)$")]] = Field(
        default=[], max_length=1000, description="the fields that must not leak; what a person is found by is personal by nature"
    )
    identifiers: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")], IdentifierField] = {}
    about: Literal["one", "many"] = "one"


class EventTypeDocument(BaseModel):
    """`kind: EventType` of the promise language."""

    model_config = ConfigDict(extra="forbid")
    apiVersion: Literal["makegood/v1"]  # noqa: N815 - as the documents spell it
    kind: Literal["EventType"]
    metadata: Named
    spec: EventTypeSpec


class PublishedVersion(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    type: str
    version: int


class SourceSpec(BaseModel):
    """A company system, and how often it is to be heard from."""

    model_config = ConfigDict(extra="forbid")
    source: Line = Field(description="`source` of its events")
    heartbeat: str | None = Field(
        default=None, min_length=1, max_length=100,
        description="as in `10 minutes` or `PT10M`; with a calendar `2 business hours`; only a trusted source may leave it out",
    )  # fmt: skip
    calendar: str | None = Field(default=None, min_length=1, max_length=200, description="the heartbeat counts in its working time")
    trusted: bool = Field(default=False, description="it may say who is whom: `customer.linked`, `customer.merged`, `customer.unmerged`")
    types: list[Line] = Field(
        default=[], max_length=1000, description="the event types it emits, `*` for any run of characters; left out: any"
    )

    @model_validator(mode="after")
    def _heartbeat_is_readable(self) -> Self:
        if self.heartbeat is not None:
            heartbeat_of({"heartbeat": self.heartbeat, "calendar": self.calendar})
        elif not self.trusted or self.calendar is not None:
            raise ValueError("a source says its `heartbeat`, how long it may be silent, or at least that it is `trusted: true`")
        return self


class SourceDocument(BaseModel):
    """`kind: Source` of the promise language."""

    model_config = ConfigDict(extra="forbid")
    apiVersion: Literal["makegood/v1"]  # noqa: N815 - as the documents spell it
    kind: Literal["Source"]
    metadata: Named
    spec: SourceSpec


class PublishedSource(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    source: str
    version: int


class SourceView(BaseModel):
    """A declared source as it stands."""

    name: str
    source: str
    version: int
    heartbeat: str | None
    calendar: str | None
    types: list[str]
    state: Literal["unheard", "heard", "silent", "unjudged"] = Field(
        description="unheard: nothing has arrived since it was declared; unjudged: its heartbeat is working time, which promises judges"
    )
    last: datetime | None = Field(description="its last arrival")
    since: datetime | None = Field(description="since when it is silent, or is heard again")


class Sources(BaseModel):
    """The declared sources, by `source`."""

    items: list[SourceView]


class EventTypeView(BaseModel):
    """An event type in force."""

    type: str
    version: int
    document: dict[str, Any]


class PublishedEventTypes(BaseModel):
    """The event types in force, by `type`."""

    items: list[EventTypeView]


class PublicationView(BaseModel):
    """A version that somebody published, or by which they retired the document."""

    kind: documents.Kind
    name: str = Field(description="of a feed; the `type` or `source` of an event type or a source")
    version: int
    retired: bool = Field(description="by this version it is in force no more")
    by: str
    at: datetime


class Publications(BaseModel):
    """Some of what was published and retired, the latest first."""

    items: list[PublicationView]
    next: str | None


class RetiredEventType(BaseModel):
    """What is to be in force no more."""

    model_config = ConfigDict(extra="forbid")
    type: Line


class RetiredSource(BaseModel):
    """What is to be declared no more."""

    model_config = ConfigDict(extra="forbid")
    source: Line = Field(description="`source` of its events")


@router.post("/event-types", operation_id="publish_event_type", status_code=201)
async def publish_event_type(request: Request, who: Who, document: EventTypeDocument) -> PublishedVersion:
    """Publish what a company system emits, and where its events name their customer."""
    version = await documents.publish_event_type(request.app.state.engine, document.spec.type, _stored(document), *by(who))
    return PublishedVersion(type=document.spec.type, version=version)


@router.get("/event-types", operation_id="list_event_types")
async def list_event_types(request: Request) -> PublishedEventTypes:
    """What company systems emit, as it is published."""
    found = await documents.published_event_types(request.app.state.engine)
    return PublishedEventTypes(items=[EventTypeView(type=each[0], version=each[1], document=orjson.loads(each[2])) for each in found])


@router.put("/event-types/retirement", operation_id="retire_event_type", status_code=204)
async def retire_event_type(request: Request, who: Who, retired: RetiredEventType) -> None:
    """Let its fields name nobody in events that come from now on; what it called a thing stays one. Publishing takes it back."""
    if not await documents.retire_event_type(request.app.state.engine, retired.type, *by(who)):
        raise Problem(NOT_FOUND, "No event type of that name was published.")


def by(who: Principal) -> tuple[str, datetime]:
    """Who publishes or retires something, and when."""
    return who.subject, datetime.now(UTC)


@router.get("/publications", operation_id="list_publications")
async def list_publications(
    request: Request,
    kind: documents.Kind | None = None,
    name: Annotated[Line | None, Query(description="of a feed; the `type` or `source` of an event type or a source")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Publications:
    """Who published or retired which event type, source or feed, and when; the latest first."""
    found = await documents.publications(request.app.state.engine, kind, name, cursors.behind(cursor, PLACE), limit + 1)
    shown, following = cursors.page(found, limit, lambda each: (each.at, *each[1:4]))
    return Publications(items=[PublicationView.model_validate(each, from_attributes=True) for each in shown], next=following)


def _stored(document: BaseModel) -> bytes:
    try:
        return orjson.dumps(document.model_dump(mode="json", by_alias=True, exclude_none=True), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, PydanticSerializationError):
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None


@router.post("/sources", operation_id="publish_source", status_code=201)
async def publish_source(request: Request, who: Who, document: SourceDocument) -> PublishedSource:
    """Declare a company system: silence beyond its heartbeat holds what depends on it."""
    version = await documents.publish_source(request.app.state.engine, document.spec.source, _stored(document), *by(who))
    return PublishedSource(source=document.spec.source, version=version)


@router.put("/sources/retirement", operation_id="retire_source", status_code=204)
async def retire_source(request: Request, who: Who, retired: RetiredSource) -> None:
    """Declare a company system no longer: its silence holds nothing any more, and it may not say who is whom."""
    if not await documents.retire_source(request.app.state.engine, retired.source, *by(who)):
        raise Problem(NOT_FOUND, "No such source was ever declared.")


@router.get("/sources", operation_id="list_sources")
async def list_sources(request: Request) -> Sources:
    """The declared sources: when each was heard last, and whether it is silent."""
    engine = request.app.state.engine
    last, told = await reads.read_lanes(engine)
    return Sources(
        items=[_source(each, last.get(each.source), told.get(each.source)) for each in await documents.published_sources(engine)]
    )


def _source(declared: Declared, last: datetime | None, told: Standing | None) -> SourceView:
    spec = declared.document["spec"]
    return SourceView(
        name=declared.document["metadata"]["name"],
        source=declared.source,
        version=declared.version,
        heartbeat=spec.get("heartbeat"),
        calendar=spec.get("calendar"),
        types=spec.get("types", []),
        state=_state(spec, last, told),
        last=last,
        since=None if told is None else told.since,
    )


def _state(spec: dict[str, Any], last: datetime | None, told: Standing | None) -> Literal["unheard", "heard", "silent", "unjudged"]:
    if "heartbeat" in spec and heartbeat_of(spec) is None:
        return "unjudged"
    if last is None:
        return "unheard"
    return "silent" if told is not None and told.silent else "heard"
