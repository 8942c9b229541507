"""`python -m services.recovery tell`: delivers what is due, at least once; told again, it has the same id.

What is claimed is leased: where a teller dies, another one takes it up once the lease is over.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import httpx2

from contracts.metrics import DELIVERIES
from services.chassis.database import Transaction, driver_of, reading
from services.chassis.faults import WORLD, crash_point
from services.chassis.process import Context
from services.chassis.progress import Progress
from services.chassis.redaction import told
from services.chassis.settings import Clock
from services.chassis.turns import take_turn
from services.recovery import store
from services.recovery.acting import People
from services.recovery.desk import save
from services.recovery.domain.messages import delivered
from services.recovery.settings import RecoverySettings
from services.recovery.store import deliveries
from services.recovery.store.deliveries import Claimed
from services.recovery.telling import MESSAGE, NOTICE, WEBHOOK, channels, hooks, mail
from services.recovery.telling.mail import RefusedForGoodError

log = logging.getLogger(__name__)
PAUSE_SECONDS: Final = 0.5


class Teller:
    """Tells people and systems what waits to be told."""

    def __init__(self, context: Context) -> None:
        """For one process; several may run beside each other."""
        assert isinstance(context.settings, RecoverySettings)
        self._settings, self._engine, self._telemetry = context.settings, context.engine, context.telemetry
        self._people = People(context.engine, context.settings)
        self._stopping = asyncio.Event()
        self._client = httpx2.AsyncClient(follow_redirects=False, timeout=hooks.TIMEOUT_SECONDS, trust_env=False)

    def missing(self) -> list[str]:
        """Nothing keeps it from being ready: what cannot be told yet waits."""
        return []

    async def run(self) -> None:
        """Tell what is due until stopped."""
        while not self._stopping.is_set():
            more = False
            try:
                more = await self.step()
            except WORLD as error:
                log.warning("telling waits", extra={"error": told(error)})
            if not more:
                await self._rest()
        await self._client.aclose()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), PAUSE_SECONDS)
        except TimeoutError:
            return

    def stop(self) -> None:
        """End `run` after what is being told."""
        self._stopping.set()

    async def step(self) -> bool:
        """Deliver what is due next; False where nothing is."""
        now = datetime.now(UTC) if self._settings.clock is Clock.LIVE else None
        claimed = await deliveries.claim(self._engine, now, list(self._settings.channels), mails=self._settings.mail_server is not None)
        if not claimed:
            return False
        crash_point("before-telling")
        try:
            await self._deliver(claimed)
        except RefusedForGoodError as error:
            await self._fail(claimed, str(error))
        except OSError as error:
            await self._again(claimed, str(error) if isinstance(error, ConnectionError) else type(error).__name__)
        else:
            crash_point("after-telling")
            await self._settle(claimed, None)
        return True

    async def _deliver(self, claimed: Sequence[Claimed]) -> None:
        first = claimed[0]
        if first.kind == WEBHOOK:
            await self._post(first)
            return
        channel = self._settings.channels.get(first.target) if first.kind == NOTICE else None
        if channel is not None:
            text = first.body.decode()
            await asyncio.to_thread(channels.send, first.target, channel.get_secret_value(), first.subject, text)
            return
        address = first.target if first.kind == MESSAGE or "@" in first.target else self._settings.directory.get(first.target)
        if not address:
            message = f"no address of {first.target} is known; name it in MAKEGOOD_DIRECTORY or MAKEGOOD_CHANNELS"
            raise RefusedForGoodError(message)
        assert self._settings.mail_server is not None
        parts = [(each.subject, each.body.decode()) for each in claimed]
        composed = mail.compose(str(first.id), self._settings.mail_from, address, parts)
        await asyncio.to_thread(mail.send, self._settings.mail_server, composed)

    async def _post(self, one: Claimed) -> None:
        hook = await deliveries.hook(self._engine, one.about)
        if hook is None:
            message = "the webhook was deleted"
            raise RefusedForGoodError(message)
        signed = hooks.headers(str(one.id), int(time.time()), one.body, hook.secret)
        await hooks.post(self._client, hook.url, one.body, signed, loopback=self._settings.webhooks_to_loopback)

    async def _again(self, claimed: Sequence[Claimed], reason: str) -> None:
        attempts = claimed[0].attempts
        if attempts >= self._settings.delivery_attempts:
            await self._fail(claimed, reason)
            return
        self._telemetry.tell(DELIVERIES, len(claimed), claimed[0].kind, "again")
        async with reading(self._engine) as connection:
            await deliveries.retry(await driver_of(connection), [each.id for each in claimed], attempts, reason)

    async def _fail(self, claimed: Sequence[Claimed], reason: str) -> None:
        log.warning("could not be told", extra={"kind": claimed[0].kind, "reason": reason, "case": str(claimed[0].case_id)})
        await self._settle(claimed, reason)

    async def _settle(self, claimed: Sequence[Claimed], failed: str | None) -> None:
        ids, state = [each.id for each in claimed], "sent" if failed is None else "failed"
        self._telemetry.tell(DELIVERIES, len(claimed), claimed[0].kind, state)
        if claimed[0].kind in {NOTICE, WEBHOOK}:
            async with reading(self._engine) as connection:
                await deliveries.settle(await driver_of(connection), ids, state, failed)
            return

        async def turn(tx: Transaction, progress: Progress) -> None:
            desk = await self._people.desk(tx, progress, {each.case_id for each in claimed})
            for each in claimed:
                case = desk.stored[each.case_id].case
                at = max(case.changed_at, self._people.now(progress))
                desk.happen(case.id, delivered(case, each.about, at, failed), None)
            await save(tx, progress, desk)
            await deliveries.settle(tx.driver, ids, state, failed)

        await take_turn(self._engine, store.INPUT_TOPIC, claimed[0].partition, self._settings.act_attempts, turn)
