"""What the customer says to us, and how they want to be spoken to; recorded by people, never guessed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import time
from typing import Final

from services.recovery.domain.case import Case, Happened
from services.recovery.domain.deeds import Decide, Deed, Fold, RefusedError
from services.recovery.domain.voice import Contact, Feedback, Hours, Preferences

JUSTICE: Final = ("outcome", "process", "treatment")
FRIEND: Final = "friend"


def record_contact(_case: Case, deed: Deed) -> list[Happened]:
    """Record a word with the customer, or an attempt that reached nobody."""
    needs = deed.needs
    if not needs["reached"] and (needs["said"] or needs["felt"] or needs["from_customer"]):
        message = "Who was not reached has said nothing and did not come to us."
        raise RefusedError(message)
    words = {name: needs[name] for name in ("said", "felt") if needs[name]}
    content = {"channel": needs["channel"], "reached": needs["reached"], "from_customer": needs["from_customer"]}
    return [deed.happened("contact_recorded", content, **words)]


def set_preferences(_case: Case, deed: Deed) -> list[Happened]:
    """Record how the customer wants to be spoken to; it holds for all their cases, and instead of what was recorded before."""
    needs = deed.needs
    hours = needs["hours"] and {name: str(value) for name, value in needs["hours"].items()}
    content = {"channel": needs["channel"], "language": needs["language"], "hours": hours}
    return [deed.happened("preferences_set", content, **({"address": needs["address"]} if needs["address"] else {}))]


def give_feedback(case: Case, deed: Deed) -> list[Happened]:
    """Say how it was: the customer of outcome, process and treatment, and both sides whether it was as among friends."""
    theirs = bool({"customer", "system"} & deed.actor.roles)
    deed.require_own(case)
    scores = {name: deed.needs[name] for name in (*JUSTICE, FRIEND) if deed.needs[name] is not None}
    if not theirs and scores.keys() - {FRIEND}:
        message = "Whether it was just, the customer alone says."
        raise RefusedError(message)
    if not scores and not deed.needs["said"]:
        message = "Say at least one of outcome, process, treatment, friend, or say it in words."
        raise RefusedError(message)
    words = {"said": deed.needs["said"]} if deed.needs["said"] else {}
    return [deed.happened("feedback_given", {"side": "customer" if theirs else "helper"} | scores, **words)]


def _contact(case: Case, happened: Happened) -> Case:
    content, words = happened.content, happened.payload
    new = Contact(
        happened.by, happened.at, content["channel"], content["reached"], content["from_customer"],
        words.get("said", ""), words.get("felt", ""),
    )  # fmt: skip
    return replace(case, contacts=(*case.contacts, new))


def _prefer(case: Case, happened: Happened) -> Case:
    content, hours = happened.content, happened.content["hours"]
    kept = hours and Hours(time.fromisoformat(hours["begins"]), time.fromisoformat(hours["ends"]), hours["zone"])
    address = happened.payload.get("address", "")
    return replace(case, preferences=Preferences(happened.at, content["channel"], content["language"], kept, address))


def _answer(case: Case, happened: Happened) -> Case:
    content = happened.content
    scores = {name: content[name] for name in (*JUSTICE, FRIEND) if name in content}
    new = Feedback(happened.by, happened.at, content["side"], scores, happened.payload.get("said", ""))
    return replace(case, feedback=(*case.feedback, new))


DECISIONS: Final[Mapping[str, Decide]] = {
    "record_contact": record_contact, "set_preferences": set_preferences, "give_feedback": give_feedback,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {"contact_recorded": _contact, "preferences_set": _prefer, "feedback_given": _answer}
