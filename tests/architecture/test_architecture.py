"""The shape of the tree: what import-linter cannot say."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.access import OPERATIONS

ROOT = Path(__file__).parents[2]
SERVICES = ("journey", "promises", "recovery", "workbench")
SAME_FILES = ("__init__.py", "__main__.py", "settings.py", "domain.py", "handlers.py", "store.py", "api.py", "README.md", "migrations")
PURE_PARTS = (
    "domain", "language", "calendars", "compile", "backtest", "lint", "blindness", "events",
    "documents", "inspection", "feeds", "principles", "audit", "identity.reader",
)  # fmt: skip
WITHOUT_RULES = {"workbench": {"domain.py", "handlers.py"}}
"""Rooms that a service does not have: the workbench decides nothing and reads no topic."""
LONGEST_MODULE = 400
LONGEST_FUNCTION = 45
WITHOUT_ROW = {"alive", "ready"}


def _started(service: str) -> bool:
    """Whether the service has more than its empty package."""
    return len(list((ROOT / "services" / service).glob("*.py"))) > 1


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _module_named(name: str) -> Path:
    """The file of a module of ours, or of the module that holds what is named."""
    path = ROOT.joinpath(*name.split("."))
    while not (path.with_suffix(".py").exists() or (path / "__init__.py").exists()):
        path = path.parent
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    """Breaks if a service lacks one of the files that a reader of another service looks for."""
    if not _started(service):
        pytest.skip(f"{service} has not been begun")
    folder = ROOT / "services" / service
    wanted = [name for name in SAME_FILES if name not in WITHOUT_RULES.get(service, ())]
    assert [name for name in wanted if not (folder / name).exists() and not (folder / name.removesuffix(".py")).is_dir()] == []


@pytest.mark.parametrize("path", _modules("contracts", "services", "deploy", "tests"), ids=_relative)
def test_every_module_can_be_held_in_the_head(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    if path.parent.name == "versions":
        return  # a migration is a list of statements and no more
    functions = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {each.name: lines for each in functions if (lines := (each.end_lineno or 0) - each.lineno + 1) > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("path", [path for path in _modules("services") if path.name == "domain.py"], ids=_relative)
def test_a_domain_imports_the_standard_library_and_the_service_s_pure_modules_only(path: Path) -> None:
    """Breaks when a library gets into the rules, or through a module beside them."""
    seen: set[Path] = set()
    pending = [path]
    while pending:
        seen.add(module := pending.pop())
        own = f"services.{path.parent.name}."
        for name in _imports(module):
            if name.startswith(own):
                pending += {_module_named(name)} - seen
            else:
                assert name.partition(".")[0] in sys.stdlib_module_names, f"{_relative(module)} imports {name}"


def _speaks_sql(path: Path) -> bool:
    return not {"store.py", "store", "tables.py", "migrations"}.isdisjoint(path.parts)


_SILENT = [path for path in _modules(*(f"services/{service}" for service in SERVICES)) if not _speaks_sql(path)]


@pytest.mark.parametrize("path", _SILENT, ids=_relative)
def test_outside_the_store_sql_is_known_by_the_engine_s_type_only(path: Path) -> None:
    """Breaks when a statement is written outside the store."""
    assert {name for name in _imports(path) if name.startswith("sqlalchemy")} <= {"sqlalchemy.ext.asyncio.AsyncEngine"}


@pytest.mark.parametrize("path", _modules("contracts"), ids=_relative)
def test_contracts_stand_on_pydantic_and_a_yaml_reader(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "contracts", "pydantic", "ruamel"}
    assert {name for name in _imports(path) if name.partition(".")[0] not in allowed} == set()


@pytest.mark.parametrize("path", _modules("services/cli"), ids=_relative)
def test_the_command_line_uses_the_services_pure_parts_only(path: Path) -> None:
    for name in _imports(path):
        package, _, rest = name.partition(".")
        if package == "services" and rest.partition(".")[0] in SERVICES:
            _, _, part, *inside = name.split(".")
            assert {part, ".".join([part, *inside[:1]])} & set(PURE_PARTS), f"{_relative(path)} imports {name}"


@pytest.mark.parametrize("path", _modules("services", "deploy", "contracts"), ids=_relative)
def test_nothing_stands_in_for_kafka_or_postgres(path: Path) -> None:
    """Breaks on a fake broker or an in-memory repository: pure code needs none, the rest runs on the real ones."""
    names = [each.name for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.ClassDef)]
    assert [name for name in names if re.match(r"(Fake|InMemory|Memory(Store|Repository|Broker)|Stub|Dummy|Mock)", name)] == []
    # the demo's second opinion on its own numbers: plain SQL over a file, beside the system and of no use to it
    second_opinion = {"sqlite3"} if _relative(path) == "services/cli/recount.py" else set()
    imported = set(_imports(path)) - second_opinion
    assert not any("sqlite" in name or name.startswith("unittest.mock") for name in imported)


@pytest.mark.parametrize("service", SERVICES)
def test_every_http_operation_has_a_row_in_the_access_table(service: str) -> None:
    """Breaks when an operation is added and nobody said who may do it."""
    name = f"services.{service}.api"
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{service} has no HTTP side yet")
    module = importlib.import_module(name)
    if service in WITHOUT_RULES:
        assert not hasattr(module, "openapi"), "what answers pages describes no operations"
        return
    described = [each["operationId"] for path in module.openapi()["paths"].values() for each in path.values()]
    assert described
    assert set(described) - WITHOUT_ROW <= OPERATIONS.keys()


def test_imports_keep_the_boundaries() -> None:
    """Breaks with import-linter's own words on which sentence of pyproject.toml is no longer true."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
