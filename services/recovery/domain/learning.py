"""What a failure teaches: its cause, and what was learned of it once the case has ended."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.recovery.domain.case import Case, Cause, Happened, Review
from services.recovery.domain.deeds import Decide, Deed, Fold, RefusedError

PEOPLE: Final = "people"


class BecauseIsOfPeopleError(RefusedError):
    """Where people failed, say whether they did not know, could not or did not want; of other components say none of these."""


def set_cause(_case: Case, deed: Deed) -> list[Happened]:
    """Say which component failed; a later word stands in place of the one before."""
    component, because = deed.needs["component"], deed.needs["because"]
    if (component == PEOPLE) != (because is not None):
        raise BecauseIsOfPeopleError
    return [deed.happened("cause_set", {"component": component, "because": because}, what=deed.needs["what"])]


def review_case(_case: Case, deed: Deed) -> list[Happened]:
    """Say what was learned."""
    return [deed.happened("reviewed", what=deed.needs["what"])]


def _cause(case: Case, happened: Happened) -> Case:
    content = happened.content
    return replace(case, cause=Cause(content["component"], content["because"], happened.payload.get("what", ""), happened.by, happened.at))


def _review(case: Case, happened: Happened) -> Case:
    return replace(case, reviews=(*case.reviews, Review(happened.by, happened.at, happened.payload.get("what", ""))))


DECISIONS: Final[Mapping[str, Decide]] = {"set_cause": set_cause, "review_case": review_case}
FOLDS: Final[Mapping[str, Fold]] = {"cause_set": _cause, "reviewed": _review}
