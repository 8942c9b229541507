"""The public data sets of `../shared/data` as CloudEvents, in the way its README says."""

import csv
import gzip
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"
Event = dict[str, Any]


def required() -> None:
    """Skip where the data are missing, and say so; where CI says that they must be there, fail."""
    if not SHARED.is_dir():
        assert os.environ.get("CI") != "true", f"the data sets are missing: {SHARED}"
        pytest.skip(f"the data sets are missing: {SHARED}")


def write(events: Iterable[Event], path: Path) -> Path:
    """Write events as JSON Lines."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(each) + b"\n" for each in events)
    return path


def helpdesk() -> Iterator[Event]:
    """A help desk's log: type is the activity, subject the ticket."""
    for row in _rows("helpdesk/helpdesk.csv.gz"):
        case, number = row["case:concept:name"], row["idx"]
        yield event("helpdesk", f"{case}-{number}", row["concept:name"], case, _instant(row["time:timestamp"]))


def city_requests() -> Iterator[Event]:
    """New York's service requests: opened, with its due date where it has one, and closed."""
    for row in _rows("nyc311/nyc311_2013-12.csv.gz"):
        key, due = row["Unique Key"], row["Due Date"]
        data = {"agency": row["Agency"]} | ({"due": text(_new_york(due))} if due else {})
        yield event("nyc311", f"{key}-opened", "request.opened", key, _new_york(row["Created Date"]), data)
        if row["Closed Date"]:
            yield event("nyc311", f"{key}-closed", "request.closed", key, _new_york(row["Closed Date"]))


def fines() -> Iterator[Event]:
    """Road fines by whole days: what is owed and what has been paid in all, and, of a fine that is sent, when it must be notified.

    The log's `paymentamount` has lost its decimal point; `totalpaymentamount` has not.
    """
    created: dict[str, datetime] = {}
    for row in _rows("traffic_fines/traffic_fines_10k.csv.gz"):
        case, activity, time = row["case_id"], row["activity"], _instant(row["timestamp"])
        if activity == "Create Fine":
            created[case] = time
        sums = {"amount": "amount", "expense": "expense", "paid": "totalpaymentamount"}
        data: Event = {name: float(row[column] or 0) for name, column in sums.items()}
        if activity == "Send Fine":
            data["due"] = text(created[case] + timedelta(days=90))
        yield event("fines", f"{case}-{row['.order']}", activity, case, time, data)


def permits() -> Iterator[Event]:
    """Permit applications: started, with a deadline, and ended."""
    seen: set[str] = set()
    for row in _rows("receipt/receipt.csv.gz"):
        case = row["case:concept:name"]
        if case in seen:
            continue
        seen.add(case)
        data = {"deadline": text(_instant(row["case:deadline"]))} if row["case:deadline"] else {}
        yield event("receipt", f"{case}-started", "case.started", case, _instant(row["case:startdate"]), data)
        if row["case:enddate"]:
            yield event("receipt", f"{case}-ended", "case.ended", case, _instant(row["case:enddate"]))


def latest_permit_step() -> datetime:
    """The latest time in the permits' log."""
    return max(_instant(row["time:timestamp"]) for row in _rows("receipt/receipt.csv.gz"))


def incidents() -> Iterator[Event]:
    """IT incidents with their priority: opened and resolved."""
    for row in _rows("bpic2014/bpic2014_incident_cases_4k.csv.gz"):
        case, data = row["incident_id"], {"priority": int(row["priority"])}
        for what in ("open", "resolved"):
            if row[f"{what}_time"]:
                yield event("incidents", f"{case}-{what}", f"incident.{what}", case, _instant(row[f"{what}_time"]), data)


def incident_activities() -> Iterator[Event]:
    """What was done about IT incidents: type is the activity."""
    for number, row in enumerate(_rows("bpic2014/bpic2014_incident_activities_4k.csv.gz")):
        case, time = row["incident_id"], _instant(row["data_stamp"])
        yield event("incidents", f"activity-{number}", row["incident_activity_type"], case, time)


def latest_incident_activity() -> datetime:
    """The latest time in the incidents' log of activities."""
    return max(_instant(row["data_stamp"]) for row in _rows("bpic2014/bpic2014_incident_activities_4k.csv.gz"))


def event(source: str, key: str, type_: str, subject: str, time: datetime, data: Event | None = None) -> Event:
    """One CloudEvent."""
    return {
        "specversion": "1.0",
        "id": key,
        "source": source,
        "type": type_,
        "subject": subject,
        "time": text(time),
        "data": data or {},
    }


def text(instant: datetime) -> str:
    """An instant as the log would write it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(SHARED / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _instant(written: str) -> datetime:
    found = datetime.fromisoformat(written)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _new_york(written: str) -> datetime:
    clock = datetime.strptime(written, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=ZoneInfo("America/New_York"))
    return clock.astimezone(UTC)
