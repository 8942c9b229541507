"""Backup and restoration rehearsed: PostgreSQL goes back to an earlier point, and the log leads to the same verdicts."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from contracts.roles import Role
from deploy.local import postgres, programs, stack
from services.cli.client import Client
from tests.faults.driver import System, until
from tests.faults.orders import Plan
from tests.faults.servers import FAST, end_postgres, start_postgres

POINT: Final = "before_the_mistake"
VERDICTS: Final = "SELECT id::text, verdict_state, due::text FROM promises.commitments WHERE verdict > 0 ORDER BY id"
CASES: Final = "SELECT id::text, customer::text FROM recovery.cases ORDER BY id"
FAILURES: Final = "SELECT commitment::text, case_id::text FROM recovery.failures WHERE NOT withdrawn ORDER BY commitment"
INCARNATIONS: Final = " UNION ".join(f"SELECT incarnation FROM {service}.progress" for service in ("journey", "promises", "recovery"))


@pytest.mark.slow
@pytest.mark.row(2)
async def test_a_database_restored_to_an_earlier_point_comes_to_the_same_verdicts_and_tells_what_people_did(
    system: System, seed: int
) -> None:
    """Breaks if anything said after that point is missing or said otherwise, if a case is opened twice, or an act is not told of."""
    archive = await _archiving(system)
    backup = await _base_backup(system)
    async with system.load(Plan(seed, "before", 900, 15)):
        await asyncio.sleep(12)
        at = datetime.now(UTC)
        async with system.database() as database:
            await database.execute("SELECT pg_create_restore_point($1)", POINT)
        await asyncio.sleep(12)
    await system.quiet()
    done = _work_on_a_case(system)
    await system.quiet()
    before = await _all(system)
    names = await _stop_services(system)
    await _restore(system, backup, archive)
    async with system.database() as database:
        assert len(await database.fetch(VERDICTS)) < len(before["verdicts"])
    for name in names:
        stack.start_again(system.data, system.running, name)
    for name in names:
        await system.ready(name)
    await system.quiet(100)
    after = await _all(system)
    for name, rows in before.items():
        assert set(rows) ^ set(after[name]) == set(), name
        assert len(rows) == len(after[name]), name
    async with system.database() as database:
        assert [each[0] for each in await database.fetch(INCARNATIONS)] == [2]
    lost = _acts_since(system, at)
    assert [(each["data"]["case"], each["type"], each["data"]["by"]) for each in lost] == done
    _own_and_pledge(system, lost[0]["data"]["case"], due=lost[1]["data"]["pledge"]["due"])
    again = {(each["type"], each["data"]["by"]) for each in _acts_since(system, at, "--all")}
    assert {(kind, by) for _, kind, by in done} <= again
    shutil.rmtree(archive.parent, ignore_errors=True)


async def _all(system: System) -> Mapping[str, list[tuple[Any, ...]]]:
    async with system.database() as database:
        found = {name: [tuple(row) for row in await database.fetch(query)] for name, query in _ALL.items()}
    assert all(found.values())
    return found


_ALL: Final = {"verdicts": VERDICTS, "cases": CASES, "failures": FAILURES}


async def _archiving(system: System) -> Path:
    """Let the server keep its log apart, as docs/recovering.md says."""
    archive = postgres._home(system.data / "postgres").data.parent / "archive"
    archive.mkdir()
    _give(archive)
    async with system.database() as database:
        await database.execute("ALTER SYSTEM SET archive_mode = 'on'")
        await database.execute(f"ALTER SYSTEM SET archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'")
    await end_postgres(system, FAST)
    await start_postgres(system)
    return archive


async def _base_backup(system: System) -> Path:
    home = postgres._home(system.data / "postgres")
    backup = home.data.parent / "backup"
    address = urlsplit(system.running.database["admin"])
    argv = [
        str(home.bin / "pg_basebackup"),
        "-h",
        "127.0.0.1",
        "-p",
        str(address.port),
        "-U",
        postgres.ADMIN,
        "-D",
        str(backup),
        "-c",
        "fast",
    ]
    environment = os.environ | {"PGPASSWORD": str(address.password)}
    await asyncio.to_thread(subprocess.run, argv, check=True, env=environment, capture_output=True)
    _give(backup)
    return backup


def _give(folder: Path) -> None:
    """Let the server's user own a folder and all in it, where we are root."""
    user = postgres._home(folder.parent).user
    if user is not None:
        for each in (folder, *folder.rglob("*")):
            os.chown(each, user, -1)


async def _stop_services(system: System) -> list[str]:
    names = [name for service in programs.SERVICES for name in system.running.living() if name.startswith(f"{service.name}-")]
    for name in names:
        system.signal(name, signal.SIGTERM)
    for name in names:
        assert await system.died(name) == 0
    return names


async def _restore(system: System, backup: Path, archive: Path) -> None:
    """Put the base backup in the place of the data, and let the server read the archive up to the point."""
    async with system.database() as database:
        await database.execute("SELECT pg_switch_wal()")

        async def archived() -> bool:
            return bool(
                await database.fetchval("SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) FROM pg_stat_archiver")
            )

        await until(archived, "the log is archived")
    await end_postgres(system, FAST)
    data = postgres._home(system.data / "postgres").data
    shutil.rmtree(data)
    shutil.move(backup, data)
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'cp {archive}/%f %p'\nrecovery_target_name = '{POINT}'\nrecovery_target_action = 'promote'\n")
    (data / "recovery.signal").touch()
    _give(data)
    await start_postgres(system)
    async with system.database() as database:

        async def promoted() -> bool:
            return not await database.fetchval("SELECT pg_is_in_recovery()")

        await until(promoted, "the server has come to the point")


def _work_on_a_case(system: System) -> list[tuple[str, str, str]]:
    """Own a case and pledge something in it; returns what a list of lost acts must tell."""
    with Client(system.running) as client:
        case = next(each for each in client.pages("recovery", "/v1/cases") if each["state"] == "open")["id"]
    _own_and_pledge(system, case, due="2099-01-01T10:00:00Z")
    return [(case, f"makegood.case.{kind}", "ana") for kind in ("owned", "pledged")]


def _own_and_pledge(system: System, case: str, due: str) -> None:
    with Client(system.running, "ana", [Role.AGENT, Role.LEAD]) as client:
        for path, body, key in (("owner", None, {}), ("pledges", {"what": "we call you", "due": due}, {"Idempotency-Key": "call"})):
            version = client.call("GET", "recovery", f"/v1/cases/{case}").headers["ETag"]
            client.call("POST", "recovery", f"/v1/cases/{case}/{path}", json=body or {}, headers={"If-Match": version, **key})


def _acts_since(system: System, at: datetime, *options: str) -> list[dict[str, Any]]:
    """What `makegood acts` lists."""
    argv = [str(Path(sys.executable).with_name("makegood")), "acts", "--since", at.isoformat(), "--json", *options]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=os.environ | {"MAKEGOOD_DATA": str(system.data)})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
