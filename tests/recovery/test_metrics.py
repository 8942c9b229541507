"""What is measured of recovery: cases in work and their ages, pledges judged, attempts to tell."""

from datetime import timedelta

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from contracts.metrics import CASE_AGE, CASES, DELIVERIES, PLEDGES
from services.chassis.process import Context
from services.chassis.sampling import Sampler
from services.chassis.telemetry import Telemetry
from services.recovery.handlers import FactHandler
from services.recovery.store import gauges
from services.recovery.telling.worker import Teller
from tests.measuring import emitted, shown
from tests.recovery import test_handlers
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import Desk

MADE = {"type": "recovery.pledge.made"}


async def test_cases_pledges_and_deliveries_are_measured(lane: Lane, ana: Desk) -> None:
    """Breaks if an owner were warned of a pledge, or a customer failed twice, and operations did not see it."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(lane.settings, "recovery", [reader])
    lane.handler = FactHandler(2, lane.settings, telemetry)
    await ana.act("/owner")
    made = await test_handlers.pledge(lane)
    for kind in ("at_risk", "broken"):
        await lane.feed(lane.fact(kind, number=5, correlation=str(made), promise="pledges", trigger=MADE))
    await ana.act("/preferences", {"address": "rosa@example.org"})
    drafted = await ana.act("/messages", {"subject": "Passport", "text": "We found it."}, idempotency_key="m")
    await ana.act(f"/messages/{drafted.json()['messages'][-1]['id']}/send")
    await lane.feed(lane.marker(NOON + timedelta(hours=2)))
    nowhere = lane.settings.model_copy(update={"mail_server": "smtp://127.0.0.1:9", "delivery_attempts": 1})
    teller = Teller(Context(nowhere, lane.engine, telemetry))
    while await teller.step():
        pass
    await Sampler(telemetry, 0.01, [lambda: gauges.measured(lane.engine)]).step()
    found = emitted(reader)
    shown(found, __file__)
    assert found[PLEDGES] == {("at_risk",): 1, ("broken",): 1}
    assert found[CASES] == {("open",): 0, ("owned",): 1, ("remedied",): 0}
    assert found[CASE_AGE][("owned",)] == 7200
    assert found[DELIVERIES][("message", "failed")] == 1
