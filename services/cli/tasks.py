"""Tasks of the services, run to their end beside a running stack."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.local import issuer, programs, state
from deploy.local.programs import Surroundings
from deploy.local.state import State


def lines(stack: State, service: str, task: str, arguments: Sequence[str]) -> Iterator[str]:
    """Run a task of a service; yields what it prints, line by line. Raises where it fails."""
    named = next(each for each in programs.SERVICES if each.name == service)
    around = Surroundings(stack.clock, stack.kafka, stack.database, Path(stack.keys) / issuer.PUBLIC, state.data_folder() / "logs")
    return programs.task(named, task, list(arguments), around)
