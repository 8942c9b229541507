"""What becomes of foreign records: touchpoints with ids that are always the same, or refusals that repeat nothing; never an exception."""

import io
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.cloudevents import Event, decode, encode
from services.chassis.relay import CONTENT_TYPE
from services.chassis.strictjson import InvalidJson
from services.journey.feeds import lines
from services.journey.feeds.document import Feed, Lines, read
from services.journey.feeds.lines import BadHeaderError
from services.journey.feeds.mapping import Foreign, Refused, Skipped
from services.journey.feeds.mapping import read as read_json
from services.journey.feeds.picks import around
from tests.journey.test_feed_documents import HEAD, ORDERS, one

FEED = one(ORDERS)
CANARY = "canary-4711"
GOOD: dict[str, Any] = {
    "status": "P",
    "customer": {"id": 4711},
    "event_id": "e1",
    "at": 1767225600000,
    "order": "o1",
    "total": "12.5",
    "test": False,
}


def foreign(record: Any, **others: Any) -> Foreign:
    return Foreign(around(record, **others), ("shop.orders", "0", "1"))


def mapped(record: Any, feed: Feed = FEED) -> Any:
    return feed.mapping.of(foreign(record))


def with_(**spec: str) -> Feed:
    """The feed with other lines in it."""
    text = [f"  {line.strip().partition(':')[0]}: {spec.pop(name)}" if (name := line.strip().partition(":")[0]) in spec else line
            for line in ORDERS.splitlines()]  # fmt: skip
    return one("\n".join([*text, *(f"  {name}: {value}" for name, value in spec.items())]) + "\n")


def test_a_record_becomes_a_touchpoint() -> None:
    found = mapped(GOOD)
    assert isinstance(found, Event)
    assert (found.type, found.subject, found.id, found.source) == ("order.placed", "crm:4711", "e1", "shop")
    assert found.time == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.attributes["data"] == {"order": "o1", "total": 12.5}
    assert found.attributes["feed"] == "shop-orders"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"event_id": None}, "id"),
        ({"event_id": [CANARY]}, "id"),
        ({"customer": {"id": {"a": CANARY}}}, "subject"),
        ({"at": CANARY}, "time"),
        ({"at": 1e300}, "time"),
        ({"at": None}, "time"),
        ({"total": CANARY}, "data"),
        ({"status": {CANARY: 1}}, "type"),
        ({"event_id": CANARY * 100}, "attribute id"),
        ({"event_id": CANARY + "\x07"}, "attribute id"),
    ],
)
def test_a_record_that_cannot_be_mapped_is_refused_where_it_is_wrong_and_nothing_of_it_is_repeated(
    change: dict[str, Any], where: str
) -> None:
    found = mapped(GOOD | change)
    assert isinstance(found, Refused), found
    assert found.where == where
    assert CANARY not in found.detail
    assert where in ("skip", "subject") or found.known["subject"] == "crm:4711"  # whom it names is known all the same


@pytest.mark.parametrize(
    "expression",
    ["int(record.customer.name)", "timestamp(record.customer.name)", "record.customer[record.customer.name]", "record.customer.name + 1",
     "'a'.matches(record.customer.name + '(')", "duration(record.customer.name)", "record.customer.name ? 'a' : 'b'"],
)  # fmt: skip
def test_an_expression_that_fails_says_why_and_repeats_nothing(expression: str) -> None:
    found = mapped(GOOD | {"customer": {"id": 1, "name": CANARY}}, with_(type=f'{{cel: "{expression}"}}'))
    assert isinstance(found, Refused)
    assert "its expression" in found.detail
    assert CANARY not in found.detail


def test_what_the_feed_has_no_interest_in_is_skipped_and_a_condition_that_fails_is_no_false() -> None:
    assert mapped(GOOD | {"test": True}) == Skipped()
    assert mapped(GOOD | {"status": "other", "test": False}) == Skipped()  # `otherwise: skip`
    assert isinstance(mapped(GOOD | {"test": "yes"}), Event)  # it is not `true`
    assert isinstance(mapped(GOOD, with_(skip="record.missing.deep > 1")), Refused)


def test_ids_are_the_records_own_or_always_the_same_made_of_its_parts_or_of_where_it_lies() -> None:
    own, parts = mapped(GOOD), mapped(GOOD, with_(id="[record.order, record.status]"))
    without = one("\n".join(line for line in ORDERS.splitlines() if "id: record" not in line or "customer" in line) + "\n")
    place = mapped(GOOD, without)
    assert own.id == "e1"
    assert UUID(parts.id).version == 5
    assert parts.id == mapped(GOOD | {"total": 1}, with_(id="[record.order, record.status]")).id
    assert parts.id != mapped(GOOD | {"order": "o2"}, with_(id="[record.order, record.status]")).id
    elsewhere: Any = without.mapping.of(Foreign(around(GOOD), ("shop.orders", "0", "2")))
    assert place.id == mapped(GOOD | {"total": 1}, without).id != elsewhere.id


@pytest.mark.parametrize(
    ("time", "at", "said"),
    [
        ("record.at", "2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00+00:00"),
        ("{path: record.at, format: seconds}", 1772366400.25, "2026-03-01T12:00:00.250000+00:00"),
        ("{path: record.at, format: seconds}", "1772366400", "2026-03-01T12:00:00+00:00"),
        ("{path: record.at, format: microseconds}", 1772366400000001, "2026-03-01T12:00:00.000001+00:00"),
        ("{path: record.at, format: '%d.%m.%Y %H:%M', zone: Europe/Berlin}", "01.03.2026 13:00", "2026-03-01T12:00:00+00:00"),
        ("{path: record.at, zone: Europe/Berlin}", "2026-03-01 13:00:00", "2026-03-01T12:00:00+00:00"),
        ("{path: record.at, zone: Europe/Berlin}", "2026-10-25 02:30:00", "2026-10-25T00:30:00+00:00"),  # comes twice: the first
        ("{path: record.at, zone: Europe/Berlin}", "2026-03-29 02:30:00", "2026-03-29T01:00:00+00:00"),  # is skipped: the first after it
        ("{path: record.at, zone: Europe/Berlin}", "2026-03-01T13:00:00Z", "2026-03-01T13:00:00+00:00"),  # it says its offset itself
        ("{cel: \"record.at + 'T00:00:00Z'\"}", "2026-03-01", "2026-03-01T00:00:00+00:00"),
    ],
)
def test_times_are_read_as_they_are_written(time: str, at: Any, said: str) -> None:
    assert mapped(GOOD | {"at": at}, with_(time=time)).time.isoformat() == said


@pytest.mark.parametrize(
    "at", ["2026-03-01 12:00:00", "2026-13-01T00:00:00Z", "yesterday", 5, True, "9" * 400, -1e18, "0001-01-01T00:00:00+14:00"]
)
def test_a_time_that_is_none_or_has_no_offset_is_refused(at: Any) -> None:
    assert isinstance(mapped(GOOD | {"at": at}, with_(time="record.at")), Refused)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inside: some.lists(inside, max_size=3) | some.dictionaries(some.sampled_from([*GOOD, "id", "x", "\ud800"]), inside, max_size=6),
    max_leaves=12,
)  # fmt: skip
FEEDS = [
    FEED,
    with_(type="{cel: record.status}", id="{cel: 'record.order + string(partition)'}", time="{path: record.at, format: seconds}"),
    with_(data="record", subject="record.customer", time="record.at", skip="size(record.order) > 3"),
    with_(data="{a: {cel: record.total * 2}, b: {path: record.order, as: boolean}, c: {path: record.at, as: integer}}"),
]


@given(record=JSON, feed=some.sampled_from(FEEDS))
def test_no_record_raises_and_whatever_comes_out_passes_the_way_in(record: Any, feed: Feed) -> None:
    record = record if not isinstance(record, dict) else GOOD | record
    found = mapped(record, feed)
    if isinstance(found, Event):
        assert decode(encode(found), [CONTENT_TYPE]).id == found.id


@given(raw=some.binary() | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_but_what_is_wrong_with_them(raw: bytes) -> None:
    try:
        read_json(raw)
    except InvalidJson:
        return


HOSTILE = {
    b"[" * 100_000: "too-deep", b'{"a":' + b"9" * 5000 + b"}": "number-too-large", b"\xff\xfe{}": "not-utf-8",
    b'{"a":1,"a":2}': "duplicate-key", b'{"a":NaN}': "not-a-number", b'{"a":"\\ud800"}': "lone-surrogate", b"x" * 300_000: "too-large",
}  # fmt: skip


def test_hostile_lines_are_refused_one_by_one_and_the_good_ones_between_them_are_read() -> None:
    good = json.dumps(GOOD).encode()
    content = b"\xef\xbb\xbf" + b"\r\n".join(each for bad in HOSTILE for each in (good, bad)) + b"\n\n" + good
    found = list(lines.records(io.BytesIO(content), Lines("a.jsonl", csv=False)))
    assert len([each for _, each, _ in found if isinstance(each, Foreign)]) == len(HOSTILE) + 1
    assert sorted(each.reason for _, each, _ in found if isinstance(each, InvalidJson)) == sorted(HOSTILE.values())


def csv_records(content: bytes, delimiter: str = ",") -> list[Any]:
    found = lines.records(io.BytesIO(content), Lines("a.csv", csv=True, delimiter=delimiter))
    return [each.around["record"] if isinstance(each, Foreign) else each.reason for _, each, _ in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfid,name\r\n1,Ana\r\n", [{"id": "1", "name": "Ana"}]),
        (b'id,name\n1,"a ""b"", c\nd"\n', [{"id": "1", "name": 'a "b", c\nd'}]),
        (b"id,name\n1\n2,Bob,x\n3,\n", ["wrong-columns", "wrong-columns", {"id": "3"}]),
        (b"id,name\n1,\xff\n2,Bob\n", ["not-utf-8", {"id": "2", "name": "Bob"}]),
        (b"id,name\n1,a\x00b\n2,Bob\n", ["nul-character", {"id": "2", "name": "Bob"}]),
        (b"id,name\n1," + b"x" * 400_000 + b"\n2,Bob\n", ["not-csv", {"id": "2", "name": "Bob"}]),
        (b"id,name\n1,Ana\x0bB\xe2\x80\xa8C\n", [{"id": "1", "name": "Ana\x0bB\u2028C"}]),
        (b'id,name\n1,"never closed\n', ["not-csv"]),
    ],
)
def test_csv_is_read_as_it_comes_and_a_bad_row_costs_itself_only(content: bytes, expected: list[Any]) -> None:
    assert csv_records(content) == expected


@pytest.mark.parametrize("header", [b"", b"\n", b"a,a\n1,2\n", b"a,\n1,2\n", b"\xff\n", b'"a\n'])
def test_a_csv_file_without_columns_is_told_at_once(header: bytes) -> None:
    with pytest.raises(BadHeaderError):
        csv_records(header)


def test_an_empty_cell_says_nothing_and_a_missing_column_is_told() -> None:
    feed = read(HEAD + """  source: shop
  from: {file: {path: a.csv}}
  type: {value: order.placed}
  subject: 'record["Customer No"]'
  time: {path: record.at, zone: UTC}
  id: record.id
""", "feed.yaml")[0]  # fmt: skip
    assert isinstance(feed.origin, Lines)
    content = io.BytesIO(b"id,at,Customer No\n1,2026-03-01 12:00:00,crm:1\n2,2026-03-01 12:00:00,\n3,,crm:3\n,2026-03-01 12:00:00,crm:4\n")
    found = [feed.mapping.of(each) for _, each, _ in lines.records(content, feed.origin) if isinstance(each, Foreign)]
    assert [each.where if isinstance(each, Refused) else each.subject for each in found if not isinstance(each, Skipped)] == [
        "crm:1",
        None,
        "time",
        "id",
    ]
