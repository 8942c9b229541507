"""What all lists of journey's share."""

from typing import Annotated

from pydantic import Field

PAGE_SIZE, LARGEST_PAGE = 100, 1000
Text = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]
Counted = Annotated[int, Field(ge=0, lt=2**63)]
