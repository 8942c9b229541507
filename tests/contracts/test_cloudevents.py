"""The CloudEvents codec: what goes in comes out in every mode, and no bytes raise anything but `InvalidEvent`."""

import contextlib
import json
import string
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings import kafka as official
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import cloudevents, instants, rfc3339
from services.chassis.cloudevents import BATCH, STRUCTURED, InvalidBatch, InvalidEvent

HEADERS = [("content-type", STRUCTURED.encode())]
MINIMAL = {"specversion": "1.0", "id": "1", "source": "shop", "type": "order.placed"}

_characters = st.characters(exclude_categories=["Cs", "Cc", "Cn"])
_text = st.text(_characters, min_size=1, max_size=40)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).filter(
    lambda name: name not in {*MINIMAL, "subject", "time", "datacontenttype", "dataschema", "data"}
)
_plain = _text | st.booleans() | st.integers(-(2**31), 2**31 - 1)
_times = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)


@st.composite
def events(draw: st.DrawFn, extensions: Any = _plain) -> dict[str, Any]:
    """Structured forms of valid events."""
    document: dict[str, Any] = {"specversion": "1.0", "id": draw(_text), "source": draw(_text), "type": draw(_text)}
    document |= draw(st.dictionaries(_names, extensions, max_size=3))
    document |= draw(st.fixed_dictionaries({}, optional={"subject": _text, "time": _times}))
    none: dict[str, Any] = {}
    document |= draw(
        st.just(none)
        | st.fixed_dictionaries({"data": _json})
        | st.fixed_dictionaries({"data": _json, "datacontenttype": st.sampled_from(["application/json", "a/b+json"])})
        | st.fixed_dictionaries({"data": _text, "datacontenttype": st.just("text/plain; charset=utf-8")})
        | st.fixed_dictionaries({"data_base64": st.just("AP8="), "datacontenttype": st.just("image/png")})
    )
    return document


@given(events())
def test_structured_mode_round_trips(document: dict[str, Any]) -> None:
    event = cloudevents.decode(json.dumps(document).encode(), HEADERS)
    assert event.attributes == document
    assert cloudevents.decode(cloudevents.encode(event), HEADERS) == event
    assert (event.id, event.source, event.type) == (document["id"], document["source"], document["type"])
    assert event.time == (datetime.fromisoformat(document["time"]) if "time" in document else None)


@given(events(extensions=_text))
def test_binary_mode_round_trips_on_kafka_and_http(document: dict[str, Any]) -> None:
    """Extension attributes that are no text become text: headers carry nothing else."""
    event = cloudevents.event(document)
    assert cloudevents.decode(*cloudevents.encode_binary(event)) == event
    assert cloudevents.decode_http(*cloudevents.encode_http_binary(event)) == [event]


@given(st.lists(events(), max_size=5))
def test_batch_mode_round_trips(documents: list[dict[str, Any]]) -> None:
    batch = [cloudevents.event(each) for each in documents]
    assert cloudevents.decode_http(cloudevents.encode_batch(batch), {"Content-Type": BATCH}) == batch


@given(events(extensions=_text).filter(lambda document: "data_base64" not in document))
def test_the_official_library_reads_what_we_encode(document: dict[str, Any]) -> None:
    event = cloudevents.event(document)
    message = official.KafkaMessage({"content-type": STRUCTURED.encode()}, None, cloudevents.encode(event))
    theirs = official.from_structured_event(message, JSONFormat())
    assert (theirs.get_id(), theirs.get_source(), theirs.get_type()) == (event.id, event.source, event.type)
    # the official library makes up a time where none was sent
    assert event.time is None or theirs.get_time() == event.time
    assert theirs.get_data() == document.get("data")


_odd_bytes = st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode(errors="surrogatepass"))
_odd_headers = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_id", "ce_specversion", "ce_source", "ce_type", "ce_time", "ce_x", "lane"])
        | st.text(max_size=8),
        st.sampled_from([b"1.0", STRUCTURED.encode(), BATCH.encode(), b"text/plain", None]) | st.binary(max_size=30),
    ),
    max_size=8,
)


@given(st.none() | _odd_bytes | _json.map(lambda each: json.dumps(each).encode()), _odd_headers | st.just(HEADERS))
def test_no_record_raises_anything_but_invalid_event(value: bytes | None, headers: Any) -> None:
    with contextlib.suppress(InvalidEvent):
        cloudevents.decode(value, headers)


@given(
    _odd_bytes,
    st.dictionaries(
        st.sampled_from(["content-type", "ce-id", "ce-specversion", "ce-source", "ce-type", "CE-time", "ce-x"]),
        st.sampled_from(["1.0", STRUCTURED, BATCH, "%zz", "%ff", '"a"', "ü"]) | st.text(max_size=20),
    ),
)
def test_no_request_raises_anything_but_invalid_event(body: bytes, headers: dict[str, str]) -> None:
    with contextlib.suppress(InvalidEvent):
        cloudevents.decode_http(body, headers)


@given(events(), st.data())
def test_a_mutilated_event_raises_nothing_but_invalid_event(document: dict[str, Any], data: st.DataObject) -> None:
    value = bytearray(orjson.dumps(document))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(value) - 1)))
        value[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(InvalidEvent):
        cloudevents.decode(bytes(value), HEADERS)


_space = st.sampled_from(["", "", " ", "\n", "\t "])
_keys = st.sampled_from(['"a"', '"b"', '"c"', '"d"', '"\\u0061"', '":"', '"\\":"'])


def _object(members: list[tuple[str, str, str, str]]) -> str:
    return "{" + ",".join(f"{key}{before}:{after}{value}" for key, before, after, value in members) + "}"


_written = st.recursive(
    st.sampled_from(["1", '"x"', '":"', '"\\":"', '" :"']),
    lambda inner: (
        st.lists(st.tuples(_keys, _space, _space, inner), max_size=4).map(_object) | st.lists(inner).map(lambda each: f"[{','.join(each)}]")
    ),
    max_leaves=8,
)


@given(_written)
def test_a_key_named_twice_is_found_however_it_is_written(text: str) -> None:
    """Breaks if counting `":` can be led to miss a key: by spaces, by escapes, by strings that look like keys."""
    repeated = False

    def watch(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) != len(pairs)

    json.loads(text, object_pairs_hook=watch)
    with contextlib.ExitStack() as stack:
        if repeated:
            stack.enter_context(pytest.raises(InvalidEvent, match="duplicate-key"))
        cloudevents.decode(_with(f'"data":{text}'), HEADERS)


def _with(text: str) -> bytes:
    return json.dumps(MINIMAL).encode()[:-1] + b"," + text.encode() + b"}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"{", "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"[]", "not-an-object"),
        (b"7", "not-an-object"),
        (b"\xff\xfe", "not-utf-8"),
        ("{}".encode("utf-16"), "not-utf-8"),
        (b"[" * 1024 * 1024, "too-large"),
        (b"[" * 200_000, "too-deep"),
        (_with('"data":' + "[" * 33 + "]" * 33), "too-deep"),
        (_with('"data":' + "[" * 900 + "]" * 900), "too-deep"),
        (_with('"data":' + '{"a":' * 32 + "1" + "}" * 32), "too-deep"),
        (_with('"id":"1"'), "duplicate-key"),
        (_with('"id" :"1"'), "duplicate-key"),
        (_with('"id"\n\t:"1"'), "duplicate-key"),
        (_with('"data":{"a":1,"a" :2}'), "duplicate-key"),
        (_with('"data":{"a":1,"\\u0061":2}'), "duplicate-key"),
        (_with('"data":[{"a":":","a":":"}]'), "duplicate-key"),
        (_with('"data":"\\u0000"'), "nul-character"),
        (_with('"data":{"\\u0000":1}'), "nul-character"),
        (_with('"data":"\\ud800"'), "lone-surrogate"),
        (_with('"data":"\\udc00x"'), "lone-surrogate"),
        (_with('"data":NaN'), "not-a-number"),
        (_with('"data":[-Infinity]'), "not-a-number"),
        (_with('"data":9223372036854775808'), "integer-too-large"),
        (_with('"data":-9223372036854775809'), "integer-too-large"),
        (_with('"data":' + "9" * 30), "integer-too-large"),
        (_with('"data":' + "9" * 5000), "number-too-large"),
        (_with('"data":1e999'), "number-too-large"),
        (_with('"data":{' + ",".join(f'"{n}":1' for n in range(2000)) + "}"), "too-many-keys"),
        (_with('"data":[' + ",".join(["[]"] * 20_001) + "]"), "too-many-items"),
        (_with('"data":"' + "x" * 16_385 + '"'), "string-too-long"),
        (_with('"subject":"' + "x" * 513 + '"'), "string-too-long"),
        (_with('"subject":""'), "bad-attribute"),
        (_with('"subject":7'), "bad-attribute"),
        (_with('"subject":"a\\nb"'), "control-character"),
        (_with('"subject":"a\\uffff"'), "control-character"),
        (_with('"Big":"x"'), "bad-attribute-name"),
        (_with('"with_line":"x"'), "bad-attribute-name"),
        (_with('"":"x"'), "bad-attribute-name"),
        (_with('"x":1.5'), "bad-attribute"),
        (_with('"x":2147483648'), "bad-attribute"),
        (_with('"x":{}'), "bad-attribute"),
        (_with('"x":"a\\u0007"'), "control-character"),
        (_with('"time":"yesterday"'), "bad-time"),
        (_with('"time":7'), "bad-time"),
        (_with('"data_base64":"!"'), "bad-base64"),
        (_with('"data_base64":7'), "bad-base64"),
        (_with('"data":1,"data_base64":"AA=="'), "two-data"),
        (b'{"id":"1","source":"s","type":"t"}', "missing-attribute"),
        (b'{"specversion":"1.0","source":"s","type":"t"}', "missing-attribute"),
        (b'{"specversion":"1.0","id":null,"source":"s","type":"t"}', "missing-attribute"),
        (b'{"specversion":"0.3","id":"1","source":"s","type":"t"}', "unknown-specversion"),
        (b'{"specversion":1.0,"id":"1","source":"s","type":"t"}', "unknown-specversion"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_refused_says_why(value: bytes, reason: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        cloudevents.decode(value, HEADERS)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "value",
    [
        _with('"data":' + "[" * 31 + "]" * 31),
        _with('"data":[9223372036854775807,-9223372036854775808,1e300]'),
        _with('"data":"\\\\u0000"'),
        _with('"data":{"say":"\\":\\"","more":":"}'),
        _with('"data" : {"a" : 1, "b" : {"a" : 1}}'),
        _with('"data":"' + "x" * 16_384 + '"'),
        _with('"subject":null,"time":null'),
        json.dumps(MINIMAL, indent=4).encode(),
    ],
)
def test_what_is_unusual_and_right_is_accepted(value: bytes) -> None:
    expected = {name: each for name, each in json.loads(value).items() if each is not None}
    assert cloudevents.decode(value, HEADERS).attributes == expected


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "bad-content-type"),
        ([("content-type", b"application/json")], "bad-content-type"),
        ([("content-type", BATCH.encode())], "bad-content-type"),
        ([("content-type", b"application/cloudevents+avro")], "bad-content-type"),
        ([("content-type", STRUCTURED.encode() + b"; charset=utf-16")], "bad-content-type"),
        ([("content-type", b"\xff")], "not-utf-8"),
        ([("content-type", b"text/plain"), ("content-type", b"text/html")], "bad-content-type"),
        ([(f"h{number}", b"") for number in range(33)], "too-many-headers"),
        ([("ce_specversion", b"1.0"), ("ce_specversion", b"1.0")], "duplicate-key"),
        ([("ce_specversion", b"1.0"), ("ce_data", b"x")], "bad-attribute-name"),
        ([("ce_specversion", b"1.0"), ("ce_id", b"1")], "missing-attribute"),
    ],
)
def test_headers_that_are_refused_say_why(headers: Any, reason: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        cloudevents.decode(b"{}", headers)
    assert refused.value.reason == reason


def test_every_bad_event_of_a_batch_is_named() -> None:
    good = orjson.dumps(MINIMAL)
    body = b"[" + good + b', {"id":"1","id":"2"} ,' + good + b',7,"]",' + good + b"]"
    with pytest.raises(InvalidBatch) as refused:
        cloudevents.decode_http(body, {"content-type": BATCH})
    assert [(index, problem.reason) for index, problem in refused.value.problems] == [
        (1, "duplicate-key"),
        (3, "not-an-object"),
        (4, "not-an-object"),
    ]


def test_no_refusal_repeats_what_was_sent() -> None:
    """Breaks if a message of the JSON reader or a stranger's key name gets into an error."""
    canary = "canary7411"
    values = [
        _with(f'"{canary.upper()}":1'),
        _with(f'"data":{{"{canary}":1,"{canary}":2}}'),
        _with(f'"subject":"{canary}\\n"'),
        _with(f'"time":"{canary}"'),
        _with(f'"data":{canary}'),
        _with(f'"data":"{canary}\\ud800"'),
        _with(f'"data_base64":"{canary}!"'),
    ]
    for value in values:
        with pytest.raises(InvalidEvent) as refused:
            cloudevents.decode(value, HEADERS)
        assert canary not in str(refused.value).lower()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T08:30:00Z", datetime(2026, 1, 31, 8, 30, tzinfo=UTC)),
        ("2026-01-31t08:30:00.5z", datetime(2026, 1, 31, 8, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T08:30:00.1234569Z", datetime(2026, 1, 31, 8, 30, 0, 123_456, tzinfo=UTC)),
        ("2026-01-31T08:30:00-00:00", datetime(2026, 1, 31, 8, 30, tzinfo=UTC)),
        ("2026-01-31T08:30:00+05:45", datetime(2026, 1, 31, 2, 45, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2017-01-01T00:59:60+01:00", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_times_of_rfc_3339_are_read(text: str, moment: datetime) -> None:
    assert rfc3339.parse(text) == moment
    assert rfc3339.parse(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T08:30:00", "2026-01-31 08:30:00Z", "2026-01-31T08:30Z", "20260131T083000Z", "2026-W05-6T08:30:00Z",
        "2026-01-31T24:00:00Z", "2026-02-30T08:30:00Z", "2026-01-31T08:30:60Z", "2026-01-31T08:30:00+01:99",
        "2026-01-31T08:30:00+24:00", "2026-01-31T08:30:00+01:00:30", "2026-01-31T08:30:00.Z", "2026-01-31T08:30:00,5Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z", "infinity", "",
        "٢026-01-31T08:30:00Z", "2026-01-31T08:30:00Z\n", "+2026-01-31T08:30:00Z",
    ],
)  # fmt: skip
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(rfc3339.BadTime):
        rfc3339.parse(text)


@given(st.datetimes(timezones=st.timezones()))
def test_times_as_we_write_them_are_read_back_exactly(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    assert rfc3339.parse(instants.text_of(moment)) == expected
