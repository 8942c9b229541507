"""The two families of failure, never confused: the record's fault and the world's fault (DESIGN 4)."""

import asyncio
import os
from collections import deque

import asyncpg
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.chassis.redaction import told

WORLD = (
    OSError, asyncio.TimeoutError, KafkaError, DBAPIError, PoolTimeout,
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError,
)  # fmt: skip
"""What a database, a broker or a network does to us: roll back, wait, try again for ever."""


class LostOwnershipError(Exception):
    """Another process moved this partition on; what was believed of it is void and must be read again."""


class BadDeployError(Exception):
    """Our own code fails on valid records too often to be the data's fault: roll this version back."""


class UnusableTopicError(Exception):
    """A topic is not what this system was created with; the message says what was found and what to do."""


class FaultBudget:
    """Counts unexpected exceptions among the last 1,000 records and stops the line at more than 1 % and at least 20."""

    def __init__(self, window: int = 1000, share: float = 0.01, least: int = 20) -> None:
        """A budget over the last `window` records."""
        self._window, self._share, self._least = window, share, least
        self._failed: deque[int] = deque()
        self._seen = 0

    def passed(self, records: int) -> None:
        """Count records that raised nothing."""
        self._seen += records

    def failed(self, error: Exception) -> None:
        """Count one record our own code failed on; raises `BadDeployError` when the budget is spent."""
        self._seen += 1
        self._failed.append(self._seen)
        while self._failed and self._failed[0] <= self._seen - self._window:
            self._failed.popleft()
        count = len(self._failed)
        if count >= self._least and count > self._share * min(self._seen, self._window):
            message = f"{count} of the last {min(self._seen, self._window)} records raised, the last one {told(error)}"
            raise BadDeployError(message) from error


_armed: dict[str, int] = {}


def arm_crash_points(plan: str) -> None:
    """Make the process die at named points, `name:nth` separated by commas; only fault tests do this."""
    for part in filter(None, plan.split(",")):
        name, _, nth = part.partition(":")
        _armed[name] = int(nth or 1)


def crash_point(name: str) -> None:
    """Die here at once, as if killed, when a fault test armed this point."""
    if name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] <= 0:
        os._exit(137)
