"""What `makegood backtest` shows people: tables, what other promises would change, what it would cost, and a page."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from deploy.errors import StackError
from services.cli import backtest, journal
from services.cli.reports import figures, table
from services.cli.reports.periods import periods
from services.cli.reports.progress import Stages
from services.promises.backtest import Tally
from services.promises.domain import State

app = typer.Typer()
backtest.register(app)

PARCEL = """apiVersion: makegood/v1
kind: Promise
metadata: {name: parcel-on-time, owner: logistics}
spec:
  statement: Your parcel arrives in <two> days & not later.
  response: {when: {type: placed}, expect: {type: delivered}, correlate: data.order, within: 48 hours}
  broken_by: {type: lost}
  segment: data.channel
  objective: {kept: 90%, window: 30 days}
  recovery: {playbook: late-parcel}
---
apiVersion: makegood/v1
kind: Promise
metadata: {name: no-damage, owner: logistics}
spec:
  statement: Nothing arrives broken.
  absence: {when: {type: placed}, never: {type: damaged}, correlate: data.order}
  recovery: {playbook: damage}
"""
PLAYBOOK = """---
apiVersion: makegood/v1
kind: Playbook
metadata: {name: late-parcel}
spec: {cost: {per_case: 12.5, currency: EUR}}
"""
START = datetime(2026, 1, 1, tzinfo=UTC)


def event(order: int, type_: str, hours: float) -> str:
    time = (START + timedelta(days=order, hours=hours)).isoformat().replace("+00:00", "Z")
    data = {"order": f"o{order}", "channel": "<web>" if order % 2 else "shop"}
    described = {"specversion": "1.0", "id": f"{order}-{type_}", "source": "shop", "type": type_, "subject": "crm:1", "time": time}
    return json.dumps(described | {"data": data})


def history() -> str:
    """Forty orders, a day apart: each arrives three hours later than the one before, every tenth is damaged, two are lost."""
    found = []
    for order in range(40):
        found.append(event(order, "placed", 0))
        found.append(event(order, "lost" if order in {7, 9} else "delivered", 6 + order * 1.5))
        found += [event(order, "damaged", 6 + order * 1.5)] if order % 10 == 3 else []
    return "\n".join(found)


def run(folder: Path, *options: str, promises: str = PARCEL + PLAYBOOK, other: str | None = None) -> Result:
    (folder / "p.yaml").write_text(promises)
    (folder / "events.jsonl").write_text(history())
    if other is not None:
        (folder / "other.yaml").write_text(other)
        options = ("--compare", str(folder / "other.yaml"), *options)
    result = CliRunner().invoke(app, [str(folder / "p.yaml"), "--events", str(folder / "events.jsonl"), *options])
    assert result.exit_code == 0, result.output
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_table_tells_counts_shares_over_time_and_what_cases_would_cost(tmp_path: Path) -> None:
    shown = run(tmp_path).stdout
    (line,) = (each for each in shown.splitlines() if each.startswith("parcel-on-time "))
    assert line.split()[1:10] == ["40", "27", "0", "13", "11", "2", "0", "0", "67.5%"]
    assert line.split()[10:] == ["█▆██▅▁▁", "0%", "to", "100%"]
    assert "parcel-on-time: making good would cost at most 162.50 EUR (13 broken, 12.5 EUR a case by the playbook `late-parcel`)" in shown
    assert "no-damage: what making good would cost is not known: the playbook `damage` is not in these files" in shown


def test_the_lines_for_other_tools_stay_as_they_are_where_nothing_more_is_known(tmp_path: Path) -> None:
    late, damaged = lines(run(tmp_path, "--json", promises=PARCEL))
    assert list(late)[-2:] == ["kept_share", "segments"]
    assert "cost" not in late
    with_cost, _ = lines(run(tmp_path, "--json"))
    assert with_cost == late | {"cost": {"playbook": "late-parcel", "per_case": 12.5, "currency": "EUR", "at_most": 162.5}}
    assert (damaged["broken"], damaged["kept"]) == (4, 36)


@pytest.mark.parametrize("cost", ["{per_case: cheap, currency: EUR}", "{per_case: -1, currency: EUR}", "{per_case: 1}", "12"])
def test_a_cost_that_cannot_be_read_is_an_error_with_its_place(tmp_path: Path, cost: str) -> None:
    (tmp_path / "p.yaml").write_text(PARCEL + PLAYBOOK.replace("{per_case: 12.5, currency: EUR}", cost))
    (tmp_path / "events.jsonl").write_text(history())
    result = CliRunner().invoke(app, [str(tmp_path / "p.yaml"), "--events", str(tmp_path / "events.jsonl")])
    assert result.exit_code == 1
    assert "p.yaml:23:14: a cost is `cost: {per_case: 25, currency: EUR}`" in result.stderr


def test_comparing_tells_which_commitments_would_be_judged_otherwise(tmp_path: Path) -> None:
    """Breaks if the stable lines change, or if a commitment that differs is not named."""
    other = PARCEL.replace("48 hours", "60 hours").replace("no-damage", "another")
    alone = lines(run(tmp_path, "--json"))
    first, second, *more = lines(run(tmp_path, "--json", other=other))
    assert [{name: value for name, value in each.items() if name != "compared"} for each in (first, second)] == alone
    assert first["compared"] == {
        "commitments": 40, "kept": 35, "broken": 5, "excused": 0, "withdrawn": 0, "open": 0, "kept_share": 0.875, "differ": 8,
    }  # fmt: skip
    assert second["compared"] is None
    added, *differences = more
    assert (added["added"], added["commitments"]) == ("another", 40)
    assert [each["correlation"] for each in differences] == [f"o{order}" for order in range(29, 37)]
    assert differences[0] == {
        "difference": "parcel-on-time",
        "correlation": "o29",
        "trigger": {"id": "29-placed", "time": "2026-01-30T00:00:00Z"},
        "judgement": "broken",
        "compared": "kept",
    }


def test_a_commitment_that_only_one_of_two_opens_differs(tmp_path: Path) -> None:
    other = PARCEL.replace("when: {type: placed}, expect", "when: {type: placed, where: {data.channel: shop}}, expect")
    _, _, *differences = lines(run(tmp_path, "--json", other=other))
    assert len(differences) == 20
    assert {each["compared"] for each in differences} == {None}
    shown = run(tmp_path, other=other).stdout
    assert "with other.yaml" in shown
    assert "not opened" in shown
    assert "40 → 20" in shown


def test_the_same_promises_compared_change_nothing(tmp_path: Path) -> None:
    assert "No commitment would be judged otherwise." in run(tmp_path, other=PARCEL).stdout


class Page(HTMLParser):
    """What a page is made of; every element must be closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(f"{tag}.chart" if ("role", "img") in attrs else tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "data", "srcset", "action"}]
        if tag not in {"meta", "line", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"line", "rect"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] in (["td"], ["blockquote"], ["h3"], ["th"]):
            self.cells.append(data)


def written(folder: Path, **more: Any) -> tuple[str, Page]:
    run(folder, "--html", str(folder / "report.html"), "--json", **more)
    text = (folder / "report.html").read_text()
    return text, Page(text)


def test_a_page_is_complete_in_itself(tmp_path: Path) -> None:
    """Breaks if the page loads anything, or if what a stranger wrote becomes markup."""
    text, page = written(tmp_path)
    assert page.open == []
    assert page.addresses == []
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert not {"script", "link", "img", "iframe", "two", "web"} & set(page.elements)
    assert "Your parcel arrives in <two> days & not later." in "".join(page.cells)
    assert "<web>" in page.cells


def test_every_chart_of_a_page_has_its_table(tmp_path: Path) -> None:
    _, page = written(tmp_path)
    seen = [each for each in page.elements if each in {"svg.chart", "table"}]
    assert seen.count("svg.chart") == 3
    assert all(seen[place + 1] == "table" for place, each in enumerate(seen) if each == "svg.chart")


def test_a_page_tells_segments_time_used_and_the_worst_cases(tmp_path: Path) -> None:
    _, page = written(tmp_path)
    titles = ["Share kept over time", "Time used, in percent of the budget", "By segment", "Worst cases"]
    assert [each for each in page.cells if each in titles] == [*titles, titles[0], titles[3]]
    worst = page.cells.index("Worst cases")
    assert page.cells[worst + 7 : worst + 13] == [
        "o39", "39-placed", "2026-02-09 00:00:00", "2026-02-11 00:00:00", "2026-02-11 16:30:00", "16 h 30 min",
    ]  # fmt: skip
    assert "a failure was seen" in page.cells


def test_a_page_reads_at_360_pixels_in_the_dark_and_on_paper(tmp_path: Path) -> None:
    text, _ = written(tmp_path, other=PARCEL.replace("48 hours", "60 hours"))
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    for wanted in ("prefers-color-scheme: dark", "@media print", "overflow-x: auto"):
        assert wanted in text
    assert "What other.yaml would change" in text


def test_the_time_used_is_told_by_tenths_of_the_budget_begun() -> None:
    """Breaks if something exactly at due is told as too late, or the first instant as nothing."""
    found = figures.Figures(None)  # type: ignore[arg-type]
    start, due = START, START + timedelta(hours=10)
    for hours in (0, 0.5, 1, 1.5, 10, 10.5, 20, 20.5, 400):
        found._use(start, due, start + timedelta(hours=hours))
    assert found.used == {0: 3, 1: 1, 9: 1, 10: 1, 19: 1, 20: 2}


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([5, 100, 400]))
def test_a_period_begins_no_later_than_what_it_holds_and_ends_after_it(time: datetime, days: int) -> None:
    chosen = periods(timedelta(days=days))
    start, longest = chosen.of(time), {"day": 1, "week": 7, "month": 31}[chosen.name]
    assert date(time.year, time.month, time.day) - start < timedelta(days=longest)
    assert start <= time.date()
    assert start.weekday() == 0 or chosen.name != "week"
    assert start.day == 1 or chosen.name != "month"


def test_a_sparkline_spans_from_the_lowest_to_the_highest_share() -> None:
    shares = {date(2026, 1, day): Tally() for day in (1, 2, 3, 4)}
    for day, kept, broken in ((1, 1, 1), (2, 3, 1), (4, 1, 0)):
        shares[date(2026, 1, day)].said.update({(State.KEPT, False, False): kept, (State.BROKEN, False, False): broken})
    assert table.sparkline(shares) == "▁▅ █ 50% to 100%"
    assert table.sparkline({}) == ""


def test_progress_is_told_with_the_time_left_once_patience_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr("services.cli.reports.progress.time.monotonic", lambda: now)
    with Stages() as stages:
        stages.begin("reading", 100)
        now += 1.9
        stages.advance(10)
        assert capsys.readouterr().err == ""
        now += 0.1
        stages.advance(20)
        assert capsys.readouterr().err == "reading: 20%, about 8 s left\n"


class Answers:
    """The running system's answers, one after the other."""

    looks = 0

    def __init__(self, outcome: dict[str, Any]) -> None:
        self.sent: list[tuple[str, str, Any]] = []
        self._outcome = outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def post(self, service: str, path: str, **content: Any) -> dict[str, Any]:
        self.sent.append(("POST", f"{service}{path}", content["json"]))
        return {"id": "b1"}

    def get(self, service: str, path: str) -> dict[str, Any]:
        self.looks += 1
        under_way = {"state": "running", "read": self.looks, "total": 3}
        return under_way if self.looks < 3 else {"items": None, "problem": None} | self._outcome

    def call(self, method: str, service: str, path: str) -> None:
        self.sent.append((method, f"{service}{path}", None))


def over_the_journal(folder: Path, monkeypatch: pytest.MonkeyPatch, answers: Answers, *options: str) -> Result:
    monkeypatch.setattr(journal, "running", lambda: None)
    monkeypatch.setattr(journal, "Client", lambda _: answers)
    monkeypatch.setattr(journal, "_A_LOOK_SECONDS", 0)
    (folder / "p.yaml").write_text(PARCEL + PLAYBOOK)
    return CliRunner().invoke(app, [str(folder / "p.yaml"), *options])


def test_a_backtest_over_the_journal_is_asked_for_and_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = lines(run(tmp_path, "--json", promises=PARCEL))
    answers = Answers({"state": "done", "items": [first, second]})
    result = over_the_journal(tmp_path, monkeypatch, answers, "--journal", "2026-01-01T00:00:00Z..", "--json")
    assert result.exit_code == 0, result.output
    assert lines(result)[0] == first | {"cost": {"playbook": "late-parcel", "per_case": 12.5, "currency": "EUR", "at_most": 162.5}}
    (_, path, sent), ended = answers.sent
    assert (path, ended) == ("promises/v1/backtests", ("DELETE", "promises/v1/backtests/b1", None))
    assert [each["metadata"]["name"] for each in sent["documents"]] == ["parcel-on-time", "no-damage"]
    assert (sent["from"], sent["to"]) == ("2026-01-01T00:00:00+00:00", None)
    shown = over_the_journal(tmp_path, monkeypatch, Answers({"state": "done", "items": [first]}), "--journal", "..")
    assert ["parcel-on-time", "40", "27"] in [each.split()[:3] for each in shown.stdout.splitlines()]


def test_a_backtest_over_the_journal_that_fails_says_why_and_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers({"state": "failed", "problem": "Too many events."})
    result = over_the_journal(tmp_path, monkeypatch, answers, "--journal", "..")
    assert isinstance(result.exception, StackError)
    assert "Too many events." in str(result.exception)
    assert answers.sent[-1][0] == "DELETE"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say which history"),
        (("--journal", "2026-01-01"), "RFC 3339"),
        (("--journal", "2026-01-01T00:00:00Z"), "FROM..TO"),
        (("--journal", "..", "--effective"), "--effective"),
    ],
)
def test_a_history_that_is_not_said_rightly_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    result = over_the_journal(tmp_path, monkeypatch, Answers({}), *options)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("option", ["--html", "--verdicts"])
def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path: Path, option: str) -> None:
    run(tmp_path)
    files = ["p.yaml", "--events", "events.jsonl", option, "nowhere/report"]
    ended = subprocess.run(
        [sys.executable, "-m", "services.cli", "backtest", *files], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (1, "makegood: nowhere/report: No such file or directory\n")
