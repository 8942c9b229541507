"""The watchdog: a consumer that makes no step ends its process, so that whoever supervises it starts another."""

import subprocess
import sys

from services.chassis.consume import STUCK_EXIT_CODE

STUCK = """
import asyncio, time
from services.chassis.consume import Consumer
from services.chassis.database import create_engine
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry

async def main():
    settings = Settings(kafka="127.0.0.1:9", database="postgresql://nobody@127.0.0.1:9/none", watchdog_timeout=0.4)
    consumer = Consumer(settings, create_engine(settings, "journey"), "group", [], Telemetry(settings, "journey"))
    consumer._watch()
    time.sleep(60)

asyncio.run(main())
"""


def test_a_consumer_that_makes_no_step_ends_its_process() -> None:
    """Breaks if the watchdog runs on the event loop, which is what a stuck consumer blocks."""
    ended = subprocess.run([sys.executable, "-c", STUCK], timeout=50, check=False, capture_output=True)
    assert ended.returncode == STUCK_EXIT_CODE, ended.stderr.decode()
