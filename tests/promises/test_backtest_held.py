"""A backtest knows of no more than the system would have: what a file lacks for a while holds, it is not guessed (DESIGN 3.7)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.chassis.instants import text_of
from tests.driving import NOON
from tests.judged import run, write
from tests.promises.conftest import response

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DUE = NOON + 2 * HOUR
Event = dict[str, Any]


def document(kind: str, name: str, **spec: Any) -> Event:
    return {"apiVersion": "makegood/v1", "kind": kind, "metadata": {"name": name, "owner": "shop"}, "spec": spec}


PROMISE = document("Promise", "in-time", statement="We keep this.", published=[], response=response())
SHOP = document("Source", "shop", source="shop", heartbeat="10 minutes", types=["delivered"])


def event(type_: str | None, minute: int, customer: str = "crm:ana", source: str = "till", **others: Any) -> Event:
    at = text_of(NOON + minute * MINUTE)
    found = {"specversion": "1.0", "id": f"{source}-{minute}-{customer}", "source": source, "type": type_, "subject": customer, "time": at}
    return {name: each for name, each in (found | {"data": {"order": "o1"}} | others).items() if each is not None}


def beats(*minutes: int) -> list[Event]:
    return [event("source.heartbeat", minute, source="shop") for minute in minutes]


def judged(folder: Path, events: list[Event], *documents: Event, as_of: int | None = None) -> dict[str, str]:
    """What each customer's commitment comes to, as the verdicts say; the counts have to say the same."""
    promises = folder / "promises.yaml"
    promises.write_bytes(b"---\n".join(orjson.dumps(each) + b"\n" for each in (PROMISE, *documents)))
    options = [] if as_of is None else ["--as-of", text_of(NOON + as_of * MINUTE)]
    file, verdicts = write(folder / "events", events), folder / "verdicts"
    answer = run("backtest", promises, "--events", file, "--json", "--verdicts", verdicts, *options)
    assert answer.exit_code == 0, answer.output
    found = [orjson.loads(line) for line in verdicts.read_bytes().splitlines()]
    counts = orjson.loads(answer.stdout.splitlines()[-1])
    assert sum(each["judgement"] == "broken" for each in found) == counts["broken"]
    assert sum(each["judgement"] in {"held", "on_track"} for each in found) == counts["open"]
    return {each["trigger"]["id"].rpartition("-")[2]: each["judgement"] for each in found}


CUSTOMERS = ("crm:ana", "crm:bob", "crm:carl", "crm:dora")


@pytest.mark.parametrize(("until", "said"), [(119, "on_track"), (120, "held"), (199, "held"), (200, "broken")])
def test_a_source_that_fell_silent_holds_what_depends_on_it_and_as_long_again(tmp_path: Path, until: int, said: str) -> None:
    """Breaks if evidence that a source had not sent yet were taken for none."""
    events = [event("placed", 0, each) for each in CUSTOMERS] + beats(*range(0, 95, 5), 150, *range(155, 300, 5))
    assert judged(tmp_path, events, SHOP, as_of=until) == dict.fromkeys(CUSTOMERS, said)


def test_a_source_that_is_heard_or_that_nothing_depends_on_holds_nothing(tmp_path: Path) -> None:
    events = [event("placed", 0, each) for each in CUSTOMERS] + [event("ping", 121, "crm:eve")]
    heard, other = beats(*range(0, 125, 5)), SHOP | {"spec": SHOP["spec"] | {"types": ["paid"]}}
    assert judged(tmp_path, events + heard, SHOP) == dict.fromkeys(CUSTOMERS, "broken")
    assert judged(tmp_path, events + beats(0), other) == dict.fromkeys(CUSTOMERS, "broken")
    assert judged(tmp_path, events + beats(0), SHOP) == dict.fromkeys(CUSTOMERS, "held")


def test_our_own_services_are_not_waited_for_in_a_file(tmp_path: Path) -> None:
    own = document("Source", "own", source="makegood/recovery", heartbeat="30 seconds", types=["delivered"])
    events = [event("placed", 0), event("recovery.case.owned", 0, source="makegood/recovery"), event("ping", 200)]
    assert judged(tmp_path, events, own) == {"crm:ana": "broken"}


def test_a_refused_line_holds_whom_it_names_and_nobody_else(tmp_path: Path) -> None:
    events = [event("placed", 0, each) for each in CUSTOMERS] + [event(None, 60), event("placed", 200, "crm:eve")]
    assert judged(tmp_path, events, as_of=150) == {"crm:ana": "held"} | dict.fromkeys(CUSTOMERS[1:], "broken")
    assert judged(tmp_path, events, as_of=50) == dict.fromkeys(CUSTOMERS, "on_track")
    assert judged(tmp_path, events, as_of=60 + 24 * 60)["crm:ana"] == "broken"


def test_a_refused_line_holds_by_the_fields_that_its_type_names(tmp_path: Path) -> None:
    types = document("EventType", "placed", type="placed", identifiers={"order": {"path": "data.order_id", "of": "thing"}})
    events = [event("placed", 0, each, data={"order": "o1", "order_id": each}) for each in CUSTOMERS]
    bad = event("placed", 60, None, data={"order_id": "crm:bob"}, id=None)  # type: ignore[arg-type]
    assert judged(tmp_path, [*events, bad], types, as_of=150) == dict.fromkeys(CUSTOMERS, "broken") | {"crm:bob": "held"}
