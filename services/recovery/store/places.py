"""Where a page of a list ends that is sorted by what may be missing."""

from typing import Any

import sqlalchemy as sa


def last_without(*keys: Any) -> list[sa.ColumnElement[Any]]:
    """These columns, or values, of text as a tuple that is compared as PostgreSQL sorts them: what is missing comes last."""
    found: list[sa.ColumnElement[Any]] = []
    for each in keys:
        if isinstance(each, sa.ColumnElement):
            found += [each.is_(None), sa.func.coalesce(each, "")]
        else:
            found += [sa.literal(each is None), sa.literal(each or "")]
    return found
