"""A customer's timeline in words: which entry says something new to a reader, and how it reads."""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any, Final

from services.chassis import rfc3339

Entry = Mapping[str, Any]
Say = Callable[[Mapping[str, Any]], str | None]
_COMMITMENT: Final = "makegood.commitment."
_CASE: Final = "makegood.case."


def line(entry: Entry, words: str, zone: tzinfo = UTC) -> str:
    """One line of a timeline: when, who says it, what."""
    when = rfc3339.parse(entry["time"]).astimezone(zone)
    return f"  {when:%a %d %b %Y %H:%M}  {_voice(entry):<10} {words}"


def plain(entry: Entry) -> str:
    """Say of any entry what it is."""
    words = told(entry) or ""
    short = entry["type"].removeprefix("makegood.")
    about = f" [{entry['data']['commitment']}]" if entry["type"].startswith(_COMMITMENT) else ""
    return f"{short}{about} {words}".rstrip()


def told(entry: Entry) -> str | None:
    """Say in words what a fact tells; None for what a reader knows already, or has no words here."""
    say = _FACTS.get(entry["type"])
    return None if say is None else say(entry["data"])


def _voice(entry: Entry) -> str:
    type_ = entry["type"]
    if type_.startswith(_COMMITMENT):
        return "promise"
    if type_.startswith(_CASE):
        return "case"
    return "we" if type_.startswith("recovery.") else "customer"


def _is_inside(data: Mapping[str, Any]) -> bool:
    return bool(data["audience"] != "customer")


def _opened(data: Mapping[str, Any]) -> str | None:
    return None if _is_inside(data) else f'owed now: "{data["statement"]}"{_about(data)}'


def _decided(word: str) -> Say:
    def say(data: Mapping[str, Any]) -> str:
        return f'{word}: "{data["statement"]}"{_about(data)}'

    return say


def _about(data: Mapping[str, Any]) -> str:
    """What it is about, where that is a word that people use."""
    return f" ({data['segment']})" if data.get("segment") else ""


def _held(data: Mapping[str, Any]) -> str:
    what = "; ".join(each["what"] for each in data.get("unread", ())) or data["reason"]
    return f'held, since not all was read: "{data["statement"]}"{_about(data)} ({what})'


def _moved(data: Mapping[str, Any]) -> str:
    when = f"is due {data['due']}" if data["due"] else "has no due time while its clock stands still"
    return f'moved: "{data["statement"]}"{_about(data)} {when}'


def _corrected(data: Mapping[str, Any]) -> str:
    return f'corrected: "{data["statement"]}" was {data["was"]} and is {data["judgement"]}'


def _case_opened(data: Mapping[str, Any]) -> str:
    return f"a case is opened, severity {data['severity']}: {_failed(data)}"


def _failed(data: Mapping[str, Any]) -> str:
    return f"{data['failure']['promise']} was broken" if data.get("failure") else "somebody reports that we failed"


def _pledged(data: Mapping[str, Any]) -> str:
    return f"{data['owner']} pledges to the customer, by {data['pledge']['due']}"


def _money(data: Mapping[str, Any], word: str = "") -> str:
    money = data.get("money")
    return f"{word} {money['amount']} {money['currency']}" if money else ""


def _spent(data: Mapping[str, Any]) -> str:
    own = " out of an employee's own pocket, to be repaid" if data["money"]["bearer"] == "employee" else ""
    return f"{data['money']['kind'].replace('_', ' ')} costs{_money(data)}{own}"


_FACTS: Final[Mapping[str, Say]] = {
    "makegood.commitment.opened": _opened,
    "makegood.commitment.held": _held,
    "makegood.commitment.moved": _moved,
    "makegood.commitment.kept": _decided("KEPT"),
    "makegood.commitment.broken": _decided("BROKEN"),
    "makegood.commitment.withdrawn": _decided("withdrawn"),
    "makegood.commitment.excused": _decided("excused"),
    "makegood.commitment.corrected": _corrected,
    "makegood.commitment.rejudged": _decided("BROKEN, judged again by another version"),
    "makegood.case.opened": _case_opened,
    "makegood.case.joined": lambda data: f"one more failure joins the case: {_failed(data)}",
    "makegood.case.owned": lambda data: f"{data['owner']} takes the case on",
    "makegood.case.pledged": _pledged,
    "makegood.case.pledge_fulfilled": lambda data: f"{data['owner']} has done what was pledged",
    "makegood.case.pledge_kept": lambda _: "the pledge was kept",
    "makegood.case.pledge_at_risk": lambda data: f"the pledge will be broken unless it is fulfilled by {data['pledge']['due']}",
    "makegood.case.pledge_broken": lambda _: "the pledge was BROKEN",
    "makegood.case.escalated": lambda data: f"escalated, severity {data['severity']} now",
    "makegood.case.remedied": lambda data: f"{data['owner']} has made it good, as far as it can be",
    "makegood.case.confirmed": lambda _: "the customer confirms it in her own words",
    "makegood.case.watching": lambda _: "watching: is she back, and does nothing fail her again for 30 days?",
    "makegood.case.restored": lambda _: "RESTORED: evidence, not a click, shows that the customer is back",
    "makegood.case.not_restored": lambda _: "not restored",
    "makegood.case.disputed": lambda _: "the customer says that it is not good yet: it goes on",
    "makegood.case.unknown": lambda _: "nothing was heard from the customer; how it ended is unknown",
    "makegood.case.declined": lambda _: "the customer wants nothing more of us in this",
    "makegood.case.merged": lambda _: "it goes on in another case",
    "makegood.case.task_set": lambda data: f"to be done by {data['task']['due']}",
    "makegood.case.task_done": lambda _: "a task was done",
    "makegood.case.message_queued": lambda _: "a message to the customer waits for its hour",
    "makegood.case.message_sent": lambda _: "a message went out to the customer",
    "makegood.case.message_incomplete": lambda data: f"a message to the customer waits for its owner: {data['reason']}",
    "makegood.case.message_failed": lambda _: "a message could NOT be delivered",
    "makegood.case.contact_recorded": lambda _: "somebody spoke with the customer, or tried to",
    "makegood.case.feedback_given": lambda _: "it was said how it was",
    "makegood.case.task_broken": lambda _: "a task was LATE",
    "makegood.case.help_asked": lambda data: f"help is asked for, by {data['help']['due']}",
    "makegood.case.help_accepted": lambda _: "somebody will help",
    "makegood.case.help_passed": lambda _: "the request is passed on to somebody who can",
    "makegood.case.help_answered": lambda _: "help came",
    "makegood.case.help_thanked": lambda _: "those who helped are thanked",
    "makegood.case.help_broken": lambda _: "help came LATE",
    "makegood.case.asked": lambda _: "somebody has to decide: was the customer told?",
    "makegood.case.answered": lambda _: "it is decided what the customer was told",
    "makegood.case.failure_withdrawn": lambda _: "a failure was none after all",
    "makegood.case.offered": lambda data: f"{data['owner']} asks somebody to take the case over",
    "makegood.case.offer_refused": lambda data: f"the case stays with {data['owner']}",
    "makegood.case.cause_set": lambda _: "the cause is known",
    "makegood.case.reviewed": lambda _: "it is written down what was learned",
    "makegood.case.approval_asked": lambda data: f"an approval is asked, to be decided by {data['approval']['due']}",
    "makegood.case.approval_granted": lambda _: "the approval is granted",
    "makegood.case.approval_refused": lambda _: "the approval is refused",
    "makegood.case.approval_broken": lambda _: "nobody decided in time what was asked",
    "makegood.case.given": lambda data: f"something is given to make good{_money(data, ' worth')}",
    "makegood.case.thanked": lambda _: "the customer says thank you",
    "makegood.case.spent": _spent,
    "makegood.case.repaid": lambda data: f"an employee is repaid{_money(data)}",
    "makegood.case.compensation_owed": lambda data: f"the customer is owed{_money(data)} by {data['compensation']['due']}",
    "makegood.case.compensation_paid": lambda data: f"the customer is paid{_money(data)}",
    "makegood.case.compensation_exempted": lambda _: "the compensation is not owed after all",
    "makegood.case.compensation_broken": lambda _: "the compensation was NOT PAID in time",
    "makegood.case.withdrawn": lambda _: "withdrawn: it was no failure after all",
}
