"""Help requests: one of the house asks another, who accepts, passes on or answers. Whether help comes in time is judged."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from services.recovery.domain.case import Case, Happened, Help, Link
from services.recovery.domain.deeds import Actor, Decide, Deed, Fold, RefusedError
from services.recovery.domain.owed import made
from services.recovery.domain.things import change, due_of, finish, named, of, put


class NotAskedOfYouError(RefusedError):
    """This help was asked of somebody else, or by somebody else; whoever is in its chain may pass it on or answer."""


def ask_help(case: Case, deed: Deed) -> list[Happened]:
    """Ask somebody, or whoever can."""
    if deed.needs["assignee"] == deed.actor.subject:
        message = "Help is asked of somebody else; a task is what one sets oneself."
        raise RefusedError(message)
    return [deed.happened("help_asked", made(case, deed, "help") | {"assignee": deed.needs["assignee"]}, what=deed.needs["what"])]


def accept_help(case: Case, deed: Deed) -> list[Happened]:
    """Say that one will help; who said so already changes nothing."""
    known = _waiting(case, deed)
    if known.accepted and known.assignee == deed.actor.subject:
        return []
    if known.asked_by == deed.actor.subject or not (known.assignee is None or deed.actor.stands_for(known.assignee)):
        raise NotAskedOfYouError
    return [deed.happened("help_accepted", _about(known))]


def pass_help(case: Case, deed: Deed) -> list[Happened]:
    """Pass it on; the chain keeps everybody through whose hands it went."""
    known, to = _waiting(case, deed), deed.needs["assignee"]
    if known.assignee is not None and not _in_chain(known, deed.actor):
        raise NotAskedOfYouError
    if to in {known.assignee, known.asked_by}:
        message = "It would be where it is; pass it on to somebody else, or answer that nobody could help."
        raise RefusedError(message)
    return [deed.happened("help_passed", _about(known) | {"assignee": to}, why=deed.needs["why"])]


def answer_help(case: Case, deed: Deed) -> list[Happened]:
    """Say what came of it."""
    known = _waiting(case, deed)
    if known.assignee is not None and not _in_chain(known, deed.actor):
        raise NotAskedOfYouError
    return [deed.happened("help_answered", _about(known), text=deed.needs["text"])]


def thank_help(case: Case, deed: Deed) -> list[Happened]:
    """Thank everybody in the chain, once."""
    known: Help = named(case, deed, "help")
    if deed.actor.subject not in {known.asked_by, case.owner}:
        raise NotAskedOfYouError
    if known.done is None or known.thanked:
        message = "They were thanked already." if known.thanked else "There is no answer yet to thank for."
        raise RefusedError(message)
    return [deed.happened("help_thanked", _about(known), text=deed.needs["text"])]


def _waiting(case: Case, deed: Deed) -> Help:
    known: Help = named(case, deed, "help")
    if known.done is not None:
        message = "The request was answered already."
        raise RefusedError(message)
    return known


def _in_chain(known: Help, actor: Actor) -> bool:
    everybody = {known.asked_by, known.assignee, *(link.by for link in known.chain), *(link.to for link in known.chain)}
    return any(actor.stands_for(each) for each in everybody if each is not None)


def _about(known: Help) -> dict[str, str | None]:
    return {"help": str(known.id)}


def _ask(case: Case, happened: Happened) -> Case:
    content = happened.content
    asked = Help(UUID(content["help"]), happened.payload.get("what", ""), due_of(content), happened.by, content.get("assignee"))
    return put(case, "help", asked)


def _accept(case: Case, happened: Happened) -> Case:
    return change(case, "help", happened, assignee=happened.by, accepted=True)


def _pass(case: Case, happened: Happened) -> Case:
    known, to = of(case, "help", happened), happened.content["assignee"]
    link = Link(happened.by, to, happened.at, happened.payload.get("why", ""))
    return change(case, "help", happened, assignee=to, accepted=False, chain=(*known.chain, link))


def _answer(case: Case, happened: Happened) -> Case:
    return finish(case, "help", happened, answered_by=happened.by, answer=happened.payload.get("text", ""))


def _thank(case: Case, happened: Happened) -> Case:
    return change(case, "help", happened, thanked=True, thanks=happened.payload.get("text", ""))


DECISIONS: Final[Mapping[str, Decide]] = {
    "ask_help": ask_help, "accept_help": accept_help, "pass_help": pass_help, "answer_help": answer_help, "thank_help": thank_help,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {
    "help_asked": _ask, "help_accepted": _accept, "help_passed": _pass, "help_answered": _answer, "help_thanked": _thank,
}  # fmt: skip
