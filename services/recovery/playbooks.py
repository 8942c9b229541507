"""The playbooks in force, as a process knows them: read again when one was published."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from services.chassis.database import Transaction
from services.recovery import language
from services.recovery.domain.case import Case
from services.recovery.domain.playbook import Playbook
from services.recovery.store import playbooks as store

STALE_SECONDS: Final = 1.0
"""So long after it was published at most, a playbook is known to whoever only reads facts."""


class Playbooks:
    """Every version of every playbook; `plain` is for what names none."""

    def __init__(self, plain: Playbook) -> None:
        """Know none yet."""
        self.plain = plain
        self._revision = 0
        self._versions: dict[tuple[str, int], Playbook] = {}
        self._latest: dict[str, Playbook] = {}
        self._read_at = float("-inf")

    async def refresh(self, tx: Transaction) -> None:
        """Read what was published since, as this transaction sees it."""
        self._read_at = time.monotonic()
        revision = await store.revision(tx.connection)
        if revision == self._revision:
            return
        for each in await store.read(tx.connection):
            if (each.name, each.version) not in self._versions:
                document = orjson.dumps(each.document).decode()
                known = replace(language.read(document, each.name, self.plain), version=each.version)
                self._versions[each.name, each.version] = self._latest[each.name] = known
        self._revision = revision

    def may_open_at_risk(self, name: str) -> bool:
        """Whether a case may open for what is at risk; so where it was not looked for that long whether the playbook says so."""
        if not name:
            return False
        known = self._latest.get(name)
        return (known is not None and known.at_risk) or time.monotonic() - self._read_at > STALE_SECONDS

    @property
    def look_around(self) -> bool:
        """Whether any goes by what other cases of the customer know: how often they were spoken to, whether they are vulnerable."""
        return any(
            any(message.send for message in each.messages) or any(rule.when == "vulnerable" for rule in each.severity_rules)
            for each in self._versions.values()
        )

    def named(self, name: str | None) -> Playbook:
        """The latest version of a playbook; the plain one where there is none of that name."""
        return self._latest.get(name or "", self.plain)

    def of(self, case: Case) -> Playbook:
        """The version that a case goes by."""
        return self._versions.get((case.playbook or "", case.playbook_version), self.plain)

    def version(self, content: Mapping[str, Any]) -> Playbook:
        """The version that the first act of a case names."""
        return self._versions.get((content.get("playbook", ""), content.get("playbook_version", 0)), self.plain)
