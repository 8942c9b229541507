"""What stands beside the work on a case: who looks on and of what each wants to be told, and the files that belong to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from services.recovery.domain.case import Attachment, Case, Happened
from services.recovery.domain.deeds import Decide, Deed, Fold, NotTheOwnerError, RefusedError
from services.recovery.domain.things import named, put, thing_id

MOST_FILES: Final = 100


def join_watchers(case: Case, deed: Deed) -> list[Happened]:
    """Look on from now on, for oneself; what one is told of already changes nothing."""
    on = sorted(set(deed.needs["on"]))
    return [] if case.watchers.get(deed.actor.subject) == tuple(on) else [deed.happened("watcher_came", {"on": on})]


def leave_watchers(case: Case, deed: Deed) -> list[Happened]:
    """Look away."""
    return [deed.happened("watcher_left")] if deed.actor.subject in case.watchers else []


def attach_file(case: Case, deed: Deed) -> list[Happened]:
    """Put a file into it; its bytes are kept with the act."""
    if len(case.attachments) >= MOST_FILES:
        message = f"A case has at most {MOST_FILES} files."
        raise RefusedError(message)
    content = {"attachment": str(thing_id(case.id, deed.key)), "media_type": deed.needs["media_type"], "size": deed.needs["size"]}
    return [deed.happened("attached", content, name=deed.needs["name"], digest=deed.needs["digest"])]


def remove_file(case: Case, deed: Deed) -> list[Happened]:
    """Take a file out, whoever put it there, the owner, or a lead; its bytes go with the act."""
    known: Attachment = named(case, deed, "attachment")
    if not ({"lead", "manager"} & deed.actor.roles or deed.actor.stands_for(known.by) or deed.actor.stands_for(case.owner)):
        raise NotTheOwnerError
    return [deed.happened("detached", {"attachment": str(known.id)}, why=deed.needs["why"])]


def _detach(case: Case, happened: Happened) -> Case:
    gone = UUID(happened.content["attachment"])
    return replace(case, attachments={identity: each for identity, each in case.attachments.items() if identity != gone})


def _attach(case: Case, happened: Happened) -> Case:
    content, words = happened.content, happened.payload
    identity, named = UUID(content["attachment"]), (words.get("name", ""), words.get("digest", ""))
    return put(case, "attachment", Attachment(identity, happened.by, happened.at, content["media_type"], content["size"], *named))


def _come(case: Case, happened: Happened) -> Case:
    return replace(case, watchers={**case.watchers, happened.by: tuple(happened.content["on"])})


def _leave(case: Case, happened: Happened) -> Case:
    return replace(case, watchers={who: on for who, on in case.watchers.items() if who != happened.by})


DECISIONS: Final[Mapping[str, Decide]] = {
    "join_watchers": join_watchers, "leave_watchers": leave_watchers, "attach_file": attach_file, "remove_file": remove_file,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {"watcher_came": _come, "watcher_left": _leave, "attached": _attach, "detached": _detach}
