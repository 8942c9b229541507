"""Reading many lines at once takes and refuses what reading them one by one does, which is what journey does."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli import columns

USUAL: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "shop",
    "type": "order.placed",
    "subject": "crm:1",
    "time": "2026-03-01T08:00:00Z",
    "datacontenttype": "application/json",
    "data": {"order": "o1", "total": 12.5, "items": [{"what": "tea"}, {"what": "cup"}], "gift": True, "note": None},
}
DEEP = '{"a":' * 30 + "[]" + "}" * 30
TOO_DEEP = '{"a":' * 31 + "[]" + "}" * 31


def line(**more: Any) -> bytes:
    return orjson.dumps(USUAL | more) + b"\n"


def written(name: str, text: str) -> bytes:
    """The usual event with one member as it is written here."""
    return line().replace(b'"' + name.encode() + b'":' + orjson.dumps(USUAL[name]), f'"{name}":{text}'.encode())


def without(name: str) -> bytes:
    return orjson.dumps({key: value for key, value in USUAL.items() if key != name}) + b"\n"


UNUSUAL = {
    "an extension": line(traceparent="00-1-2-3"),
    "an extension that is a number": line(sequence=7),
    "an extension with a control character": line(traceparent="a\nb"),
    "an extension with a bad name": line(Trace_Parent="x"),
    "taken for evidence only": line(evidenceonly=True),
    "no subject": without("subject"),
    "a subject of null": line(subject=None),
    "an empty subject": line(subject=""),
    "a subject of many characters": line(subject="é" * 300),
    "an id that is a number": line(id=7),
    "an id of many characters": line(id="x" * 513),
    "an id that may be as long": line(id="x" * 512),
    "an id with a control character": line(id="a\x7fb"),
    "an id with letters of all kinds": line(id="größe-日本"),
    "an id with a quote": line(id='a"b'),
    "an empty type": line(type=""),
    "a reserved type": line(type="makegood.tick"),
    "another version": line(specversion="0.3"),
    "no version": without("specversion"),
    "no data": without("data"),
    "data that is null": line(data=None),
    "data that is a list": line(data=[1]),
    "data that is a text": line(data="x"),
    "other data": line(datacontenttype="application/xml", data="<x/>"),
    "no time": without("time"),
    "a time without an offset": line(time="2026-03-01T08:00:00"),
    "a time with an offset": line(time="2026-03-01T09:00:00+01:00"),
    "a time with milliseconds": line(time="2026-03-01T08:00:00.123Z"),
    "hour 24": line(time="2026-03-01T24:00:00Z"),
    "a leap second": line(time="2016-12-31T23:59:60Z"),
    "a day that is none": line(time="2026-02-30T08:00:00Z"),
    "an arrival": line(recordedtime="2026-03-01T09:00:00Z"),
    "an arrival long after": line(recordedtime="2026-05-01T09:00:00Z"),
    "an arrival before": line(recordedtime="2026-03-01T07:54:59Z"),
    "an arrival five minutes before": line(recordedtime="2026-03-01T07:55:00Z"),
    "an arrival that is none": line(recordedtime="soon"),
    "an arrival that is a number": line(recordedtime=7),
    "the same key twice": written("id", '"1","id":"2"'),
    "the same key twice in data": written("data", '{"a":1,"a":2}'),
    "the same key twice deep in data": written("data", '{"x":[{"a":"1","a":"2"}]}'),
    "a key in escapes": written("data", r'{"\u0061":1}'),
    "the same key twice, once in escapes": written("data", r'{"a":1,"\u0061":2}'),
    "space before a colon": written("data", '{"a" : 1}'),
    "the greatest integer": written("data", '{"a":9223372036854775807}'),
    "an integer that is too great": written("data", '{"a":9223372036854775808}'),
    "an integer that is far too great": written("data", '{"x":[1' + "0" * 30 + "]}"),
    "a great float": written("data", '{"a":1e300}'),
    "NaN": written("data", '{"a":NaN}'),
    "the NUL character": written("data", r'{"a":"\u0000"}'),
    "half a surrogate pair": written("data", r'{"a":"\ud800"}'),
    "deep data": written("data", DEEP),
    "data that is too deep": written("data", TOO_DEEP),
    "many keys": line(data={str(key): 0 for key in range(2_100)}),
    "a long text": line(data={"a": "x" * 17_000}),
    "a longer line": line(data={"a": "x" * 600}),
    "nothing": b"\n",
    "no JSON": b"{\n",
    "two values": line().strip() + b"," + line(id="2"),
    "half a value": b'{"specversion":"1.0"\n',
    "a list": b"[]\n",
    "a number": b"7\n",
    "not UTF-8": line().replace(b"tea", b"\xff"),
    "no line feed at the end": line().rstrip(),
    "a carriage return": line().rstrip() + b"\r\n",
}


def taken(read: Any, lines: list[bytes]) -> tuple[list[list[Any]], list[tuple[int, str, str]]]:
    refused: list[tuple[int, str, str]] = []
    found = read(range(1, len(lines) + 1), lines, lambda *line: refused.append(line))
    return list(map(list, found)), refused


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
def test_a_line_is_taken_or_refused_at_once_as_it_is_alone(unusual: bytes) -> None:
    """Breaks if a stretch of a file is believed to hold nothing that journey would refuse or change, and does."""
    lines = [line(id="before"), unusual, line(id="after")]
    assert taken(columns.columns, lines) == taken(columns._one_by_one, lines)


@given(st.lists(st.sampled_from([*UNUSUAL.values(), line()]), min_size=1, max_size=6))
def test_lines_are_taken_or_refused_together_as_they_are_alone(lines: list[bytes]) -> None:
    assert taken(columns.columns, lines) == taken(columns._one_by_one, lines)


@pytest.mark.parametrize(
    "name",
    ["an extension", "no subject", "a subject of null", "no data", "a time with milliseconds", "an arrival", "a longer line", "deep data"],
)
def test_what_is_common_is_read_at_once(name: str) -> None:
    """Breaks if every file of that kind were read line by line, which takes ten times as long."""
    lines = [line(id="before"), UNUSUAL[name], line(id="after")]
    found = columns._at_once(range(1, 4), lines)
    assert (list(map(list, found)), []) == taken(columns._one_by_one, lines)
