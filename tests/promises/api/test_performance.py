"""Performance and the public register: how promises are kept, for programs and for spreadsheets."""

import csv
import io
from datetime import timedelta
from typing import Any

import httpx2

from tests.driving import NOON, rows
from tests.promises.api.conftest import HOUR, Somebody, body
from tests.promises.conftest import Partition, response
from tests.serving import said

CSV = {"accept": "text/csv"}


def table(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def performance(client: httpx2.AsyncClient, name: str = "in-time") -> dict[str, Any]:
    (found,) = (await client.get(f"/v1/promises/{name}/performance")).json()["items"]
    return dict(found)


async def test_performance_counts_what_was_judged(manager: httpx2.AsyncClient, begun: Partition) -> None:
    found = await performance(manager)
    counts = {name: found[name] for name in ("commitments", "kept", "broken", "never", "late", "open", "kept_share")}
    assert counts == {"commitments": 4, "kept": 2, "broken": 1, "never": 1, "late": 0, "open": 1, "kept_share": 0.6667}
    assert [(each["segment"], each["kept"], each["broken"]) for each in found["segments"]] == [("shop", 1, 0), ("web", 1, 1)]
    assert found["interval"] == {"low": 0.2077, "high": 0.9385, "confidence": 0.95}
    assert (await manager.get("/v1/performance")).json()["items"] == [found]
    assert (await manager.get("/v1/promises/other/performance")).status_code == 404


async def test_an_objective_says_what_is_left_together_and_by_segment(manager: httpx2.AsyncClient, begun: Partition) -> None:
    found = (await performance(manager))["objective"]
    assert (found["target"], found["window"], found["since"]) == (0.9, "30 days", "2026-01-30T16:00:00.000Z")
    assert (found["kept"], found["broken"], found["share"]) == (2, 1, 0.6667)
    assert found["budget"] == {"allowed": 0, "used": 1, "left": -1}
    assert (found["exhausted_at"], found["stop_selling"]) == ("2026-03-01T16:00:00.000Z", False)
    web = next(each for each in found["segments"] if each["segment"] == "web")
    assert (web["kept"], web["broken"], web["interval"]["high"]) == (1, 1, 0.9055)


async def test_a_commitment_counts_in_the_window_in_which_it_fell_due(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if the early keeps of a promise counted and its breaks, which come later, did not."""
    begun.event("placed", NOON + 4 * HOUR, data={"order": "early", "channel": "web"})
    begun.event("delivered", NOON + 4 * HOUR, data={"order": "early", "channel": "web"})
    await begun.deliver()
    found = await performance(manager)
    assert (found["kept"], found["objective"]["kept"]) == (3, 2)
    begun.marker(NOON + timedelta(days=30, hours=4))
    await begun.deliver()
    await begun.save()
    found = await performance(manager)
    assert (found["kept"], found["broken"]) == (3, 2)
    # the others fell due two hours after noon, more than thirty days ago
    assert (found["objective"]["kept"], found["objective"]["broken"]) == (1, 1)


async def test_a_promise_without_an_objective_has_none_and_still_an_interval(manager: httpx2.AsyncClient, begun: Partition) -> None:
    await manager.post("/v1/promises", json=body("other"))
    found = await performance(manager, "other")
    assert (found["objective"], found["interval"], found["commitments"]) == (None, None, 0)


async def test_performance_as_csv_has_a_row_a_promise_and_one_a_segment(manager: httpx2.AsyncClient, begun: Partition) -> None:
    rows = table(await manager.get("/v1/performance", headers=CSV))
    assert [(each["promise"], each["segment"], each["kept"], each["broken"]) for each in rows] == [
        ("in-time", "", "2", "1"), ("in-time", "shop", "1", "0"), ("in-time", "web", "1", "1"),
    ]  # fmt: skip
    assert (rows[0]["budget_left"], rows[0]["stop_selling"], rows[1]["budget_left"], rows[2]["window_high"]) == (
        "-1",
        "false",
        "0",
        "0.9055",
    )


async def test_the_register_needs_no_token_and_says_what_customers_are_promised(somebody: Somebody, begun: Partition) -> None:
    async with somebody() as anybody:
        answer = await anybody.get("/v1/register")
        assert answer.status_code == 200
        assert answer.json() == {
            "as_of": "2026-03-01T16:00:00.000Z",
            "items": [
                {
                    "promise": "in-time", "statement": "We keep this.",
                    "published": [{"channel": "web", "reference": "page", "since": "2026-01-01"}],
                    "since": answer.json()["items"][0]["since"],
                    "applied": 4, "kept": 2, "broken": 1, "excused": 0, "share": 0.6667,
                    "months": [{"month": "2026-03-01", "kept": 2, "broken": 1, "share": 0.6667}],
                    "paid": {},
                }
            ],
        }  # fmt: skip
        assert (await anybody.get("/v1/performance")).status_code == 401


async def test_the_register_tells_of_each_month_of_the_last_twelve_by_when_things_fell_due(somebody: Somebody, begun: Partition) -> None:
    """Breaks if what was triggered in one month and due in the next counted in the first, or if older months stayed."""
    late_in_march = NOON.replace(day=31, hour=23)
    begun.event("placed", late_in_march, data={"order": "april", "channel": "web"})
    begun.event("placed", NOON.replace(year=2027, month=2), data={"order": "next-year", "channel": "web"})
    begun.marker(NOON.replace(year=2027, month=2) + 4 * HOUR)
    await begun.deliver()
    await begun.save()
    async with somebody() as anybody:
        (entry,) = (await anybody.get("/v1/register")).json()["items"]
        assert [(each["month"], each["kept"], each["broken"]) for each in entry["months"]] == [
            ("2026-03-01", 2, 2), ("2026-04-01", 0, 1), ("2027-02-01", 0, 1),
        ]  # fmt: skip
        begun.marker(NOON.replace(year=2027, month=3) + 4 * HOUR)
        await begun.deliver()
        await begun.save()
        (entry,) = (await anybody.get("/v1/register")).json()["items"]
    assert [each["month"] for each in entry["months"]] == ["2026-04-01", "2027-02-01"]
    assert (entry["kept"], entry["broken"]) == (2, 4)


async def test_the_register_says_what_was_paid_by_currency_to_the_last_digit_and_once(somebody: Somebody, begun: Partition) -> None:
    """Breaks if a copy for another key, another's word, or a batch done again after a crash were counted."""
    told: list[tuple[str, str, str, dict[str, Any]]] = [
        ("0.10", "EUR", "in-time", {}), ("0.20", "EUR", "in-time", {}), ("7.50", "USD", "in-time", {}), ("5.00", "EUR", "hidden", {}),
        ("9.00", "EUR", "in-time", {"evidenceonly": True}), ("9.00", "EUR", "in-time", {"source": "shop"}),
        ("NaN", "EUR", "in-time", {}), ("much", "EUR", "in-time", {}),
    ]  # fmt: skip
    for number, (amount, currency, promise, extra) in enumerate(told):
        data = {"promise": promise, "amount": amount, "currency": currency}
        event: dict[str, Any] = {"source": "makegood/recovery"} | extra
        begun.event("recovery.compensation.paid", NOON + 4 * HOUR, id_=f"paid-{number}", data=data, **event)
    for point in ("before-commit", "after-commit"):
        await begun.crash(point, 5)
    await begun.start()
    await begun.deliver()
    async with somebody() as anybody:
        (entry,) = (await anybody.get("/v1/register")).json()["items"]
        (row,) = table(await anybody.get("/v1/register", headers=CSV))
    assert entry["paid"] == {"EUR": "0.30", "USD": "7.50"}
    assert row["paid"] == "EUR 0.30; USD 7.50"
    assert len([each for each in await rows(begun.engine, "quarantine", "reason") if each == ("payment",)]) == 2


async def test_the_register_names_no_internal_and_no_retired_promise(
    manager: httpx2.AsyncClient, somebody: Somebody, begun: Partition
) -> None:
    """Breaks if what is between ourselves, or no longer promised, were shown to the public."""
    for name, spec in (("ours", {"audience": "internal"}), ("old", {}), ("soon", {})):
        await manager.post("/v1/promises", json=body(name, **spec))
    await manager.post("/v1/promises/old/retirement", json={})
    async with somebody() as anybody:
        assert [each["promise"] for each in (await anybody.get("/v1/register")).json()["items"]] == ["in-time"]
        begun.marker(NOON + 5 * HOUR)
        await begun.deliver()
        await begun.save()
        found = (await anybody.get("/v1/register")).json()["items"]
    assert [(each["promise"], each["since"]) for each in found][1:] == [("soon", "2026-03-01T16:05:00.000Z")]


async def test_the_register_is_not_sent_again_to_those_who_have_it(somebody: Somebody, begun: Partition) -> None:
    async with somebody() as anybody:
        first = await anybody.get("/v1/register")
        assert first.headers["cache-control"].startswith("public, max-age=")
        assert first.headers["vary"] == "Accept"
        tag = first.headers["etag"]
        again = await anybody.get("/v1/register", headers={"if-none-match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await anybody.get("/v1/register", headers=CSV | {"if-none-match": tag})).status_code == 200
        begun.event("delivered", NOON + HOUR, NOON + 4 * HOUR, data={"order": "o2"})
        begun.event("placed", NOON + 4 * HOUR, data={"order": "o9"})
        await begun.deliver()
        assert (await anybody.get("/v1/register", headers={"if-none-match": tag})).status_code == 200


async def test_the_register_as_csv_runs_no_formula(manager: httpx2.AsyncClient, somebody: Somebody) -> None:
    places = [{"channel": "=HYPERLINK(1)", "reference": "@page"}, {"channel": "shop"}]
    spec: dict[str, Any] = {"statement": "=1+1 is what we promise", "published": places, "response": response()}
    assert (await manager.post("/v1/promises", json=body("formula", **spec))).status_code == 201
    async with somebody() as anybody:
        rows = table(await anybody.get("/v1/register", headers=CSV))
    assert [(each["statement"][:3], each["channel"], each["reference"]) for each in rows] == [
        ("'=1", "'=HYPERLINK(1)", "'@page"), ("'=1", "shop", ""),
    ]  # fmt: skip


async def test_a_bad_token_is_refused_even_where_none_is_needed(app: Any, begun: Partition, somebody: Somebody) -> None:
    async with somebody() as anybody:
        answer = await anybody.get("/v1/register", headers={"authorization": "Bearer nonsense"})
    assert said(answer)["status"] == 401
