"""A customer's feedback and relationship, explained piece by piece; and how all relationships stand."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Text
from services.journey.api.picture.lists import POSITION, place_of
from services.journey.api.picture.sensed import Evidence, evidence
from services.journey.api.picture.shared import Name, PublishedDocument, Subject, publish, retire, rules_of, subject_of
from services.journey.api.viewers import viewer_of
from services.journey.picture.feedback import Feedback, State, feedback, visible
from services.journey.picture.history import History
from services.journey.picture.relationship import STAGES, Stage, Standing, figures, standing
from services.journey.picture.rules import BASE, Rules
from services.journey.picture.score import Piece, Point, course, left, loyalty, pieces, score
from services.journey.picture.whole import ATTACHED
from services.journey.projections.pictures import declared_by
from services.journey.store import picture as store
from services.journey.store import projections
from services.journey.store.picture import Listed

LONGEST_HISTORY = 1000
NAMELESS = "feedback"
"""What a piece of feedback is called to those who may not see it."""

_NOTHING = History((), (), ())
router = APIRouter(prefix="/v1", tags=["picture"])
Many = Annotated[int, Query(ge=1, le=LONGEST_HISTORY, description="how much of its history is told, the last of it")]


class FeedbackView(Evidence):
    """One piece of feedback."""

    name: str = Field(description="which occasion, or what it is about")
    expressed: Literal["explicit", "implicit"]
    told: Literal["direct", "indirect"]
    discretion: str | None
    tone: float = Field(description="from -1 to 1")
    weight: float
    points: float = Field(description="what it added to the score when it came")
    left: float | None = Field(description="what is left of that now")
    state: State = Field(description="noted: it asks for no answer; ignored: it does, and got none in time")
    owner: str | None
    employee: str | None
    answered_by: UUID | None
    ignored_from: datetime | None


class FeedbacksView(BaseModel):
    """A customer's feedback, as far as whoever asks may see it; and what it does, by which rules."""

    customer: UUID
    rules: str = Field(description="name of the Relationship in force; `built-in` until one is published")
    as_of: datetime | None
    purchases: int
    complaints: int
    items: list[FeedbackView]


class PieceView(BaseModel):
    """One thing that moved the score."""

    time: datetime
    what: str
    about: str
    evidence: str = Field(description="key of a touchpoint or of a commitment, or id of a fact of a case")
    employee: str | None
    points: float
    left: float | None = Field(description="what is left of it now")
    score: float = Field(description="the score right after it")


class StepView(BaseModel):
    """A change of the relationship's stage."""

    time: datetime
    stage: Stage
    because: str
    evidence: str


class LoyaltyView(BaseModel):
    """To whom the customer is loyal."""

    organisation: float = Field(description="share of the good that was with nobody by name")
    employees: dict[str, float]
    leaves_with: str | None = Field(description="who has so great a share that the customer is theirs rather than the organisation's")
    evidence: dict[str, list[str]]


class WorthView(BaseModel):
    """What the relationship is worth, where purchases have figures."""

    currency: str
    purchases: int
    total: float
    last_year: float = Field(description="within 365 days before now")


class RelationshipView(BaseModel):
    """A relationship: where it stands, how it came there, and what each part rests on."""

    customer: UUID
    rules: str
    as_of: datetime | None
    stage: Stage
    since: datetime | None
    steps: list[StepView]
    base: float = Field(description="where the score begins")
    score: float | None = Field(description="`base` and what is left of all pieces, between 0 and 100; null before the first arrival")
    history: list[PieceView]
    loyalty: LoyaltyView
    worth: WorthView | None


class Attachment(BaseModel):
    """An employee with whom customers would leave."""

    employee: str
    customers: int
    at_stake: float = Field(description="what these relationships are worth in all")


class Attached(BaseModel):
    """A customer who would leave with an employee, by what everybody may see of it."""

    customer: UUID
    employee: str
    share: float = Field(description="of the good that they met, with this employee")
    at_stake: float = Field(description="what the relationship is worth")
    last_heard: datetime
    evidence: list[str] = Field(description="the latest of what this rests on")


class Attachments(BaseModel):
    """A page of who would leave with whom; whoever was not heard of for longest comes first."""

    items: list[Attached]
    next: str | None


class RelationshipTotals(BaseModel):
    """How all relationships stand."""

    rules: str | None = Field(description="name of the Relationship in force; null: none is, and nothing is counted")

    as_of: datetime | None
    waiting: int = Field(description="customers of whom something new is known that is not in these figures yet")
    stages: dict[str, int]
    purchases: int
    complaints: int
    customers: int = Field(description="who have bought")
    loyal: int = Field(description="who have bought more than once")
    loyalty_share: float | None
    worth: float
    attachments: list[Attachment]


@router.post("/relationships", operation_id="publish_relationship", status_code=201)
async def publish_relationship(request: Request, who: Who, document: dict[str, Any]) -> PublishedDocument:
    """Publish what counts as what in a relationship; of several the one published last is in force."""
    return await publish(request, who, "Relationship", document)


@router.put("/relationships/{name}/retirement", operation_id="retire_relationship", status_code=204)
async def retire_relationship(name: Name, request: Request, who: Who) -> None:
    """Let its rules count no more: the one published last before it is in force again, else those built in. Publishing takes that back."""
    await retire(request, who, "Relationship", name)


@router.get("/relationships", operation_id="get_relationships")
async def get_relationships(request: Request) -> RelationshipTotals:
    """How many relationships stand where, the classic figures, and which employees customers would leave with."""
    async with request.app.state.engine.connect() as connection:
        sums = await store.totals(connection, "relationship:")
        now, waiting = await projections.present(connection), await store.waiting(connection)
        rules = declared_by(await store.published(connection)).rules
    numbers = {name: sums.get(f"figures:{name}", 0) for name in ("purchases", "complaints", "customers", "loyal", "worth")}
    attached = {name.removeprefix("attached:"): number for name, number in sums.items() if name.startswith("attached:")}
    worth, customers = numbers.pop("worth") / 100, numbers["customers"]
    return RelationshipTotals(
        rules=None if rules is None else rules.name,
        as_of=now,
        waiting=waiting,
        stages={each: sums.get(f"stage:{each}", 0) for each in STAGES},
        loyalty_share=round(numbers["loyal"] / customers, 4) if customers else None,
        worth=worth,
        attachments=[
            Attachment(employee=name, customers=number, at_stake=sums.get(f"at_stake:{name}", 0) / 100)
            for name, number in sorted(attached.items(), key=lambda each: (-each[1], each[0]))
        ],
        **numbers,
    )


@router.get("/relationships/attachments", operation_id="list_attachments")
async def list_attachments(
    request: Request,
    employee: Annotated[Text | None, Query(description="only who would leave with them")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Attachments:
    """Which customers would leave with which employee: the loyalty is theirs, and not the organisation's."""
    after = cursors.behind(cursor, POSITION)
    async with request.app.state.engine.connect() as connection:
        found = await store.items(connection, ATTACHED, after, limit + 1, employee)
    shown, following = cursors.page(found, limit, place_of)
    return Attachments(items=[_attached(each) for each in shown], next=following)


def _attached(each: Listed) -> Attached:
    said = each.further
    return Attached(
        customer=each.customer,
        employee=each.topic,
        share=said["share"],
        at_stake=said["worth"] / 100,
        last_heard=each.time,
        evidence=said["evidence"],
    )


@router.get("/customers/{customer_id}/feedback", operation_id="get_customer_feedback")
async def get_customer_feedback(customer_id: UUID, request: Request, who: Who) -> FeedbacksView:
    """What a customer let us know, in whatever way, what it weighs, and whether anybody answered."""
    subject = await subject_of(request, customer_id)
    rules = rules_of(subject)
    classic = figures(rules, subject.history, subject.now)
    found = visible(feedback(rules, subject.history, subject.now), viewer_of(who))
    return FeedbacksView(
        customer=subject.key,
        rules=rules.name,
        as_of=subject.now,
        purchases=classic.purchases,
        complaints=classic.complaints,
        items=[_feedback(rules, each, subject.now) for each in found],
    )


@router.get("/customers/{customer_id}/relationship", operation_id="get_customer_relationship")
async def get_customer_relationship(customer_id: UUID, request: Request, who: Who, history: Many = 100) -> RelationshipView:
    """Where a relationship stands and how it came there: every change names its evidence."""
    subject = await subject_of(request, customer_id)
    rules, said = rules_of(subject), feedback(rules_of(subject), subject.history, subject.now)
    found = pieces(rules, subject.history, said)
    seen = {str(each.event.key) for each in visible(said, viewer_of(who))}
    hidden = {str(each.event.key) for each in said} - seen
    how = standing(rules, subject.history, subject.now)
    return RelationshipView(
        customer=subject.key,
        rules=rules.name,
        as_of=subject.now,
        stage=how.stage,
        since=how.steps[-1].time if how.steps else None,
        steps=_steps(how, history),
        base=BASE,
        score=None if subject.now is None else score(rules, found, subject.now),
        history=[_piece(rules, each, subject.now, hidden) for each in list(course(rules, found))[-history:]],
        loyalty=_loyalty(rules, [each for each in found if each.what != "feedback" or each.evidence not in hidden]),
        worth=_worth(rules, subject),
    )


def _feedback(rules: Rules, each: Feedback, now: datetime | None) -> FeedbackView:
    piece = next(iter(pieces(rules, _NOTHING, [each])), None)
    return FeedbackView(
        name=each.name,
        expressed=each.expressed,
        told=each.told,
        discretion=each.event.text("discretion"),
        tone=each.tone,
        weight=each.weight,
        points=0.0 if piece is None else piece.points,
        left=None if now is None else 0.0 if piece is None else round(left(rules, piece, max(now, piece.time)), 4),
        state=each.state(now),
        owner=each.owner,
        employee=each.employee,
        answered_by=None if each.answer is None else each.answer.key,
        ignored_from=each.ignored_from,
        **evidence(each.event) | {"time": each.time},
    )


def _steps(how: Standing, many: int) -> list[StepView]:
    return [StepView(time=each.time, stage=each.stage, because=each.because, evidence=each.evidence) for each in how.steps[-many:]]


def _piece(rules: Rules, point: Point, now: datetime | None, hidden: set[str]) -> PieceView:
    """One piece; of feedback that the viewer may not see only that there was some, and what it did."""
    piece: Piece = point.piece
    discreet = piece.what == "feedback" and piece.evidence in hidden
    return PieceView(
        time=piece.time,
        what=piece.what,
        about=NAMELESS if discreet else piece.about,
        evidence="discreet" if discreet else piece.evidence,
        employee=None if discreet else piece.employee,
        points=piece.points,
        left=None if now is None else round(left(rules, piece, max(now, piece.time)), 4),
        score=point.score,
    )


def _loyalty(rules: Rules, found: list[Piece]) -> LoyaltyView:
    whose = loyalty(found)
    return LoyaltyView(
        organisation=round(whose.organisation, 4),
        employees={name: round(share, 4) for name, share in whose.employees.items()},
        leaves_with=whose.one_person(rules.one_person),
        evidence={name: [each.evidence for each in its] for name, its in whose.evidence.items()},
    )


def _worth(rules: Rules, subject: Subject) -> WorthView | None:
    found = figures(rules, subject.history, subject.now).worth
    if found is None:
        return None
    return WorthView(currency=found.currency, purchases=found.purchases, total=found.total / 100, last_year=found.last_year / 100)
