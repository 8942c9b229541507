"""Who may do what: the one access table, from each HTTP operation's id to the roles that may call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.acts import ACTS
from contracts.roles import CASE_WORK, Role


@dataclass(frozen=True, slots=True)
class Operation:
    """Who may do one operation, and why they."""

    roles: frozenset[Role]
    why: str


_STAFF: Final = frozenset({*CASE_WORK, Role.OPERATIONS, Role.AUDITOR})
_READERS: Final = _STAFF | {Role.SYSTEM}

OPERATIONS: Final[Mapping[str, Operation]] = {
    # journey
    "receive_touchpoints": Operation(frozenset({Role.SYSTEM, Role.OPERATIONS}), "Company systems tell what happened."),
    "list_touchpoints": Operation(
        frozenset({Role.MANAGER, Role.OPERATIONS, Role.AUDITOR}), "It shows all customers at once; who serves one reads their timeline."
    ),
    "find_customers": Operation(_STAFF, "Whoever serves a customer has to find them first."),
    "get_customer": Operation(_STAFF, "Whoever serves a customer has to know who they are."),
    "get_timeline": Operation(_READERS, "What happened to a customer, and what was made of it."),
    "erase_customer": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "It cannot be undone; whoever answers for it does it."),
    "get_erasure": Operation(frozenset({Role.MANAGER, Role.OPERATIONS, Role.AUDITOR}), "That it was done has to be shown to whoever asks."),
    "make_status_link": Operation(CASE_WORK | {Role.SYSTEM}, "Whoever serves a customer, or writes to them, sends the link."),
    "list_status_links": Operation(_STAFF, "Who gave away what is everybody's business inside."),
    "revoke_status_link": Operation(CASE_WORK | {Role.OPERATIONS}, "What was given away too far has to be stopped at once."),
    "get_customer_status": Operation(frozenset({Role.PUBLIC}), "Who has the link needs no account; the link is what is checked."),
    "answer_customer_status": Operation(frozenset({Role.PUBLIC}), "The customer's own answer; the link is what is checked, and paced."),
    "watch_timeline": Operation(_READERS, "Who may read a timeline may see it go on."),
    "get_identity": Operation(_READERS, "Whoever acts on who is whom has to see who said so."),
    "list_identity_conflicts": Operation(_STAFF, "Who may be one person is for a person to decide, and names both."),
    "decide_identity": Operation(
        frozenset({Role.LEAD, Role.MANAGER, Role.OPERATIONS}), "It decides whose promises an event keeps; whoever says it answers for it."
    ),
    "list_quarantine": Operation(frozenset({Role.OPERATIONS, Role.AUDITOR}), "Refused records may hold anything."),
    "get_refused_record": Operation(frozenset({Role.OPERATIONS, Role.AUDITOR}), "Refused records may hold anything."),
    "release_refused_record": Operation(frozenset({Role.OPERATIONS}), "Whoever runs the system puts right what it could not read."),
    "dismiss_refused_record": Operation(frozenset({Role.OPERATIONS}), "Whoever runs the system answers for what it leaves unread."),
    "start_backfill": Operation(frozenset({Role.OPERATIONS}), "It lets history of any age in."),
    "end_backfill": Operation(frozenset({Role.OPERATIONS}), "Whoever brings history in knows when all of it is there."),
    "list_backfills": Operation(frozenset({Role.OPERATIONS, Role.AUDITOR}), "Who brought which history in has to be shown."),
    "publish_event_type": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "An event type decides whom events are about."),
    "list_event_types": Operation(_READERS, "What the systems of the house emit is no secret inside it."),
    "retire_event_type": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever says whom events are about ends it."),
    "publish_source": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "A heartbeat decides when verdicts are held."),
    "retire_source": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever says whom we wait for says when we no longer do."),
    "publish_feed": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "A feed decides what is heard of customers, and from whom."),
    "retire_feed": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever lets a feed in turns it off."),
    "list_publications": Operation(_READERS, "Who decided what is heard, and from whom, has to be shown."),
    "list_feeds": Operation(_READERS, "Who lags is everybody's business."),
    "receive_webhook": Operation(frozenset({Role.PUBLIC}), "The signature says who sends; other products have no token of ours."),
    "list_sources": Operation(_READERS, "Who fell silent is everybody's business."),
    "publish_journey_map": Operation(frozenset({Role.MANAGER}), "A map says what counts as falling out, and where promises are counted."),
    "retire_journey_map": Operation(frozenset({Role.MANAGER}), "Whoever says how customers go says when they no longer do."),
    "list_journey_maps": Operation(_READERS, "The way that customers go is everybody's business."),
    "get_journey_map": Operation(_READERS, "Totals name no customer."),
    "get_customer_needs": Operation(CASE_WORK, "What was sensed serves those who serve the customer; discretion says who of them."),
    "get_customer_aspirations": Operation(CASE_WORK, "What was sensed serves those who serve the customer; discretion says who of them."),
    "get_customer_expectations": Operation(CASE_WORK, "What was sensed serves those who serve the customer; discretion says who of them."),
    "get_customer_feedback": Operation(_STAFF, "Whoever serves a customer has to know what they said; discretion says how much of it."),
    "get_customer_relationship": Operation(_STAFF, "A relationship is explained to whoever works on it."),
    "publish_relationship": Operation(frozenset({Role.MANAGER}), "What counts how much in a relationship is a decision."),
    "retire_relationship": Operation(frozenset({Role.MANAGER}), "Whoever decides what counts decides when it no longer does."),
    "get_relationships": Operation(_STAFF, "Totals name no customer, and staff by name."),
    "list_attachments": Operation(_STAFF, "Whoever leads people has to know who would leave with whom."),
    "list_ignored_feedback": Operation(_STAFF, "What was ignored is everybody's business who could answer it."),
    "list_aspirations": Operation(CASE_WORK, "Whoever serves customers comes back to where they are going; discretion says who to whom."),
    "list_needs": Operation(CASE_WORK, "Whoever serves customers meets what they need; discretion says who sees which."),
    "get_need_totals": Operation(CASE_WORK, "Whoever serves customers meets what they need; discretion says who counts which."),
    "list_refusals": Operation(_STAFF, "What we do not do is decided by those who see what it leaves unserved."),
    "get_encounters": Operation(_READERS, "Totals name no customer."),
    "get_efforts": Operation(_READERS, "Totals name no customer."),
    "get_customer_journey": Operation(_READERS, "Whoever serves a customer has to know where they are."),
    "list_indicators": Operation(_READERS, "How promises are kept is everybody's business."),
    "list_team_indicators": Operation(_READERS, "What a team is given is everybody's business who takes from it."),
    "list_contact_indicators": Operation(_READERS, "Counts name no customer."),
    "list_pulses": Operation(_READERS, "Answers of few are not shown."),
    "publish_principle": Operation(frozenset({Role.MANAGER}), "Principles bind everybody who promises."),
    "retire_principle": Operation(frozenset({Role.MANAGER}), "Whoever binds everybody lets them go."),
    "list_principles": Operation(_READERS, "What the organisation stands for is no secret inside it."),
    "get_principle": Operation(_READERS, "What the organisation stands for is no secret inside it."),
    "tell_promise": Operation(frozenset({Role.MANAGER}), "Whoever publishes a promise tells journey what it is about."),
    "tell_retirement": Operation(frozenset({Role.MANAGER}), "Whoever retires a promise tells journey."),
    # promises
    "publish_promise": Operation(frozenset({Role.MANAGER}), "A promise binds the company."),
    "retire_promise": Operation(frozenset({Role.MANAGER}), "Whoever answers for promises ends them."),
    "list_promises": Operation(_READERS, "What is promised is no secret inside the company."),
    "get_promise": Operation(_READERS, "What is promised is no secret inside the company."),
    "get_performance": Operation(_READERS, "How promises are kept is everybody's business."),
    "list_performance": Operation(_READERS, "How promises are kept is everybody's business."),
    "get_register": Operation(frozenset({Role.PUBLIC}), "Customers read what they are promised before they come, and how it is kept."),
    "agree_terms": Operation(frozenset({Role.MANAGER}), "What is negotiated binds the company."),
    "end_terms": Operation(frozenset({Role.MANAGER}), "What is negotiated binds the company."),
    "list_terms": Operation(_READERS, "Terms name customers by key only."),
    "publish_calendar": Operation(frozenset({Role.MANAGER}), "A calendar moves what is due."),
    "list_calendars": Operation(_READERS, "When we work is no secret inside the company."),
    "get_calendar": Operation(_READERS, "When we work is no secret inside the company."),
    "lint_draft": Operation(_STAFF, "Whoever writes a draft is told what is wrong with it; nothing of it is kept."),
    "get_working_hours": Operation(_READERS, "When we work is no secret inside the company."),
    "start_backtest": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever drafts promises sees first what they would come to."),
    "list_backtests": Operation(frozenset({Role.MANAGER, Role.OPERATIONS, Role.AUDITOR}), "Drafts are nobody else's business yet."),
    "get_backtest": Operation(frozenset({Role.MANAGER, Role.OPERATIONS, Role.AUDITOR}), "Drafts are nobody else's business yet."),
    "delete_backtest": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever may ask for a backtest may cancel it."),
    "start_rejudgement": Operation(frozenset({Role.MANAGER}), "A second verdict may open cases; whoever answers for promises asks for it."),
    "list_rejudgements": Operation(_READERS, "What was judged anew, by whom and why, is everybody's business."),
    "get_rejudgement": Operation(_READERS, "What was judged anew, by whom and why, is everybody's business."),
    "list_rejudgement_changes": Operation(_READERS, "Second verdicts name customers by key only."),
    "declare_source": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "A heartbeat decides when verdicts are held."),
    "undeclare_source": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever says whom we wait for says when we no longer do."),
    "list_declared_sources": Operation(_READERS, "Who fell silent is everybody's business."),
    "list_commitments": Operation(_READERS, "Commitments name customers by key only."),
    "get_commitment": Operation(_READERS, "Commitments name customers by key only."),
    "explain_commitment": Operation(_READERS, "A verdict has to be accounted for to whoever acts on it."),
    "ask_excuse": Operation(CASE_WORK, "Those who serve customers know what was beyond us; that it excuses us, another decides."),
    "get_excuse": Operation(_STAFF, "An excuse is told in words that may name anybody."),
    "decide_excuse": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever answers for the team; never the one who asked."),
    "take_back_excuse": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever may grant an excuse may see that it was wrong."),
    # recovery
    "list_cases": Operation(_READERS, "Cases are found by those who work on them and those who oversee it."),
    "watch_cases": Operation(_READERS, "Who may read cases may see them go on."),
    "watch_case": Operation(_READERS, "Who may read a case may see it go on."),
    **{
        each: Operation(CASE_WORK, "A queue belongs to a person or a team; others do not see it.")
        for each in ("create_queue", "list_queues", "get_queue", "list_queue_cases", "change_queue", "delete_queue")
    },
    "get_case": Operation(_READERS, "Cases are read by those who work on them and those who oversee it."),
    **{
        f"get_case_{each}": Operation(_READERS, "Parts of a case are read by whoever reads it.")
        for each in (
            "owner",
            "pledges",
            "tasks",
            "gestures",
            "ledger",
            "approvals",
            "compensations",
            "help_requests",
            "messages",
            "contacts",
            "notes",
            "cause",
        )
    },
    "get_audit": Operation(_STAFF, "That nothing was changed has to be shown to whoever asks."),
    "open_case": Operation(CASE_WORK | {Role.SYSTEM}, "Whoever sees that we failed somebody says so."),
    "create_webhook": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "What leaves the house, whoever answers for it sends."),
    "list_webhooks": Operation(frozenset({Role.MANAGER, Role.OPERATIONS, Role.AUDITOR}), "Where facts go has to be shown."),
    "get_webhook": Operation(frozenset({Role.MANAGER, Role.OPERATIONS, Role.AUDITOR}), "Where facts go has to be shown."),
    "change_webhook": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "What leaves the house, whoever answers for it sends."),
    "delete_webhook": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Whoever lets facts out stops them."),
    "list_deliveries": Operation(_STAFF, "Who was told what, and who could not be, is everybody's business inside; no words are shown."),
    "redeliver": Operation(frozenset({Role.LEAD, Role.MANAGER, Role.OPERATIONS}), "Whoever put right what was in the way tries again."),
    "get_attachment": Operation(CASE_WORK, "Files may hold anything of a customer's; those who serve them read it."),
    "preview_message": Operation(CASE_WORK, "Whoever writes to a customer sees first how it would read."),
    **{each.name: Operation(each.roles, each.why) for each in ACTS},
    "start_bulk_act": Operation(CASE_WORK, "Whoever may do an act in one case may do it in many; each case decides by itself."),
    "get_bulk_act": Operation(CASE_WORK, "How far it has come is for those who work on the cases."),
    "list_bulk_act_cases": Operation(CASE_WORK, "Where it was refused, somebody has to look at the case."),
    "propose_mass_failures": Operation(_STAFF, "What may have one cause is everybody's business inside; it names nobody."),
    "declare_mass_failure": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever answers for the team says what is one failure."),
    "list_mass_failures": Operation(_READERS, "What failed for many is no secret inside the company."),
    "get_mass_failure": Operation(_READERS, "What failed for many is no secret inside the company."),
    "get_mass_failure_audit": Operation(_STAFF, "That nothing was changed has to be shown to whoever asks."),
    "change_mass_failure": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever leads it answers for it."),
    "act_on_mass_failure": Operation(frozenset({Role.LEAD, Role.MANAGER}), "One plan: whoever leads it acts for all."),
    "close_mass_failure": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever leads it sees how it ended for everybody."),
    "get_surge": Operation(_STAFF, "What will be missed is seen by all who can help before it is."),
    "suggest_people": Operation(CASE_WORK, "Whoever needs somebody has to know who knows, can and wants."),
    "list_help_requests": Operation(CASE_WORK, "What is asked of somebody is theirs to see."),
    "list_people": Operation(CASE_WORK, "Everybody sees themselves; a lead sees the team."),
    "get_person": Operation(CASE_WORK, "Everybody sees themselves; a lead sees the team."),
    "describe_person": Operation(CASE_WORK, "Everybody speaks for themselves, and for nobody else."),
    "set_away": Operation(CASE_WORK, "Who fell ill cannot say so here; whoever leads them can."),
    "set_hours": Operation(CASE_WORK, "Whoever leads people makes their roster; everybody says their own."),
    "list_causes": Operation(_STAFF, "Why we fail is everybody's business inside; it names nobody."),
    "list_learning_needs": Operation(_STAFF, "What was not known is for all to learn; it names nobody."),
    "begin_improvement": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever answers for the work changes it."),
    "change_improvement": Operation(frozenset({Role.LEAD, Role.MANAGER}), "Whoever answers for the work changes it."),
    "list_improvements": Operation(_STAFF, "What is being changed concerns all."),
    "get_improvement": Operation(_STAFF, "What is being changed concerns all."),
    "recognise": Operation(CASE_WORK, "Whoever has seen it says it."),
    "list_recognitions": Operation(CASE_WORK, "It is for the person and whoever leads them."),
    "get_recognition": Operation(CASE_WORK, "It is for the person and whoever leads them."),
    "write_coaching_note": Operation(CASE_WORK, "It is between a lead and a person, and only these two see it."),
    "list_coaching_notes": Operation(CASE_WORK, "It is between a lead and a person, and only these two see it."),
    "list_approvals": Operation(CASE_WORK, "Everybody sees what waits for their own decision, and no more."),
    "get_ledger_totals": Operation(_READERS, "What failures cost, and who bore it, is everybody's business; totals name no customer."),
    "get_measures": Operation(_READERS, "How well we make good is everybody's business; it names neither customers nor staff."),
    "publish_playbook": Operation(frozenset({Role.MANAGER}), "A playbook says what is owed to those we failed."),
    "list_playbooks": Operation(_READERS, "How we make good is no secret inside the company."),
    "get_playbook": Operation(_READERS, "How we make good is no secret inside the company."),
    # each service
    "make_api_key": Operation(frozenset({Role.OPERATIONS}), "Whoever runs the system lets systems in; a key opens less than any person."),
    "list_api_keys": Operation(frozenset({Role.OPERATIONS, Role.AUDITOR}), "Who may come in has to be shown; what opens is never."),
    "rotate_api_key": Operation(frozenset({Role.OPERATIONS}), "Whoever gave a key exchanges it."),
    "revoke_api_key": Operation(frozenset({Role.OPERATIONS}), "A key that got away has to be stopped at once."),
    "export_customer": Operation(frozenset({Role.MANAGER, Role.OPERATIONS}), "Everything about somebody leaves the house, for them alone."),
    "get_status": Operation(_READERS, "How far the service has come."),
}


WITHIN: Final[Mapping[str, str]] = {
    **dict.fromkeys(("list_queues", "get_queue", "list_queue_cases"), "one's own and one's team's; another's is not there (404)"),
    **dict.fromkeys(
        ("change_queue", "delete_queue"),
        "one's own, and a team's by whoever saved it or leads it (else 403); another team's is not there (404)",
    ),
    "create_queue": "for oneself or one's own team",
    "list_people": "oneself, as a lead one's team, as a manager everybody",
    **dict.fromkeys(
        ("get_person", "set_away", "set_hours"),
        "oneself, as a lead one's team, as a manager everybody; others are not there (404)",
    ),
    "describe_person": "oneself only",
    **dict.fromkeys(
        ("list_recognitions", "get_recognition"), "one's own, as a lead one's team's, as a manager all; others are not there (404)"
    ),
    **dict.fromkeys(("write_coaching_note", "list_coaching_notes"), "between a lead and somebody whom they lead"),
    "list_approvals": "what waits for one's own decision, or for that of somebody who lent theirs",
    **dict.fromkeys(
        (
            "get_customer_needs", "get_customer_aspirations", "get_customer_expectations", "get_customer_feedback", "list_aspirations",
            "list_needs", "get_need_totals", "get_timeline", "watch_timeline",
        ),
        "what is discreet, as far as the emitter lets one's team or oneself see it; the rest is not there",
    ),
}  # fmt: skip
"""What of an operation depends on who one is beside one's roles."""


def as_page() -> str:
    """The table for people to read."""
    roles = [each for each in Role if any(each in row.roles for row in OPERATIONS.values())]
    head = ["operation", *map(str, roles), "of whose", "because"]
    lines = [
        "# Who may do what",
        "",
        "Generated from `contracts/access.py`, by which every service admits or refuses; `tests/security/test_access.py` tries every cell.",
        "Without a token one is `public`, and so is everybody else too. A key of a system opens its scopes, among those of `system`.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for name, row in OPERATIONS.items():
        marks = ["yes" if each in row.roles else "" for each in roles]
        lines.append(f"| {' | '.join([f'`{name}`', *marks, WITHIN.get(name, ''), row.why])} |")
    return "\n".join(lines) + "\n"


def table() -> dict[str, frozenset[str]]:
    """The roles by operation id, as the services' gate reads them."""
    return {operation: frozenset(map(str, row.roles)) for operation, row in OPERATIONS.items()}
