"""What a feed document may say, and what is told of one that is wrong: always where, and what would be right."""

import json
import re
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.documents import ProblemsFoundError
from services.journey.feeds import document
from services.journey.feeds.document import Feed, Kafka, Lines, Sql, Webhook

WORDS = [
    "source",
    "from",
    "type",
    "subject",
    "time",
    "id",
    "data",
    "skip",
    "paused",
    "kafka",
    "webhook",
    "file",
    "sql",
    "topic",
    "start",
    "signature",
    "scheme",
    "secret",
    "tolerance",
    "header",
    "prefix",
    "encoding",
    "signed",
    "timestamp",
    "path",
    "format",
    "delimiter",
    "dsn",
    "query",
    "cursor",
    "cel",
    "value",
    "map",
    "otherwise",
    "as",
    "required",
    "zone",
]
HEAD = "apiVersion: makegood/v1\nkind: Feed\nmetadata: {name: shop-orders, owner: shop}\nspec:\n"
ORDERS = """  source: shop
  from: {kafka: {topic: shop.orders}}
  type: {path: record.status, map: {P: order.placed, S: order.shipped}, otherwise: skip}
  subject: {path: record.customer.id, prefix: "crm:"}
  id: record.event_id
  time: {path: record.at, format: milliseconds}
  data: {order: record.order, total: {path: record.total, as: number}}
  skip: record.test == true
"""


def one(spec: str) -> Feed:
    (found,) = document.read(HEAD + spec, "feed.yaml")
    return found


def findings(spec: str) -> list[str]:
    with pytest.raises(ProblemsFoundError) as raised:
        document.read(HEAD + spec, "feed.yaml")
    return [str(each) for each in raised.value.findings]


def test_a_feed_says_where_its_records_are_and_what_they_become() -> None:
    found = one(ORDERS)
    assert (found.name, found.source, found.kind, found.origin) == ("shop-orders", "shop", "kafka", Kafka("shop.orders"))


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ("{webhook: {signature: {scheme: github, secret: SHOP_SECRET}}}", Webhook),
        ("{webhook: {signature: {scheme: hmac-sha256, secret: [NEW, OLD], header: X-Sign, timestamp: X-Time}}}", Webhook),
        ("{file: {path: orders.csv}}", Lines),
        ("{file: {path: orders, format: jsonl}}", Lines),
        ("{sql: {dsn: SHOP_DATABASE, query: SELECT * FROM orders, cursor: changed_at}}", Sql),
    ],
)
def test_each_place_that_companies_have_records_in_can_be_read(origin: str, kind: type) -> None:
    assert isinstance(one(ORDERS.replace("{kafka: {topic: shop.orders}}", origin)).origin, kind)


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("subject:", "subjekt:", "feed.yaml:8:3: `spec` has no key `subjekt`; did you mean `subject`?"),
        ("id: record.event_id", "id: recrod.event_id", "did you mean `record`?"),
        ("id: record.event_id", "id: order.placed", "A constant is written `{value: ...}`"),
        ("milliseconds", "millis", "A format is `rfc3339`"),
        ("format: milliseconds", "format: '%d.%m.%Y %H:%M'", "no offset (`%z`)"),
        ("format: milliseconds", "zone: Europe/Berlinn", "is not a zone"),
        ("skip: record.test == true", "skip: 'record.test ='", "equal is `==`"),
        ("skip: record.test == true", "skip: 'recrod.test'", "did you mean `record`?"),
        ("skip: record.test == true", "skip: \"'a'\"", "must be true or false"),
        ("{kafka: {topic: shop.orders}}", "{kafka: {topic: makegood.touchpoints}}", "Makegood's own"),
        ("{kafka: {topic: shop.orders}}", "{kafka: {topik: shop.orders}}", "did you mean `topic`?"),
        ("{kafka: {topic: shop.orders}}", "{kafka: {topic: a}, file: {path: a.csv}}", "exactly one of"),
        (
            "{kafka: {topic: shop.orders}}",
            "{sql: {dsn: 'postgresql://u:p@h/d', query: SELECT 1, cursor: a}}",
            "names an environment variable",
        ),
        ("{kafka: {topic: shop.orders}}", "{webhook: {signature: {scheme: githab, secret: A}}}", "did you mean `github`?"),
        ("{kafka: {topic: shop.orders}}", "{webhook: {signature: {scheme: github, secret: s3cret}}}", "names an environment variable"),
        ("{kafka: {topic: shop.orders}}", "{file: {path: orders}}", "say what the file is"),
        ("source: shop", "source: makegood/recovery", "is this system itself"),
        ("as: number", "as: numbr", "did you mean `number`?"),
        ("as: number", "cel: '1'", "exactly one of `path`, `cel` and `value`"),
        ("otherwise: skip", "otherwize: skip", "did you mean `otherwise`?"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_would_be_right(wrong: str, right: str, said: str) -> None:
    found = findings(ORDERS.replace(wrong, right))
    assert any(said in each for each in found), found
    assert all(each.startswith("feed.yaml:") for each in found)


def test_a_file_or_a_query_says_where_its_time_stands() -> None:
    """Breaks if history were dated with the moment at which it is read."""
    without = "\n".join(line for line in ORDERS.splitlines() if "time:" not in line).replace(
        "{kafka: {topic: shop.orders}}", "{file: {path: a.csv}}"
    )
    assert any("needs `time`" in each for each in findings(without))


@pytest.mark.parametrize(
    "odd", ["source: 1", "from: []", "from: kafka", "id: {}", "data: 1", "time: []", "type: [a]", "subject: {path: 1}", "skip: 1"]
)
def test_no_document_of_the_wrong_shape_does_more_than_complain(odd: str) -> None:
    key = odd.partition(":")[0]
    spec = "\n".join(f"  {odd}" if line.strip().startswith(f"{key}:") else line for line in ORDERS.splitlines()) + "\n"
    assert findings(spec)


ODD = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(max_size=20)
    | some.sampled_from(["record.a", "a.csv", "SHOP", "github", "%Y", "1 +", "{body}"]),
    lambda inside: some.lists(inside, max_size=3) | some.dictionaries(some.sampled_from(WORDS), inside, max_size=5),
    max_leaves=10,
)  # fmt: skip


@given(spec=some.dictionaries(some.sampled_from(WORDS), ODD, max_size=8))
def test_no_document_does_more_than_complain(spec: dict[str, Any]) -> None:
    """Breaks if something that a stranger publishes got through to a reader that expects another shape."""
    text = json.dumps({"apiVersion": "makegood/v1", "kind": "Feed", "metadata": {"name": "a"}, "spec": spec})
    with suppress(ProblemsFoundError):
        document.read(text, "body")


PAGE = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text()
BLOCKS: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_of_the_page_is_a_feed() -> None:
    assert document.read(BLOCKS[0], "docs/feeds.md")[0].name == "shop-orders"


def test_each_place_that_the_page_names_can_be_read_from() -> None:
    flows = [textwrap.indent(BLOCKS[1], "  "), *(f"  {each.partition('  #')[0]}" for each in BLOCKS[2].splitlines())]
    found = [one(ORDERS.replace("  from: {kafka: {topic: shop.orders}}", each.rstrip())).kind for each in flows]
    assert found == ["webhook", "file", "sql"]
