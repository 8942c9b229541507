"""Which fields of our own events may hold what is personal: emptied wherever a copy of such an event outlives its customer."""

from collections.abc import Mapping
from typing import Final

PERSONAL: Final[Mapping[str, tuple[str, ...]]] = {
    "makegood.commitment.": ("data.correlation", "data.trigger.id", "data.segment", "data.reason", "data.unread", "traceparent"),
    "makegood.case.": ("traceparent",),
    "makegood.promises.erased": (),
    "makegood.recovery.erased": (),
}
"""By the beginning of the type. Correlation and segment are what the customer's systems wrote; `reason` may quote a condition."""


def personal_in(type_: str) -> tuple[str, ...]:
    """The paths that may be personal in an event of ours; all of its data where nobody has said."""
    return next((paths for prefix, paths in PERSONAL.items() if type_.startswith(prefix)), ("data", "traceparent"))
