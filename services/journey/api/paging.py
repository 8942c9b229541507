"""What all lists of journey's share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

PAGE_SIZE, LARGEST_PAGE = 100, 1000
Text = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]
Counted = Annotated[int, Field(ge=0, lt=2**63)]
Moment = Annotated[AwareDatetime, Field(gt=datetime(1, 1, 3, tzinfo=UTC), lt=datetime(9999, 12, 30, tzinfo=UTC))]
