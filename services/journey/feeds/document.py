"""Reads `kind: Feed`: what a company has, and how it becomes touchpoints. Every complaint has its line and column."""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from services.chassis import documents
from services.chassis.cel import BadConditionError
from services.chassis.documents import Document, Fields, Finding, Findings, ProblemsFoundError, Value, one_of
from services.journey.feeds import picks, signatures, times
from services.journey.feeds.mapping import Mapping
from services.journey.feeds.picks import KINDS, ROOTS, SKIP, Constant, Expression, NotAPathError, Origin, Pick
from services.journey.feeds.signatures import Signature
from services.journey.feeds.times import RFC_3339, BadFormatError, Moment

KIND: Final = "Feed"
ORIGINS: Final = ("kafka", "webhook", "file", "sql")
NAME: Final = r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_OUR_TOPICS: Final = "makegood."
_OURSELVES: Final = "makegood/"
_SUFFIXES: Final = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_LONGEST_TOLERANCE: Final = 86_400
_MOST_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Kafka:
    """A topic of the company's; where reading begins the first time."""

    topic: str
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Webhook:
    """What another product sends to `POST /v1/feeds/{name}`."""

    signature: Signature


@dataclass(frozen=True, slots=True)
class Lines:
    """A file, one record a line."""

    path: str
    csv: bool
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Sql:
    """A query on a PostgreSQL database that an environment variable names; `cursor` is the column that it goes on by."""

    dsn: str
    query: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: where its records are, and what they become."""

    name: str
    origin: Kafka | Webhook | Lines | Sql
    mapping: Mapping
    paused: bool = False

    @property
    def source(self) -> str:
        """The `source` of its touchpoints."""
        return self.mapping.source

    @property
    def kind(self) -> Literal["kafka", "webhook", "file", "sql"]:
        """What it reads, as documents call it."""
        match self.origin:
            case Kafka():
                return "kafka"
            case Webhook():
                return "webhook"
            case Lines():
                return "file"
        return "sql"


def read(text: str, file: str) -> list[Feed]:
    """Return the feeds among the documents of a text; raises `ProblemsFoundError` with everything that is wrong with them."""
    findings = Findings(file)
    found = documents.documents(
        text, findings, (KIND, "EventType", "Source", "Promise", "Calendar", "Playbook", "JourneyMap", "Relationship", "Principle")
    )
    feeds = [feed_of(each, findings) for each in found if each.kind == KIND]
    findings.raise_if_any()
    return [each for each in feeds if each is not None]


def findings(text: str, file: str) -> list[Finding]:
    """Return what is wrong with the feeds among the documents of a text."""
    try:
        read(text, file)
    except ProblemsFoundError as problems:
        return problems.findings
    return []


def feed_of(document: Document, findings: Findings) -> Feed | None:
    """Read one document; what is wrong with it is found."""
    spec = document.spec
    if document.name and not re.fullmatch(NAME, document.name):
        findings.add(document.metadata.at("name"), f"`{document.name}` is not a name; it has letters and digits with single dashes between")
    source = spec.text("source", required=True)
    if source is not None and source.startswith(_OURSELVES):
        findings.add(spec.at("source"), f"`{_OURSELVES}...` is this system itself; name the company system that the records are from")
    inside = spec.section("from", required=True)
    origin = None if inside is None else _origin(inside)
    kafka_or_webhook = isinstance(origin, Kafka | Webhook)
    type_ = _pick(spec, "type", required=True)
    subject = _pick(spec, "subject")
    time = _moment(spec, required=origin is not None and not kafka_or_webhook)
    ids = tuple(each for value in spec.items("id") if (each := _pick_of(value, "`id`", findings)) is not None)
    data, skip = _data(spec), _skip(spec)
    paused = bool(spec.read("paused", bool, default=False))
    spec.done()
    if source is None or origin is None or type_ is None or not document.name:
        return None
    return Feed(
        document.name,
        origin,
        Mapping(document.name, source, type_, subject, time, ids, data, skip, not isinstance(origin, Webhook)),
        paused,
    )


def _origin(inside: Fields) -> Kafka | Webhook | Lines | Sql | None:
    named = [each for each in ORIGINS if each in inside]
    sections = {each: inside.section(each) for each in ORIGINS}
    inside.done()
    if len(named) != 1:
        inside.findings.add(inside.value, f"`from` needs exactly one of {', '.join(f'`{each}`' for each in ORIGINS)}")
        return None
    section = sections[named[0]]
    assert section is not None
    found = _READ[named[0]](section)
    section.done()
    return found


def _kafka(fields: Fields) -> Kafka | None:
    topic = fields.text("topic", required=True)
    start = fields.choice("start", ("beginning", "end"), "beginning")
    if topic is None:
        return None
    if not _TOPIC.fullmatch(topic):
        fields.findings.add(fields.at("topic"), "a topic has letters, digits, dots, dashes and underscores")
    elif topic.startswith(_OUR_TOPICS):
        fields.findings.add(fields.at("topic"), f"`{topic}` is Makegood's own; company systems write to `makegood.touchpoints` themselves")
    return Kafka(topic, start == "end")


def _webhook(fields: Fields) -> Webhook | None:
    inside = fields.section("signature", required=True)
    if inside is None:
        return None
    scheme = inside.choice("scheme", (*signatures.KNOWN, "hmac-sha256"))
    if "scheme" not in inside:
        inside.findings.add(inside.value, "`signature` needs `scheme`: github, stripe, shopify or hmac-sha256")
    secrets = tuple(str(each.content) for each in inside.items("secret") if _is_variable(each, "secret", inside.findings))
    if "secret" not in inside:
        inside.findings.add(inside.value, "`signature` needs `secret`, the environment variable that holds it")
    tolerance = float(inside.read("tolerance", float, default=300.0))
    if not 0 < tolerance <= _LONGEST_TOLERANCE:
        inside.findings.add(inside.at("tolerance"), f"`tolerance` is seconds, more than none and at most {_LONGEST_TOLERANCE}")
    own = _own_scheme(inside, secrets, tolerance) if scheme == "hmac-sha256" else None
    inside.done()
    if scheme in signatures.KNOWN:
        return Webhook(signatures.KNOWN[scheme](secrets, tolerance))
    return None if own is None else Webhook(own)


def _own_scheme(inside: Fields, secrets: tuple[str, ...], tolerance: float) -> Signature | None:
    header, stamp = inside.text("header", required=True), inside.text("timestamp")
    prefix = inside.read("prefix", str, default="")
    encoding = inside.choice("encoding", ("hex", "base64"), "hex")
    signed = inside.read("signed", str, default="{timestamp}.{body}" if stamp else "{body}")
    for key, name in (("header", header), ("timestamp", stamp)):
        if name is not None and not _HEADER.fullmatch(name):
            inside.findings.add(inside.at(key), f"`{key}` names a header, as in `X-Signature`")
    if signed.count("{body}") != 1 or (stamp is not None) != ("{timestamp}" in signed):
        inside.findings.add(inside.at("signed"), "`signed` has `{body}` in it once, and `{timestamp}` where `timestamp` names its header")
    if header is None:
        return None
    stamped = stamp.lower() if stamp else None
    return Signature(header.lower(), secrets, prefix, encoding == "base64", signed, stamped, listed=False, tolerance=tolerance)


def _file(fields: Fields) -> Lines | None:
    path = fields.text("path", required=True)
    format_ = fields.choice("format", ("csv", "jsonl"))
    delimiter = fields.read("delimiter", str, default="\t" if path and path.endswith(".tsv") else ",")
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        fields.findings.add(fields.at("delimiter"), "`delimiter` is one character, as in `;`")
        return None
    if path is None:
        return None
    format_ = format_ or _SUFFIXES.get(PurePath(path.removesuffix(".gz")).suffix.lower())
    if format_ is None:
        fields.findings.add(fields.value, "say what the file is: `format: csv` or `format: jsonl`")
        return None
    return Lines(path, format_ == "csv", delimiter)


def _sql(fields: Fields) -> Sql | None:
    dsn, query, cursor = fields.get("dsn", required=True), fields.text("query", required=True), fields.text("cursor", required=True)
    usable = dsn is not None and _is_variable(dsn, "dsn", fields.findings)
    if dsn is None or not usable or query is None or cursor is None:
        return None
    return Sql(str(dsn.content), query.strip().rstrip(";"), cursor)


_READ: Final = {"kafka": _kafka, "webhook": _webhook, "file": _file, "sql": _sql}


def _is_variable(value: Value, key: str, findings: Findings) -> bool:
    """Secrets never stand in a document: what stands there is where to find them."""
    if isinstance(value.content, str) and _VARIABLE.fullmatch(value.content):
        return True
    findings.add(value, f"`{key}` names an environment variable, as in `SHOP_SECRET`; what is secret does not stand in a document")
    return False


def _pick(fields: Fields, key: str, *, required: bool = False) -> Pick | None:
    found = fields.get(key, required=required)
    return None if found is None else _pick_of(found, f"`{key}`", fields.findings)


def _pick_of(value: Value, name: str, findings: Findings, *, further: tuple[str, ...] = ()) -> Pick | None:
    """Read a path, or a mapping that says more; `further` are keys that somebody else reads."""
    if isinstance(value.content, str):
        path = _path(value, findings)
        return None if path is None else Pick(path)
    fields = Fields(value, name, findings)
    origin = _origin_of(fields)
    mapped, otherwise = _mapped(fields)
    prefix = fields.read("prefix", str, default="")
    kind = fields.choice("as", KINDS)
    required = bool(fields.read("required", bool, default=False))
    for key in further:
        fields.get(key)
    fields.done()
    return None if origin is None else Pick(origin, mapped, otherwise, prefix, kind, required)


def _origin_of(fields: Fields) -> Origin | None:
    path, expression, constant = fields.get("path"), fields.get("cel"), fields.get("value")
    given = [each for each in (path, expression, constant) if each is not None]
    if len(given) != 1:
        fields.findings.add(fields.value, f"{fields.name} needs exactly one of `path`, `cel` and `value`")
        return None
    if path is not None:
        return _path(path, fields.findings)
    if expression is not None:
        return _expression(expression, fields.findings)
    return Constant(given[0].plain())


def _mapped(fields: Fields) -> tuple[dict[str, Any] | None, Any]:
    found, otherwise = fields.get("map"), fields.get("otherwise")
    if found is None:
        if otherwise is not None:
            fields.findings.add(otherwise, "`otherwise` stands beside `map`")
        return None, None
    if not isinstance(found.content, dict) or not found.content:
        fields.findings.add(found, "`map` must be a mapping of the record's values to ours, as in `{P: order.placed}`")
        return None, None
    plain = None if otherwise is None else otherwise.plain()
    return {
        key: SKIP if each.content == "skip" else each.plain() for key, each in found.content.items()
    }, SKIP if plain == "skip" else plain


def _path(value: Value, findings: Findings) -> picks.Path | None:
    text = value.content
    try:
        return picks.path(text if isinstance(text, str) else "")
    except NotAPathError:
        root = re.split(r"[.\[]", str(text))[0]
        hint = one_of(root, ROOTS) if root not in ROOTS else NotAPathError.__doc__
        findings.add(value, f"`{str(text)[:_MOST_CHARACTERS]}` is not a path: {hint} A constant is written `{{value: ...}}`")
        return None


def _expression(value: Value, findings: Findings, *, condition: bool = False) -> Expression | None:
    if not isinstance(value.content, str):
        findings.add(value, "an expression in CEL is a text; quote it")
        return None
    try:
        return picks.expression(value.content, condition=condition)
    except BadConditionError as error:
        findings.add(value, str(error))
        return None


def _moment(spec: Fields, *, required: bool) -> Moment | None:
    value = spec.get("time", required=required)
    if value is None:
        return None
    pick = _pick_of(value, "`time`", spec.findings, further=("format", "zone"))
    fields = Fields(value, "`time`", spec.findings) if isinstance(value.content, dict) else None
    format_ = (fields.text("format") if fields is not None else None) or RFC_3339
    zone = _zone(fields) if fields is not None else None
    try:
        carries = times.check(format_)
    except BadFormatError as error:
        spec.findings.add(fields.at("format") if fields is not None else value, str(error))
        return None
    if not carries and zone is None:
        assert fields is not None
        spec.findings.add(fields.at("format"), "this format has no offset (`%z`); say where it is local time, as in `zone: Europe/Berlin`")
    return None if pick is None else Moment(pick, format_, zone)


def _zone(fields: Fields) -> ZoneInfo | None:
    name = fields.text("zone")
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fields.findings.add(fields.at("zone"), f"`{name}` is not a zone of the IANA data base, as `Europe/Berlin` is")
        return None


def _data(spec: Fields) -> Pick | dict[str, Pick] | None:
    value = spec.get("data")
    if value is None:
        return None
    if not isinstance(value.content, dict):
        return _pick_of(value, "`data`", spec.findings)
    found = {name: _pick_of(each, f"`{name}`", spec.findings) for name, each in value.content.items()}
    return {name: each for name, each in found.items() if each is not None}


def _skip(spec: Fields) -> Expression | None:
    value = spec.get("skip")
    return None if value is None else _expression(value, spec.findings, condition=True)
