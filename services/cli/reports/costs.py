"""What making good would have cost, as far as the playbooks in the same files say what one case costs.

A playbook says it in its `spec`: `cost: {per_case: 25, currency: EUR}`. A promise that breaks opens one case at most, since
the failures of one customer join the case that is open: what is told is a bound from above.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from services.chassis.documents import Finding, Value
from services.promises.language.declarations import Document, Promise


class Cost(NamedTuple):
    """What one case costs by its playbook."""

    playbook: str
    per_case: float
    currency: str

    def of(self, broken: int) -> str:
        """Return what so many cases would cost at most."""
        return f"{broken * self.per_case:,.2f} {self.currency}".replace(".00 ", " ")

    def as_json(self, broken: int) -> dict[str, Any]:
        """Return the figures."""
        return {
            "playbook": self.playbook,
            "per_case": self.per_case,
            "currency": self.currency,
            "at_most": round(broken * self.per_case, 2),
        }


class Costs(NamedTuple):
    """What is known of the cost of each promise, by its name, and what is not."""

    known: dict[str, Cost]
    unknown: dict[str, str]


def costs(documents: Sequence[Document]) -> Costs:
    """Return what cases would cost; promises that open none (internal ones, and those without a playbook) are in neither part."""
    playbooks = {each.name: _cost(each) for each in documents if each.kind == "Playbook"}
    found = Costs({}, {})
    for each in documents:
        promise = each.declares
        if not isinstance(promise, Promise) or promise.playbook is None or promise.audience != "customer":
            continue
        cost = playbooks.get(promise.playbook)
        if cost is not None:
            found.known[promise.name] = cost
        elif promise.playbook in playbooks:
            found.unknown[promise.name] = f"the playbook `{promise.playbook}` does not say what a case costs"
        else:
            found.unknown[promise.name] = f"the playbook `{promise.playbook}` is not in these files"
    return found


def problems(documents: Iterable[tuple[str, Document]]) -> list[Finding]:
    """Return what is wrong with the costs that playbooks state."""
    found = []
    for file, document in documents:
        written = _written(document)
        if written is not None and _cost(document) is None:
            right = "a cost is `cost: {per_case: 25, currency: EUR}`, a number that is not negative and a text"
            found.append(Finding(file, written.line, written.column, right))
    return found


def _written(document: Document) -> Value | None:
    if document.kind != "Playbook":
        return None
    spec = document.root.content.get("spec")
    return spec.content.get("cost") if spec is not None and isinstance(spec.content, dict) else None


def _cost(document: Document) -> Cost | None:
    spec = document.raw.get("spec")
    written = spec.get("cost") if isinstance(spec, Mapping) else None
    if not isinstance(written, Mapping) or written.keys() != {"per_case", "currency"}:
        return None
    per_case, currency = written["per_case"], written["currency"]
    if isinstance(per_case, bool) or not isinstance(per_case, int | float) or per_case < 0 or not isinstance(currency, str):
        return None
    return Cost(document.name, per_case, currency)
