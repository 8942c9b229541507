"""What the public register says of each promise to customers that is in force. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from services.chassis.instants import text_of
from services.promises.domain import State
from services.promises.store.published import Published
from services.promises.store.reads import Count, Month
from services.promises.versions import Stage

COLUMNS: Final = ("promise", "statement", "channel", "reference", "published_since", "since", "applied", "kept", "broken", "excused",
                  "share", "paid")  # fmt: skip


def register_of(
    versions: Sequence[Published],
    counts: Sequence[Count],
    months: Sequence[Month],
    paid: Mapping[str, Mapping[str, str]],
    now: datetime,
) -> list[dict[str, Any]]:
    """One entry a promise, in the order of first publication; what came of it under all its versions together.

    `paid` is by promise and currency.
    """
    in_force = {each.name: orjson.loads(each.document)["spec"] for each in versions if each.span.stage(now) is Stage.IN_FORCE}
    first: dict[str, Published] = {}
    for each in versions:
        first.setdefault(each.name, each)
    return [
        _entry(
            name,
            in_force[name],
            each.span.start or each.published_at,
            [count for count in counts if count.promise == name],
            [month for month in months if month.promise == name],
            paid.get(name, {}),
        )
        for name, each in first.items()
        if name in in_force and in_force[name].get("audience", "customer") == "customer"
    ]


def _entry(
    name: str, spec: Mapping[str, Any], since: datetime, counts: Sequence[Count], months: Sequence[Month], paid: Mapping[str, str]
) -> dict[str, Any]:
    came_to = dict.fromkeys((State.KEPT, State.BROKEN, State.EXCUSED), 0)
    for count in counts:
        state = State.KEPT if count.standing else State(count.state)
        if state in came_to:
            came_to[state] += count.number
    return {
        "promise": name,
        "statement": spec["statement"],
        "published": _places(spec.get("published") or []),
        "since": text_of(since),
        "applied": sum(count.number for count in counts),
        **{str(state): number for state, number in came_to.items()},
        "share": share_of(came_to[State.KEPT], came_to[State.BROKEN]),
        "months": [
            {"month": each.month.isoformat(), "kept": each.kept, "broken": each.broken, "share": share_of(each.kept, each.broken)}
            for each in months
            if each.kept + each.broken
        ],
        "paid": paid,
    }


def share_of(kept: int, broken: int) -> float | None:
    """The share kept of what was decided; None where neither is."""
    return round(kept / (kept + broken), 4) if kept + broken else None


def _places(written: Any) -> list[dict[str, Any]]:
    places = written if isinstance(written, list) else [written]
    return [{name: each.get(name) for name in ("channel", "reference", "since")} for each in places]


def rows_of(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one entry in CSV: one a place where it is published, one where it is published nowhere."""
    for place in entry["published"] or [{}]:
        where = {"channel": place.get("channel"), "reference": place.get("reference"), "published_since": place.get("since")}
        yield {**entry, **where, "paid": "; ".join(f"{currency} {amount}" for currency, amount in entry["paid"].items())}
