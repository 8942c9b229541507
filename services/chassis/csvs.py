"""Answers as CSV (RFC 4180) for those who ask for `text/csv`, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import Request

from services.chassis.instants import text_of

MEDIA_TYPE: Final = "text/csv; charset=utf-8"
DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
"""What an operation's `responses` say of it in OpenAPI."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that spreadsheets would run (OWASP, "CSV Injection"); the last four are full-width."""


def wanted(request: Request) -> bool:
    """Whether the client names CSV, and does not name JSON as what it would rather have."""
    qualities: dict[str, float] = {}
    for each in request.headers.get("accept", "").split(","):
        media, *parameters = (part.strip().lower() for part in each.split(";"))
        qualities[media] = max(qualities.get(media, 0.0), _quality(parameters))
    return qualities.get("text/csv", 0.0) > qualities.get("application/json", 0.0)


def _quality(parameters: Sequence[str]) -> float:
    for each in parameters:
        if each.startswith("q="):
            try:
                return float(each[2:])
            except ValueError:
                return 0.0
    return 1.0


def render(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """One line a row, under a line of names; what a row does not have is empty."""
    text = io.StringIO()
    # texts in quotes: a spreadsheet that separates by other characters would find a formula inside a cell
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return text_of(value)
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
    return value
