"""Every cell of the access table: all operations of the services, each role, and nobody at all."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from contracts.access import OPERATIONS, WITHIN
from contracts.roles import Role
from services.chassis.access import Gate
from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.journey import api as journey
from services.journey.settings import JourneySettings
from services.promises import api as promises
from services.promises.settings import PromisesSettings
from services.recovery import api as recovery
from services.recovery.settings import RecoverySettings
from tests.serving import bearer, in_front_of, trusting

PAGE = Path(__file__).parents[2] / "contracts" / "access.md"
HEALTH = {"alive", "ready"}
NOWHERE: dict[str, Any] = {"kafka": "127.0.0.1:9", "database": "postgresql://nobody:nothing@127.0.0.1:9/none", "env": "local", "rate": 0}
NOBODY = "00000000-0000-0000-0000-000000000000"


def _apps(keys: Path) -> dict[str, FastAPI]:
    first = trusting(JourneySettings(**NOWHERE), keys)
    second = trusting(PromisesSettings(**NOWHERE), keys)
    third = trusting(RecoverySettings(**NOWHERE), keys)
    return {
        "journey": journey.build(first, create_engine(first, "journey"), Relay(first)),
        "promises": promises.build(second, create_engine(second, "promises"), Relay(second)),
        "recovery": recovery.build(third, create_engine(third, "recovery")),
    }


def read_page() -> dict[str, set[str]]:
    """The roles of each operation as the page that people read says it."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("|") and "---" not in line]
    head, *rows = lines
    return {row[0].strip("`"): {name for name, mark in zip(head, row, strict=False) if mark.strip() == "yes"} for row in rows}


def operations(app: FastAPI) -> list[tuple[str, str, str]]:
    """Id, method and a path of every operation."""
    found = []
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] not in HEALTH:
                found.append((operation["operationId"], method.upper(), re.sub(r"\{[^}]*\}", NOBODY, path)))
    return found


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def apps(keys: Path) -> dict[str, FastAPI]:
    return _apps(keys)


@pytest.mark.parametrize("service", ["journey", "promises", "recovery"])
async def test_each_role_may_do_what_the_page_says_and_nothing_else(service: str, apps: dict[str, FastAPI], keys: Path) -> None:
    """Breaks when the page, the table and the gate differ, or when an operation is reached past the gate."""
    app, page = apps[service], read_page()
    gate: Gate = app.state.gate
    tokens = {str(role): bearer(keys, str(role)) for role in Role}
    wrong = []
    async with in_front_of(app, {}) as client:
        for operation, method, path in operations(app):
            allowed = page[operation]
            for role, headers in tokens.items():
                if role in allowed or "public" in allowed:
                    await gate.admit(headers["authorization"].removeprefix("Bearer "), operation)
                    continue
                answer = await client.request(method, path, headers=headers)
                if (answer.status_code, answer.json()["type"]) != (403, "urn:makegood:problem:forbidden"):
                    wrong.append((operation, role, answer.status_code))
            if "public" not in allowed:
                wrong += [(operation, "nobody", code) for code in [(await client.request(method, path)).status_code] if code != 401]
    assert wrong == []


def test_the_page_has_every_operation_and_every_operation_is_somewhere(apps: dict[str, FastAPI]) -> None:
    """Breaks when a row outlives its operation, or an operation has none."""
    described = {operation for app in apps.values() for operation, _, _ in operations(app)}
    assert described == set(OPERATIONS) == set(read_page())


def test_what_depends_on_whose_it_is_is_said_of_operations_that_there_are() -> None:
    assert set(WITHIN) <= set(OPERATIONS)


def test_an_auditor_changes_nothing_and_nobody_but_operations_and_managers_erases(apps: dict[str, FastAPI]) -> None:
    """The table is not right by being obeyed: what must hold of it, whatever is added."""
    page = read_page()
    for app in apps.values():
        for operation, method, _ in operations(app):
            if "auditor" in page[operation] and operation != "lint_draft":
                assert method == "GET", operation
    assert page["erase_customer"] == {"manager", "operations"}
    assert {each for each, roles in page.items() if "public" in roles} == {
        "get_customer_status", "answer_customer_status", "receive_webhook", "get_register",
    }  # fmt: skip
