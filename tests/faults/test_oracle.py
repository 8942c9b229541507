"""The oracle is tested too: a recorded run is without fault, and each bug put into it is found and called by its name."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import oracle
from tests.faults.matrix import ROWS
from tests.faults.recorded import Recorded, Row
from tests.faults.terms import ORDERS, RECOVERY

RECORDED = Path(__file__).with_name("recorded.jsonl.gz")
Change = Callable[[Recorded], None]


@pytest.fixture
def clean() -> Recorded:
    return Recorded.load(RECORDED)


@pytest.mark.parametrize("name", ["oracle", "recorded", "terms"])
def test_the_oracle_knows_nothing_of_the_product(name: str) -> None:
    """Breaks if what judges the product shares its mistakes."""
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text())
    named = [[each.module or ""] for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    named += [[alias.name for alias in each.names] for each in ast.walk(tree) if isinstance(each, ast.Import)]
    assert not {module.partition(".")[0] for modules in named for module in modules} & {"services", "contracts", "deploy"}


def test_every_row_of_the_matrix_has_its_tests() -> None:
    """Breaks if a row is called tested that is not: a test was renamed, or never written."""
    mine = {int(row) for path in Path(__file__).parent.glob("test_*.py") for row in re.findall(r"mark\.row\((\d+)\)", path.read_text())}
    root = Path(__file__).parents[2]
    for number, row in ROWS.items():
        assert row.tests or number in mine
        for test in row.tests:
            path, _, name = test.partition("::")
            assert f"def {name}(" in (root / path).read_text() if name else (root / path).is_file(), test


def test_every_claim_is_counted_as_something() -> None:
    assert set(oracle.kinds().values()) == {"lost", "doubled", "false", "disordered"}
    assert {claim for _, claim in BUGS.values()} <= oracle.kinds().keys()


def test_a_run_without_faults_is_found_without_fault(clean: Recorded) -> None:
    found = oracle.judge(clean, ORDERS + RECOVERY)
    assert not found.wrong
    assert {"kept", "broken", "withdrawn", "open", "of them corrections", "cases", "duplicates and conflicts"} <= {
        name for name, number in found.counts.items() if number
    }


def test_a_failure_that_is_taken_back_and_said_again_is_no_fault(clean: Recorded) -> None:
    """Evidence may arrive under which it is broken too, but not before that evidence has waited out its grace."""
    facts = clean.tables["promises_topic"]
    broken = _first(facts, **BROKEN, was=None)
    facts += [
        broken | {"seq": 1_000_000, "verdict": 2, "kind": "corrected", "was": "broken", "judgement": "on_track", "fact": "taken back"},
        broken | {"seq": 1_000_001, "verdict": 3, "fact": "said again"},
    ]
    assert "a correction says something else than before" not in oracle.judge(clean, ORDERS + RECOVERY).wrong


def _first(rows: list[Row], **like: object) -> Row:
    return next(row for row in rows if all(row[name] == value for name, value in like.items()))


def _drop(table: str, **like: object) -> Change:
    def change(found: Recorded) -> None:
        found.tables[table].remove(_first(found.tables[table], **like))

    return change


def _double(table: str, **like: object) -> Change:
    def change(found: Recorded) -> None:
        found.tables[table].append(dict(_first(found.tables[table], **like)))

    return change


def _set(table: str, like: Row, **values: object) -> Change:
    def change(found: Recorded) -> None:
        _first(found.tables[table], **like).update(values)

    return change


def _move(table: str, like: Row, **by: int) -> Change:
    def change(found: Recorded) -> None:
        row = _first(found.tables[table], **like)
        row.update({name: row[name] + number for name, number in by.items()})

    return change


def _lose_an_event(found: Recorded) -> None:
    """The position moved past a record, and the record had no effect."""
    event = _first(found.tables["journey_topic"], type="order.shipped")["event"]
    for table in ("journal", "journey_topic"):
        found.tables[table] = [row for row in found.tables[table] if row["event"] != event]


def _forget_evidence(found: Recorded) -> None:
    """Late evidence was dropped: what it had corrected stays broken."""
    corrected = _first(found.tables["promises_topic"], kind="corrected", was="broken")
    row = _first(found.tables["commitments"], id=corrected["commitment"])
    row.update(state="broken", verdict_state="broken", verdict=1)
    found.tables["promises_topic"].remove(corrected)


def _correct_twice(found: Recorded) -> None:
    """The same late evidence was taken in twice."""
    corrected = _first(found.tables["promises_topic"], kind="corrected")
    again = corrected | {"seq": 1_000_000, "verdict": corrected["verdict"] + 1, "was": corrected["judgement"], "fact": "again"}
    found.tables["promises_topic"].append(again)


def _keep_without_evidence(found: Recorded) -> None:
    """Kept, and what decided it belongs to somebody else."""
    kept = _first(found.tables["promises_topic"], promise="shipped", judgement="kept")
    other = next(row for row in found.tables["journey_topic"] if row["type"] == "order.shipped" and row["customer"] != kept["customer"])
    kept["decided_by"] = other["event"]


def _take_for_another(found: Recorded) -> None:
    """An event of a customer went to another one."""
    one = _first(found.tables["journey_topic"], type="order.shipped")
    other = next(row for row in found.tables["journey_topic"] if row["type"] == "order.shipped" and row["customer"] != one["customer"])
    one["customer"] = other["customer"]


def _reorder(found: Recorded) -> None:
    """Two facts of one partition left in the other order than they were decided in."""
    one, two = [row for row in found.tables["promises_topic"] if row["partition"] == 0][:2]
    one["seq"], two["seq"] = two["seq"], one["seq"]


def _open_a_second_case(found: Recorded) -> None:
    case = _first(found.tables["cases"], state="open")
    found.tables["cases"].append(case | {"id": "another"})


def _forget_to_withdraw(found: Recorded) -> None:
    failure = _first(found.tables["failures"], withdrawn=True)
    failure["withdrawn"] = False


BROKEN = {"kind": "broken", "promise": "shipped"}
WHOLE = {"kind": "kept", "promise": "unharmed"}
LATEST = "the latest verdict is what the promise says"
TOO_EARLY = "nothing was called broken while what keeps it had arrived, or before its time"
FORGOTTEN = "what was corrected is withdrawn, and was in a case"
BUGS: dict[str, tuple[Change, str]] = {
    "a raw record is skipped": (_lose_an_event, "every event is in the journey"),
    "a journal row is missing": (_drop("journal", lane="touchpoints/1"), "the journey was published as it was journalled"),
    "a journal row is never published": (_drop("journey_topic", lane="touchpoints/1"), "the journey was published as it was journalled"),
    "a journal row is doubled": (_double("journal", lane="touchpoints/2"), "an event is in a customer's journal once"),
    "an event goes to two customers": (
        lambda found: found.tables["journey_topic"].append(found.tables["journey_topic"][0] | {"customer": "somebody"}),
        "an event is nobody else's",
    ),
    "an event is taken for another's": (_take_for_another, "a customer is one subject's"),
    "content is made up": (_set("journey_topic", {"type": "order.placed"}, data="{}"), "a journey event is a record that arrived"),
    "an arrival is the moment of reading": (
        _move("journey_topic", {"type": "order.placed"}, arrival=7),
        "a journey event is a record that arrived",
    ),
    "a refused record is forgotten": (_drop("quarantine"), "every refused record is in quarantine"),
    "a dead letter is not sent": (_drop("dead"), "every refused record is a dead letter, byte for byte"),
    "a valid record is refused": (
        lambda found: found.tables["quarantine"].append({"lane": "touchpoints/0", "pos": 10**9, "reason": "no-time", "digest": ""}),
        "every refused record is in quarantine",
    ),
    "a position runs ahead": (_move("progress", {"lane": "touchpoints/3"}, position=1), "every lane's records are accounted for"),
    "a lane stands still": (_set("progress", {"lane": "touchpoints/3"}, position=0), "every record before a lane's end was read"),
    "a duplicate counts as applied": (
        _move("progress", {"lane": "touchpoints/3"}, conflict=1, ignored=-1),
        "each lane accounts for its records as they are",
    ),
    "a number is left out": (_move("streams", {"topic": "promises"}, highest=1), "no numbered stream has a hole"),
    "a number is used twice": (_set("streams", {"topic": "promises"}, changed=1), "what was published again was the same"),
    "the pointer stays behind": (_move("progress", {"service": "promises"}, published=-1), "everything committed is published"),
    "evidence is lost": (_drop("evidence"), "all that bears on a promise is evidence, and nothing else"),
    "evidence is doubled": (_double("evidence"), "an event is a strand's evidence once"),
    "a commitment is never opened": (_drop("commitments", promise="delivered"), "what was owed is a commitment, and nothing else"),
    "a commitment is opened twice": (_double("commitments", promise="delivered"), "what was owed is a commitment, and nothing else"),
    "a fact is doubled": (_double("promises_topic", **BROKEN), "the ids of facts are unique"),
    "a fact is lost": (_drop("promises_topic", **BROKEN), "what was decided is published in the order it was decided"),
    "a fact is missing on the timeline": (_drop("timeline", topic="promises"), "the timeline has every fact"),
    "a fact is on the timeline of another": (_set("timeline", {"topic": "recovery"}, customer="?"), "the timeline has every fact"),
    "an opening is said twice": (_double("promises_topic", kind="opened"), "a commitment opens once"),
    "a verdict's number is skipped": (
        _move("promises_topic", BROKEN, verdict=1),
        "a commitment's verdicts are numbered without a gap or a repeat",
    ),
    "a verdict is wrong": (_set("commitments", {"promise": "shipped", "state": "kept"}, state="broken"), LATEST),
    "a verdict is not given": (_set("commitments", {"promise": "priced", "state": "broken"}, state="on_track"), LATEST),
    "broken is said without grace": (_move("promises_topic", BROKEN, barrier=-2000), TOO_EARLY),
    "broken is said before it can be known": (
        _set("promises_topic", BROKEN, barrier=None),
        TOO_EARLY,
    ),
    "silence is believed too early": (
        _move("promises_topic", WHOLE, barrier=-1000),
        "nothing was called kept by silence before silence was certain",
    ),
    "kept is said without evidence": (_keep_without_evidence, "nothing was called kept without its evidence"),
    "late evidence is dropped": (_forget_evidence, LATEST),
    "one late event corrects twice": (_correct_twice, "a correction says something else than before"),
    "facts are published out of order": (_reorder, "what was decided is published in the order it was decided"),
    "a barrier goes back": (
        _move("promises_topic", WHOLE, barrier=-(10**6)),
        "the barrier of what is said of a commitment never goes back",
    ),
    "a row does not say what was said": (
        _set("commitments", {"verdict": 1}, verdict=2),
        "the last that was said of a commitment is what its row says",
    ),
    "a case is lost": (_drop("cases", state="open"), "every case told is one that is"),
    "a customer has two open cases": (_open_a_second_case, "a customer has one open case"),
    "a failure is lost": (_drop("failures", withdrawn=False), "what is broken to a customer is a failure of one case"),
    "a failure is in two cases": (
        lambda found: found.tables["failures"].append(_first(found.tables["failures"], withdrawn=False) | {"case_id": "another"}),
        "what is broken to a customer is a failure of one case",
    ),
    "a failure is invented": (_set("failures", {"withdrawn": False}, commitment="none"), "no failure is invented"),
    "a correction does not reach recovery": (_forget_to_withdraw, FORGOTTEN),
    "a withdrawn case stays open": (
        _set("cases", {"state": "withdrawn"}, state="open"),
        "a case without a failure left is withdrawn, one with any is not",
    ),
    "recovery's facts are not published": (_drop("recovery_topic"), "recovery published what it decided, in that order"),
    "an act does not come back": (_set("outbox", {"topic": "acts"}, event="none"), "what recovery did came back as touchpoints"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_by_its_name(clean: Recorded, bug: str) -> None:
    change, claim = BUGS[bug]
    change(clean)
    assert claim in oracle.judge(clean, ORDERS + RECOVERY).wrong
