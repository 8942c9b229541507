"""What stands beside the work on a case: those who look on, and the files that belong to it."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from contracts.acts.table import ANY, MERGED, Act, By, Name, Needs, Words
from contracts.recovery import KINDS


def _known(kind: str) -> str:
    if kind not in KINDS:
        message = f"{kind!r} is nothing that happens in a case; one of {', '.join(sorted(KINDS))}"
        raise ValueError(message)
    return kind


Kind = Annotated[str, Field(json_schema_extra={"enum": sorted(KINDS)}), AfterValidator(_known)]
"""What happens in a case, as its facts are called: `owned` of `makegood.case.owned`."""


class Watch(Needs):
    """Of what somebody who looks on is told."""

    on: Annotated[list[Kind], Field(min_length=1, max_length=len(KINDS))] = Field(description="what happens in the case, as in `restored`")


class File(Needs):
    """A file, known by its own bytes."""

    name: Name = Field(description="what it is called")
    media_type: Name = Field(description="what it is, by what is in it")
    size: int = Field(ge=1, description="bytes")
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(description="SHA-256 of its bytes")


class Removal(Needs):
    """Why a file does not belong into a case."""

    why: Words = Field(description="in words that tell nothing of what was in it")


ROWS: Final = (
    Act(
        "join_watchers", "watch", "Be told by mail when what you choose happens in the case; said again, it stands in place of what was.",
        "Whoever cares how it goes may look on; nobody signs up another.", ANY | {MERGED}, Watch, By.ANYONE,
    ),
    Act("leave_watchers", "unwatch", "Be told no longer.", "Who looks on may look away.", ANY | {MERGED}, by=By.ANYONE),
    Act(
        "attach_file", "attachments", "Put a file into the case.", "Whoever has what shows how it was puts it there.", ANY, File, By.ANYONE,
        creates=True, is_file=True,
    ),
    Act(
        "remove_file", "attachments/{attachment_id}/remove", "Take a file out of the case: bytes and name go, that there was one stays.",
        "What does not belong into a case must leave it; whoever put it there, or the owner, says why.", ANY | {MERGED}, Removal, By.ANYONE,
    ),
)  # fmt: skip
