"""Who is told of an act by other ways than the log: the customer by a message, those of the company whom the playbook names. Pure."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from services.recovery.domain.case import Case, Happened, Owed, Severity
from services.recovery.domain.owed import AT_RISK
from services.recovery.domain.playbook import Playbook
from services.recovery.domain.things import of

MESSAGE, NOTICE, WEBHOOK = "message", "notice", "webhook"
_NOT_AFTER_ALL: Final = "message_discarded"
_OWNER: Final = "owner"


class Telling(NamedTuple):
    """Something to be delivered to a `target`: an address, or somebody of the company. What has one `mail` goes out together."""

    id: UUID
    kind: str
    about: UUID
    mail: UUID
    case_id: UUID
    customer: UUID
    target: str
    subject: str
    body: bytes
    due: datetime
    state: str = "waiting"


def told(case: Case, happened: Happened, playbook: Playbook) -> list[Telling]:
    """Who is told of one act; `case` is the case as that act left it. The same act tells the same."""
    if happened.kind == "message_queued":
        return [_message(case, happened)]
    if happened.kind == _NOT_AFTER_ALL:
        return [_message(case, happened)._replace(state="discarded")]
    return _notices(case, happened, playbook)


def _message(case: Case, happened: Happened) -> Telling:
    found = case.messages[UUID(happened.content["message"])]
    identity = uuid5(found.id, str(case.version))
    address = happened.payload.get("address", "")
    mail, due = found.mail or found.id, found.due or happened.at
    return Telling(identity, MESSAGE, found.id, mail, case.id, case.customer, address, found.subject, found.text.encode(), due)


def _notices(case: Case, happened: Happened, playbook: Playbook) -> list[Telling]:
    named = [
        *_concerned(case, happened),
        *(each.to for each in playbook.tell if each.on == happened.kind),
        *happened.content.get("tell", ()),
        *_watching(case, happened),
    ]
    targets = dict.fromkeys(case.owner if each == _OWNER else each for each in named)
    awake = playbook.quiet is None or case.severity is Severity.CRITICAL
    due = happened.at if awake or playbook.quiet is None else playbook.quiet.next(happened.at)
    warned = _warned(case, happened)
    if warned is not None and due >= warned.due:
        due = happened.at  # a warning that waits until it is too late is none
    why = f"Due {warned.due:%Y-%m-%d %H:%M %Z}." if warned is not None else happened.content.get("why", "")
    subject = f"Case {str(case.id)[:8]}, {case.severity}: {happened.kind.replace('_', ' ')}"
    body = f"Case {case.id} is {case.state}, {case.severity}. Owner: {case.owner or 'nobody yet'}. {why}".strip().encode()
    made = [(target, uuid5(case.id, f"{case.version} {target}")) for target in targets if target]
    return [Telling(each, NOTICE, case.id, each, case.id, case.customer, target, subject, body, due) for target, each in made]


def _concerned(case: Case, happened: Happened) -> list[str]:
    """Who has to do something, whatever the playbook says: the owner of what lacks words, and whoever has what is about to be late."""
    if happened.kind == "message_incomplete":
        return [_OWNER]
    warned = _warned(case, happened)
    return [] if warned is None else [_OWNER, *filter(None, [getattr(warned, "assignee", None)])]


def _warned(case: Case, happened: Happened) -> Owed | None:
    """What the act says is about to be late."""
    kind, warns, _ = happened.kind.partition(f"_{AT_RISK}")
    found: Owed | None = of(case, kind, happened) if warns else None
    return found


def _watching(case: Case, happened: Happened) -> list[str]:
    """Who looks on and wants to know of this; what one did oneself one knows."""
    return [who for who, on in case.watchers.items() if happened.kind in on and who != happened.by]
