"""Tasks of the services, run to their end beside a running stack."""

from collections.abc import Iterator, Sequence

from deploy.local import programs, state
from deploy.local import stack as local
from deploy.local.state import State


def lines(stack: State, service: str, task: str, arguments: Sequence[str]) -> Iterator[str]:
    """Run a task of a service; yields what it prints, line by line. Raises where it fails."""
    named = next(each for each in programs.SERVICES if each.name == service)
    return programs.task(named, task, list(arguments), local.surroundings(state.data_folder(), stack))
