"""What cases are asked for and spend, as rows that lists and totals over all cases are made of."""

from typing import Any

from services.recovery.domain.case import Case
from services.recovery.domain.money import Bearer, Entry


def approval_rows(case: Case) -> list[dict[str, Any]]:
    """The case's rows of `approvals`."""
    return [
        {
            "id": each.id,
            "case_id": case.id,
            "asked_by": each.asked_by,
            "roles": sorted(each.roles),
            "due": each.due,
            "decision": each.decision and each.decision.value,
        }
        for each in case.approvals.values()
    ]


def ledger_rows(case: Case) -> list[dict[str, Any]]:
    """The case's rows of `ledger`; what names no promise is counted under the first one that was broken."""
    first = min(case.failures.values(), key=lambda each: (each.broken_at, each.commitment), default=None)
    return [_ledger_row(case, each, first.promise if first else None) for each in case.ledger.values()]


def _ledger_row(case: Case, entry: Entry, promise: str | None) -> dict[str, Any]:
    spent = {Bearer.UNIT: entry.at, Bearer.EMPLOYEE: entry.repaid_at}
    return {
        "id": entry.id,
        "case_id": case.id,
        "kind": entry.kind.value,
        "amount": entry.money.amount,
        "currency": entry.money.currency,
        "bearer": entry.bearer.value,
        "borne_by": entry.borne_by,
        "promise": entry.promise or promise,
        "playbook": case.playbook,
        "at": entry.at,
        "spent_at": spent.get(entry.bearer),
    }
