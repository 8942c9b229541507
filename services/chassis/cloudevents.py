"""CloudEvents 1.0 on Kafka (structured, binary) and HTTP (structured, binary, batch): bytes to `Event` and back.

Bytes of strangers come in here: `decode` and `decode_http` raise nothing but `InvalidEvent`, whatever they are given.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import orjson

from services.chassis import rfc3339, strictjson
from services.chassis.strictjson import InvalidJson

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
MAX_HEADERS: Final = 32
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH_EVENTS: Final = 1_000
# unique keys of Postgres hold at most 2,704 bytes, and source and id stand in one
MAX_ATTRIBUTE: Final = 512
INT32: Final = 2**31

_JSON: Final = "application/json"
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef]")
# the last two code points of every plane
_NONCHARACTER: Final = 0xFFFE
_STRUCTURED_BYTES: Final = STRUCTURED.encode()
_KNOWN: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"}
)


class InvalidEvent(InvalidJson):
    """The event cannot be accepted: correct what is named at its source and send it again."""


class InvalidBatch(InvalidEvent):
    """Some events of the batch cannot be accepted: correct those named and send the whole batch again."""

    def __init__(self, problems: Sequence[tuple[int, InvalidEvent]]) -> None:
        first, problem = problems[0]
        super().__init__(problem.reason, problem.detail, f"event {first}, {problem.where}")
        self.problems = tuple(problems)


class Event(NamedTuple):
    """One CloudEvent. `attributes` is its whole structured form, data included; treat it as frozen."""

    id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None
    attributes: dict[str, Any]


def decode(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Event:
    """The event of one Kafka record; `InvalidEvent` for whatever is none."""
    if len(headers) > MAX_HEADERS:
        raise InvalidEvent("too-many-headers", f"the record has {len(headers)} headers; at most {MAX_HEADERS} are allowed", "headers")
    for name, content in headers:
        if name == "content-type" and content == _STRUCTURED_BYTES:
            return _structured(value or b"")
    return _decode_other(value or b"", headers)


def decode_http(body: bytes, headers: Mapping[str, str]) -> list[Event]:
    """The events of one HTTP request, one or a batch, all of them valid (`InvalidBatch` names each that is not)."""
    fields = _Fields("ce-")
    for name, text in headers.items():
        fields.add(name.lower(), text)
    media, _ = fields.media_type()
    if media == BATCH:
        return _batch(body)
    if media.startswith("application/cloudevents"):
        return [_structured_as(media, fields, body)]
    return [_binary(body, fields, {name: _unescape(name, text) for name, text in fields.attributes.items()})]


def event(attributes: Mapping[str, Any]) -> Event:
    """The event of the given structured form, under the same limits as one that is received."""
    try:
        return _structured(orjson.dumps(attributes))
    except orjson.JSONEncodeError:
        raise InvalidEvent("not-json", "holds what JSON cannot say, or half of a surrogate pair") from None


def encode(event: Event) -> bytes:
    """The structured mode, to be sent with content type `STRUCTURED`."""
    return orjson.dumps(event.attributes)


def encode_batch(events: Iterable[Event]) -> bytes:
    """The batch mode of HTTP, to be sent with content type `BATCH`."""
    return orjson.dumps([event.attributes for event in events])


def encode_binary(event: Event) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Kafka's binary mode: value and headers. Extension attributes become text, which is all that headers can carry."""
    headers = [(f"ce_{name}", text.encode()) for name, text in _texts(event)]
    if content_type := event.attributes.get("datacontenttype"):
        headers.append(("content-type", content_type.encode()))
    return _body(event.attributes), headers


def encode_http_binary(event: Event) -> tuple[bytes, dict[str, str]]:
    """HTTP's binary mode: body and headers, percent-encoded as the HTTP binding asks."""
    printable = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '%"')
    headers = {f"ce-{name}": quote(text, safe=printable) for name, text in _texts(event)}
    if content_type := event.attributes.get("datacontenttype"):
        headers["content-type"] = content_type
    return _body(event.attributes), headers


def _decode_other(value: bytes, headers: Sequence[tuple[str, bytes | None]]) -> Event:
    fields = _Fields("ce_")
    for name, content in headers:
        lower = name.lower()
        if lower == "content-type" or lower.startswith("ce_"):
            try:
                fields.add(lower, (content or b"").decode())
            except UnicodeDecodeError:
                raise InvalidEvent("not-utf-8", "a header's text must be UTF-8", "headers") from None
    media, _ = fields.media_type()
    if media == BATCH:
        raise InvalidEvent(
            "bad-content-type",
            "a Kafka record carries one event; send a batch as one record each",
            "header content-type",
        )
    if media.startswith("application/cloudevents"):
        return _structured_as(media, fields, value)
    return _binary(value, fields, fields.attributes)


class _Fields:
    """The headers of a message that say something of its event: its content type and its attributes."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.content_type: str | None = None
        self.attributes: dict[str, str] = {}

    def add(self, name: str, text: str) -> None:
        if name == "content-type":
            if self.content_type not in (None, text):
                raise InvalidEvent("bad-content-type", "two content types were given; give one", "header content-type")
            self.content_type = text
        elif name.startswith(self.prefix):
            if (attribute := name[3:]) in self.attributes:
                raise InvalidEvent("duplicate-key", "an attribute was given twice; give each once", "headers")
            self.attributes[attribute] = text
            if len(self.attributes) > MAX_HEADERS:
                raise InvalidEvent("too-many-headers", f"at most {MAX_HEADERS} attributes are allowed", "headers")

    def media_type(self) -> tuple[str, str]:
        """Media type and charset, both in lower case."""
        media, _, parameters = (self.content_type or "").partition(";")
        for parameter in parameters.split(";"):
            name, _, text = parameter.partition("=")
            if name.strip().lower() == "charset":
                return media.strip().lower(), text.strip().strip('"').lower()
        return media.strip().lower(), "utf-8"


def _structured_as(media: str, fields: _Fields, value: bytes) -> Event:
    if media != STRUCTURED or fields.media_type()[1] not in ("utf-8", "utf8", "us-ascii"):
        raise InvalidEvent("bad-content-type", f"must be {STRUCTURED} in UTF-8", "header content-type")
    return _structured(value)


def _structured(value: bytes) -> Event:
    try:
        document = strictjson.loads(value)
    except InvalidJson as problem:
        raise InvalidEvent(problem.reason, problem.detail, problem.where) from None
    if type(document) is not dict:
        raise InvalidEvent("not-an-object", "must be one JSON object, the event in structured mode", "value")
    return _from(document)


def _from(document: dict[str, Any]) -> Event:
    if None in document.values():
        # the JSON format: an attribute that is null is absent
        document = {name: each for name, each in document.items() if each is not None or name == "data"}
    get = document.get
    if get("specversion") != "1.0":
        _refuse_version(get("specversion"))
    id_: Any = get("id")
    source: Any = get("source")
    type_: Any = get("type")
    subject = get("subject")
    _check_text("id", id_)
    _check_text("source", source)
    _check_text("type", type_)
    if subject is not None:
        _check_text("subject", subject)
    time = get("time")
    if time is not None:
        time = _time(time)
    if not document.keys() <= _KNOWN:
        _check_extensions(document)
    if get("datacontenttype", _JSON) != _JSON or "dataschema" in document or "data_base64" in document:
        _check_data(document)
    return tuple.__new__(Event, (id_, source, type_, subject, time, document))  # at half the cost of its own constructor


def _refuse_version(version: object) -> None:
    if version is None:
        raise InvalidEvent("missing-attribute", 'is missing; it must be "1.0"', "attribute specversion")
    raise InvalidEvent("unknown-specversion", 'must be "1.0", the only version read here', "attribute specversion")


def _check_text(name: str, text: object) -> None:
    """A required or known attribute: non-empty text that can stand in a log line and in a unique key."""
    if type(text) is str and text and text.isascii() and text.isprintable() and len(text) <= MAX_ATTRIBUTE:
        return
    where = f"attribute {name}"
    if text is None:
        raise InvalidEvent("missing-attribute", "is missing; every event needs it", where)
    if type(text) is not str or not text:
        raise InvalidEvent("bad-attribute", "must be a non-empty string", where)
    if len(text.encode(errors="replace")) > MAX_ATTRIBUTE:
        raise InvalidEvent("string-too-long", f"must be at most {MAX_ATTRIBUTE} bytes long", where)
    _check_characters(text, where)


def _check_characters(text: str, where: str) -> None:
    """Only what CloudEvents allows in a string: no controls, no surrogates, no code points that are no characters."""
    if text.isascii() and text.isprintable():
        return
    if _CONTROL.search(text):
        raise InvalidEvent("control-character", "must not hold control characters", where)
    if any(ord(each) & 0xFFFE == _NONCHARACTER for each in text):
        raise InvalidEvent("control-character", "must not hold code points that are no characters", where)


def _time(text: object) -> datetime:
    try:
        if type(text) is str:
            return rfc3339.parse(text)
    except rfc3339.BadTime:
        pass
    raise InvalidEvent("bad-time", str(rfc3339.BadTime()), "attribute time")


def _check_extensions(document: dict[str, Any]) -> None:
    for place, (name, content) in enumerate(document.items(), start=1):
        if name in _KNOWN:
            continue
        # the name itself is not repeated: it is a stranger's text
        where = f"attribute number {place}"
        if not (name and name.isascii() and name.isalnum() and name == name.lower()):
            raise InvalidEvent("bad-attribute-name", "attribute names are of a-z and 0-9; other content goes into data", where)
        if type(content) is str:
            _check_characters(content, where)
        elif type(content) is not bool and not (type(content) is int and -INT32 <= content < INT32):
            raise InvalidEvent("bad-attribute", "must be a string, a boolean or a 32-bit integer; other content goes into data", where)


def _check_data(document: dict[str, Any]) -> None:
    for name in ("datacontenttype", "dataschema"):
        if name in document:
            _check_text(name, document[name])
    if "data_base64" not in document:
        return
    if "data" in document:
        raise InvalidEvent("two-data", "data and data_base64 exclude each other; send one", "attribute data_base64")
    try:
        base64.b64decode(document["data_base64"], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidEvent("bad-base64", "must be a string in base64", "attribute data_base64") from None


def _binary(body: bytes, fields: _Fields, attributes: Mapping[str, str]) -> Event:
    if "specversion" not in attributes:
        binary = ", ".join(fields.prefix + name for name in ("specversion", "id", "source", "type"))
        detail = f"must be {STRUCTURED} for an event in structured mode; binary mode needs {binary}"
        raise InvalidEvent("bad-content-type", detail, "header content-type")
    if not attributes.keys().isdisjoint({"data", "data_base64", "datacontenttype"}):
        raise InvalidEvent("bad-attribute-name", "in binary mode data is the body and its type the content-type header", "headers")
    if len(body) > strictjson.MAX_BYTES:
        raise InvalidEvent("too-large", f"is {len(body)} bytes long; at most {strictjson.MAX_BYTES} are allowed", "value")
    document: dict[str, Any] = dict(attributes)
    if fields.content_type is not None:
        document["datacontenttype"] = fields.content_type
    try:
        for name, text in attributes.items():
            strictjson.check_string(text, f"header {fields.prefix}{name}" if name in _KNOWN else "headers")
        document |= _data(body, *fields.media_type())
    except InvalidJson as problem:
        raise InvalidEvent(problem.reason, problem.detail, problem.where) from None
    return _from(document)


def _data(body: bytes, media: str, charset: str) -> dict[str, Any]:
    """The body as the JSON format would carry it: JSON as itself, text as a string, the rest in base64."""
    if not body:
        return {}
    if _is_json(media):
        return {"data": strictjson.loads(body)}
    if (media.startswith("text/") or media.endswith(("/xml", "+xml"))) and charset in ("utf-8", "utf8", "us-ascii"):
        try:
            text = body.decode()
        except UnicodeDecodeError as broken:
            raise InvalidJson("not-utf-8", f"is not UTF-8 from byte {broken.start} on") from None
        strictjson.check_string(text)
        return {"data": text}
    encoded = base64.b64encode(body).decode()
    strictjson.check_string(encoded)
    return {"data_base64": encoded}


def _is_json(media: str) -> bool:
    """Data without a content type is JSON, as the JSON format has it."""
    return not media or media.endswith(("/json", "+json"))


def _batch(body: bytes) -> list[Event]:
    try:
        items = strictjson.elements(body, MAX_BATCH_BYTES, MAX_BATCH_EVENTS)
    except InvalidJson as problem:
        raise InvalidEvent(problem.reason, problem.detail, problem.where) from None
    events: list[Event] = []
    problems: list[tuple[int, InvalidEvent]] = []
    for index, item in enumerate(items):
        try:
            events.append(_structured(item))
        except InvalidEvent as problem:
            problems.append((index, problem))
    if problems:
        raise InvalidBatch(problems)
    return events


def _unescape(name: str, text: str) -> str:
    """HTTP's header values: quotes taken off, percent-encoding undone."""
    where = f"header ce-{name}" if name in _KNOWN else "headers"
    if not text.isascii():
        raise InvalidEvent("bad-header", "characters beyond ASCII must be percent-encoded as UTF-8", where)
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    try:
        return unquote_to_bytes(text).decode() if "%" in text else text
    except UnicodeDecodeError:
        raise InvalidEvent("not-utf-8", "percent-encoded bytes must be UTF-8", where) from None


def _texts(event: Event) -> list[tuple[str, str]]:
    """Attributes as header texts, in CloudEvents' canonical string form."""
    apart = ("data", "data_base64", "datacontenttype")
    attributes = ((name, content) for name, content in event.attributes.items() if name not in apart)
    return [(name, content if type(content) is str else json.dumps(content)) for name, content in attributes]


def _body(attributes: dict[str, Any]) -> bytes:
    if "data_base64" in attributes:
        return base64.b64decode(attributes["data_base64"])
    if "data" not in attributes:
        return b""
    data = attributes["data"]
    media = attributes.get("datacontenttype", "").partition(";")[0].strip().lower()
    return data.encode() if type(data) is str and not _is_json(media) else orjson.dumps(data)
