"""Principles: what may be said in one, who serves whom, and what is promised by none."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.cli import publish
from services.cli.publish import FindingsError
from services.journey import api
from services.journey.principles import Principle, Serving, served, serving_none
from services.journey.settings import JourneySettings
from tests.serving import bearer, in_front_of, said

PROMISES = Path(__file__).parents[2] / "promises"


def principle(name: str, /, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "makegood/v1", "kind": "Principle", "metadata": {"name": name}, "spec": {"statement": f"We {name}."} | spec}


def promise(name: str, /, **spec: Any) -> dict[str, Any]:
    response = {"when": {"type": "a"}, "expect": {"type": "b"}, "within": "1 day"}
    said = {"statement": f"You get {name}.", "response": response} | spec
    return {"apiVersion": "makegood/v1", "kind": "Promise", "metadata": {"name": name, "owner": "us"}, "spec": said}


def complaints(folder: Path, *documents: str) -> list[str]:
    file = folder / "p.yaml"
    file.write_text("---\n".join(f"apiVersion: makegood/v1\nkind: Principle\n{each}" for each in documents))
    with pytest.raises(FindingsError) as found:
        publish.read([file])
    return [each.removeprefix(f"{folder}/") for each in str(found.value).splitlines()[1:]]


def test_what_is_wrong_is_told_with_its_place_and_what_was_meant(tmp_path: Path) -> None:
    mission = "metadata: {name: come-back}\nspec: {statement: They come back., sort: mission}\n"
    assert complaints(
        tmp_path,
        mission,
        "metadata: {name: our-word}\nspec: {statement: We mean it., sort: valeu, under: come-bakc}\n",
        "metadata: {name: two words, ownr: us}\nspec:\n  statment: x\n  documents:\n    - {sort: polcy, title: T, since: May}\n",
    ) == [
        "p.yaml:9:38: `valeu` is not a value of `sort`; did you mean `value`?",
        "p.yaml:9:52: there is no principle `come-bakc`; did you mean `come-back`?",
        "p.yaml:13:18: `two words` is not a name; it has letters and digits with single dashes between, at most 200",
        "p.yaml:13:29: `metadata` has no key `ownr`; did you mean `owner`?",
        "p.yaml:15:3: `spec` has no key `statment`; did you mean `statement`?",
        "p.yaml:15:3: `spec` needs `statement`",
        "p.yaml:17:7: an entry of `documents` needs `reference`",
        "p.yaml:17:14: `polcy` is not a value of `sort`; did you mean `policy`?",
        "p.yaml:17:38: `May` is not a day; say it as `2026-01-01`",
    ]


def test_a_belief_says_what_it_stands_instead_of_and_nothing_else_does(tmp_path: Path) -> None:
    assert complaints(
        tmp_path,
        "metadata: {name: a}\nspec: {statement: A., sort: belief}\n",
        "metadata: {name: b}\nspec: {statement: B., instead_of: C.}\n",
    ) == [
        "p.yaml:4:23: a belief is one to change; say under `instead_of` what is believed today",
        "p.yaml:9:23: only a belief stands instead of another; say `sort: belief`, or leave it out",
    ]


def test_principles_that_stand_under_each_other_are_told(tmp_path: Path) -> None:
    """Breaks if whoever follows a principle upwards never came to an end."""
    found = complaints(tmp_path, *(f"metadata: {{name: {name}}}\nspec: {{statement: x, under: {under}}}\n" for name, under in ("ab", "ba")))
    assert [each.split(": ", 1)[1] for each in found] == [
        "`b` stands under `a` itself; one of them is to stand under another",
        "`a` stands under `b` itself; one of them is to stand under another",
    ]


NAMES = "abcdef"


@given(
    above=some.lists(some.one_of(some.none(), some.integers(0, 5)), min_size=6, max_size=6),
    called=some.lists(some.one_of(some.none(), some.sampled_from([*NAMES, "We a.", "We f.", "elsewhere"])), max_size=8),
)
def test_whoever_serves_a_principle_serves_all_that_it_stands_under(above: list[int | None], called: list[str | None]) -> None:
    """The oracle closes the relation `stands under` step by step, upwards from what each promise names."""
    under = {
        name: None if place is None or place >= own else NAMES[place] for own, (name, place) in enumerate(zip(NAMES, above, strict=True))
    }
    declared = [Principle(name, f"We {name}.", under=under[name]) for name in NAMES]
    servings = [Serving(f"p{number}", name) for number, name in enumerate(called)]
    expected: dict[str, set[str]] = {name: set() for name in NAMES}
    for each in servings:
        direct = {name for name in NAMES if each.principle in {name, f"We {name}."}}
        reached: set[str] = set()
        while direct - reached:
            reached |= direct
            direct = {up for name in direct if (up := under[name]) is not None}
        for name in reached:
            expected[name].add(each.promise)
    assert {name: set(promises) for name, promises in served(declared, servings).items()} == expected
    everywhere = set().union(*expected.values())
    assert {each.promise for each in serving_none(declared, servings)} == {each.promise for each in servings} - everywhere


@pytest.fixture
async def manager(engine: AsyncEngine, own: JourneySettings, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    relay = Relay(own)
    async with in_front_of(api.build(own, engine, relay), bearer(tmp_path, "manager")) as client:
        yield client
    await relay.close()


async def tell(manager: httpx2.AsyncClient, version: int, document: dict[str, Any]) -> httpx2.Response:
    return await manager.put(f"/v1/promises/{document['metadata']['name']}/versions/{version}", json=document)


async def test_a_principle_is_versioned_and_what_is_promised_by_none_is_shown(manager: httpx2.AsyncClient) -> None:
    published = [
        principle("be", sort="mission"),
        principle("mean", under="be"),
        principle("hear"),
        principle("hear"),
        principle("hear", owner=1),
    ]
    published[2]["spec"]["documents"] = [{"sort": "policy", "title": "T", "reference": "https://x.example", "since": "2026-01-01"}]
    answers = [await manager.post("/v1/principles", json=each) for each in [*published[:3], published[2], published[3]]]
    assert [(each.status_code, each.json()["version"]) for each in answers] == [(201, 1), (201, 1), (201, 1), (201, 1), (201, 2)]
    told = [promise("one", principle="hear"), promise("two"), promise("three", principle="heer")]
    told += [promise("four", principle="hear", audience="internal")]
    for document in told:
        assert (await tell(manager, 1, document)).status_code == 200
    assert (await tell(manager, 2, promise("one", principle="We mean."))).status_code == 200
    await manager.put("/v1/promises/four/retirement", json={})
    found = (await manager.get("/v1/principles")).json()
    assert {each["name"]: ([one["name"] for one in each["promises"]], each["above"]) for each in found["items"]} == {
        "be": (["one"], ["mean"]), "hear": ([], []), "mean": (["one"], []),
    }  # fmt: skip
    assert found["promised_by_none"] == ["hear"]
    assert [(each["name"], each["principle"]) for each in found["serving_none"]] == [("three", "heer"), ("two", None)]
    one = (await manager.get("/v1/principles/hear")).json()
    assert (one["version"], one["documents"], len(one["versions"])) == (2, [], 2)
    assert one["versions"][0]["spec"]["documents"][0]["title"] == "T"
    assert (await manager.get("/v1/principles/nobody")).status_code == 404


async def test_a_principle_is_retired_once_nothing_stands_under_it_and_published_again(manager: httpx2.AsyncClient) -> None:
    for each in (principle("be", sort="mission"), principle("mean", under="be")):
        assert (await manager.post("/v1/principles", json=each)).status_code == 201
    held = await manager.put("/v1/principles/be/retirement")
    assert (held.status_code, said(held)["type"]) == (409, "urn:makegood:problem:still-stood-under")
    for name in ("mean", "mean", "be"):
        assert (await manager.put(f"/v1/principles/{name}/retirement")).status_code == 204
    assert (await manager.get("/v1/principles")).json()["items"] == []
    assert (await manager.get("/v1/principles/be")).status_code == 404
    assert (await manager.put("/v1/principles/never/retirement")).status_code == 404
    assert (await manager.post("/v1/principles", json=principle("be", sort="mission"))).json()["version"] == 3
    assert [each is None for each in (await manager.get("/v1/principles/be")).json()["versions"]] == [False, True, False]


async def test_what_is_no_principle_yet_is_refused_with_what_would_be_right(manager: httpx2.AsyncClient) -> None:
    await manager.post("/v1/principles", json=principle("mean"))
    answer = await manager.post("/v1/principles", json=principle("hear", under="meam", statment="x"))
    assert answer.status_code == 422
    details = [each["detail"].split(": ", 1)[1] for each in said(answer)["errors"]]
    assert details == ["`spec` has no key `statment`; did you mean `statement`?", "there is no principle `meam`; did you mean `mean`?"]
    await manager.post("/v1/principles", json=principle("hear", under="mean"))
    assert (await manager.post("/v1/principles", json=principle("mean", under="hear"))).status_code == 422


async def test_a_version_of_a_promise_is_told_once_and_never_edited(manager: httpx2.AsyncClient) -> None:
    assert [(await tell(manager, 1, promise("one"))).status_code for _ in range(2)] == [200, 200]
    assert (await tell(manager, 1, promise("one", principle="hear"))).status_code == 409
    other = await manager.put("/v1/promises/two/versions/1", json=promise("one"))
    assert other.status_code == 422
    assert (await manager.put("/v1/promises/two/retirement", json={})).status_code == 404


async def test_the_catalogue_can_be_published_and_every_principle_of_the_branch_is_promised(manager: httpx2.AsyncClient) -> None:
    """Breaks if what lint takes is not what journey takes."""
    found = publish._parents_first(publish.read(publish.files_of([PROMISES])))
    for _, each in found:
        if each.kind == "Principle":
            answer = await manager.post("/v1/principles", content=orjson.dumps(each.raw), headers={"content-type": "application/json"})
            assert answer.status_code == 201, answer.text
        if each.kind == "Promise":
            assert (await tell(manager, 1, each.raw)).status_code == 200
    listed = (await manager.get("/v1/principles")).json()
    assert listed["promised_by_none"] == []
    branch = {each["name"]: each for each in listed["items"]}
    assert {"documents-handed-back", "card-made"} & {each["name"] for each in branch["a-bank-to-come-back-to"]["promises"]} == {
        "documents-handed-back"
    }
