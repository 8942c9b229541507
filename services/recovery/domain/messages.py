"""What is written to the customer: filled from the case, in their language, sent in their hours, and no oftener than restraint allows.

When a message goes out is decided with it, so that it can be told beforehand: what is written while another waits, goes with that one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from services.recovery.domain.case import SYSTEM, Case, Happened
from services.recovery.domain.deeds import Decide, Deed, Fold, RefusedError
from services.recovery.domain.playbook import Playbook, Template
from services.recovery.domain.things import change, due_of, named, put, thing_id
from services.recovery.domain.voice import EMAIL, Message, MessageState, Preferences

_HUSHED: Final = frozenset({"withdrawn", "declined", "merged"})
"""After these nothing more is said of what waits: it was no failure, or not wanted, or another case's to say."""


class NoSuchTemplateError(RefusedError):
    """The playbook of the case has no message of that name."""


class NothingToSayError(RefusedError):
    """The template asks for something that the case does not have yet."""


class CannotBeReachedError(RefusedError):
    """No e-mail address of the customer is known here, or they want to be reached otherwise; set their preferences, or speak with them."""


@dataclass(frozen=True, slots=True)
class Written:
    """A template filled from a case."""

    name: str
    language: str
    subject: str
    text: str


def write(case: Case, playbook: Playbook, name: str, language: str | None) -> Written:
    """Fill the template of that name in this language, or the nearest there is; raises where there is none, or a value is missing."""
    found = _template([each for each in playbook.messages if each.name == name], language)
    if lacks := _lacks(case, found):
        message = f"The template asks for {', '.join(lacks)}, which the case does not have yet."
        raise NothingToSayError(message)
    return _filled(case, found)


def _lacks(case: Case, template: Template) -> list[str]:
    values = _values(case)
    return sorted(each for each in template.asks if not values[each])


def _filled(case: Case, template: Template) -> Written:
    values = _values(case)
    return Written(template.name, template.language, *(template.filled(each, values) for each in (template.subject, template.text)))


def _template(named: list[Template], language: str | None) -> Template:
    if not named:
        raise NoSuchTemplateError
    wanted = (language or "").lower()
    exact = (each for each in named if each.language.lower() == wanted)
    near = (each for each in named if each.language.lower().partition("-")[0] == wanted.partition("-")[0])
    return next(exact, None) or next(near, None) or named[0]


def _values(case: Case) -> dict[str, str]:
    failures = sorted(case.standing or case.failures.values(), key=lambda each: each.broken_at)
    pledges = sorted(case.pledges.values(), key=lambda each: each.due)
    return {
        "case": str(case.id),
        "owner": case.owner or "",
        "promise": next((each.promise for each in failures if each.promise), ""),
        "failure": next((each.what for each in failures if each.what), ""),
        "pledge": pledges[-1].what if pledges else "",
        "pledge_due": f"{pledges[-1].due:%Y-%m-%d %H:%M %Z}" if pledges else "",
        "opened": f"{case.opened_at:%Y-%m-%d}",
    }


def family(case: Case, others: Iterable[Case]) -> list[Case]:
    """All cases of the case's customer, this one as it stands now."""
    return [case, *(each for each in others if each.id != case.id and each.customer == case.customer)]


def preferences(cases: Iterable[Case]) -> Preferences | None:
    """How the customer wants to be spoken to, as was recorded last in any of their cases."""
    known = [each.preferences for each in cases if each.preferences is not None]
    return max(known, key=lambda each: each.at, default=None)


def preview(case: Case, playbook: Playbook, name: str, language: str | None, others: Iterable[Case]) -> Written:
    """A template filled in the language asked for, else in the customer's; raises as `write` does."""
    wanted = preferences(family(case, others))
    return write(case, playbook, name, language or (None if wanted is None else wanted.language))


def draft_message(case: Case, deed: Deed) -> list[Happened]:
    """Write to the customer, by a template or in own words; nothing is sent yet."""
    needs, identity = deed.needs, thing_id(case.id, deed.key)
    if needs["name"] is None:
        if not needs["subject"] or not needs["text"]:
            message = "Name a template of the playbook, or write subject and text."
            raise RefusedError(message)
        written = Written("", needs["language"] or "", needs["subject"], needs["text"])
    else:
        written = preview(case, deed.playbook, needs["name"], needs["language"], deed.others)
        written = replace(written, subject=needs["subject"] or written.subject, text=needs["text"] or written.text)
    return [_drafted(identity, written, deed.actor.subject, deed.at)]


def _drafted(identity: UUID, written: Written, by: str, at: datetime) -> Happened:
    content = {"message": str(identity), "name": written.name or None, "language": written.language or None}
    return Happened("message_drafted", by, at, content, {"subject": written.subject, "text": written.text})


def send_message(case: Case, deed: Deed) -> list[Happened]:
    """Let a draft go out as soon as the customer's hours and restraint allow it."""
    found = _in_state(case, deed, {MessageState.DRAFT, MessageState.FAILED})
    queued = _queued(case, found.id, deed.playbook, deed.others, deed.at)
    if queued is None:
        raise CannotBeReachedError
    return [replace(queued, by=deed.actor.subject)]


def discard_message(case: Case, deed: Deed) -> list[Happened]:
    """Do not send a message after all."""
    found = _in_state(case, deed, {MessageState.DRAFT, MessageState.INCOMPLETE, MessageState.WAITING, MessageState.FAILED})
    return [deed.happened("message_discarded", {"message": str(found.id)})]


def _in_state(case: Case, deed: Deed, states: Collection[MessageState]) -> Message:
    found: Message = named(case, deed, "message")
    if found.state is MessageState.INCOMPLETE and MessageState.INCOMPLETE not in states:
        message = f"The message lacks {', '.join(found.lacks)}: write it anew with that, or in own words, and discard this one."
        raise RefusedError(message)
    if found.state not in states:
        message = f"The message is {found.state} already."
        raise RefusedError(message)
    return found


def _queued(case: Case, message: UUID, playbook: Playbook, others: Iterable[Case], at: datetime) -> Happened | None:
    cases = family(case, others)
    wanted = preferences(cases)
    if wanted is None or not wanted.address or wanted.channel not in {None, EMAIL}:
        return None
    said = [each for one in cases for each in one.messages.values() if each.due is not None]
    ahead = [each for each in said if each.state is MessageState.WAITING and each.due is not None and each.due > at]
    first = min(ahead, key=lambda each: (each.due, each.id), default=None)
    if first is not None and first.due is not None:
        due, mail = first.due, first.mail
    else:
        due, mail = playbook.restraint.earliest(at, wanted.hours, _contacts(cases)), message
    content = {"message": str(message), "due": due.isoformat(), "mail": str(mail)}
    return Happened("message_queued", SYSTEM, at, content, {"address": wanted.address})


def _contacts(cases: Iterable[Case]) -> list[datetime]:
    """When the customer was or will be spoken to by us; what goes out together is one contact."""
    mails: dict[UUID, datetime] = {}
    spoken: list[datetime] = []
    for case in cases:
        spoken += [each.at for each in case.contacts if each.reached and not each.from_customer]
        for each in case.messages.values():
            if each.state in {MessageState.WAITING, MessageState.SENT} and each.due is not None:
                mails[each.mail or each.id] = each.due
    return [*spoken, *mails.values()]


def said_by_itself(case: Case, happened: Happened, playbook: Playbook, others: Collection[Case]) -> list[Happened]:
    """What the playbook says after such an act; who cannot be reached, and what the case lacks words for, is left to a person."""
    names = dict.fromkeys(each.name for each in playbook.messages if each.send == happened.kind)
    wanted = preferences(family(case, others)) if names else None
    news: list[Happened] = []
    for name in names:
        template = _template([each for each in playbook.messages if each.name == name], wanted.language if wanted else None)
        identity = thing_id(case.id, f"{case.version} {name}")
        if lacks := _lacks(case, template):
            news.append(_incomplete(identity, template, lacks, happened.at))
            continue
        drafted = _drafted(identity, _filled(case, template), SYSTEM, happened.at)
        case = _draft(case, drafted)
        queued = _queued(case, identity, playbook, others, happened.at)
        case = case if queued is None else _queue(case, queued)
        news += [drafted] if queued is None else [drafted, queued]
    return news


def _incomplete(identity: UUID, template: Template, lacks: list[str], at: datetime) -> Happened:
    content = {"message": str(identity), "name": template.name, "language": template.language, "lacks": lacks}
    why = {"why": f"the case lacks {', '.join(lacks)}"}
    return Happened("message_incomplete", SYSTEM, at, content | why, {"subject": template.subject, "text": template.text})


def hushed(case: Case, happened: Happened) -> list[Happened]:
    """What waits is not said once the case is taken back, declined, or goes on elsewhere."""
    waiting = [each.id for each in case.messages.values() if each.state is MessageState.WAITING] if happened.kind in _HUSHED else []
    return [Happened("message_discarded", SYSTEM, happened.at, {"message": str(each)}) for each in waiting]


def delivered(case: Case, message: UUID, at: datetime, failed: str | None = None) -> list[Happened]:
    """A message went out, or could not; told twice it happened once."""
    found = case.messages.get(message)
    if found is None or found.state is not MessageState.WAITING:
        return []
    if failed is not None:
        return [Happened("message_failed", SYSTEM, at, {"message": str(message), "why": failed})]
    return [Happened("message_sent", SYSTEM, at, {"message": str(message), "name": found.name, "channel": EMAIL})]


def _draft(case: Case, happened: Happened) -> Case:
    content, words = happened.content, happened.payload
    identity = UUID(content["message"])
    subject, text, lacks = words.get("subject", ""), words.get("text", ""), tuple(content.get("lacks", ()))
    state = MessageState.INCOMPLETE if lacks else MessageState.DRAFT
    return put(case, "message", Message(identity, content["name"], content["language"], subject, text, state, lacks=lacks))


def _queue(case: Case, happened: Happened) -> Case:
    content = happened.content
    return change(case, "message", happened, state=MessageState.WAITING, due=due_of(content), mail=UUID(content["mail"]))


def _becomes(state: MessageState) -> Fold:
    return lambda case, happened: change(case, "message", happened, state=state)


DECISIONS: Final[Mapping[str, Decide]] = {
    "draft_message": draft_message, "send_message": send_message, "discard_message": discard_message,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {
    "message_drafted": _draft,
    "message_incomplete": _draft,
    "message_queued": _queue,
    "message_sent": lambda case, happened: change(case, "message", happened, state=MessageState.SENT, due=happened.at),
    "message_failed": _becomes(MessageState.FAILED),
    "message_discarded": _becomes(MessageState.DISCARDED),
}
