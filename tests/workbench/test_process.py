"""The workbench as a process."""

import subprocess
import sys


def test_a_service_that_reads_no_topic_has_no_consumer() -> None:
    """Breaks if a process could be started that waits for a broker which it is not told of."""
    done = subprocess.run((sys.executable, "-m", "services.workbench", "consume"), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.strip() == "usage: python -m services.workbench api | migrate"
