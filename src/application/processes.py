"""Which processes of the service there are, and of which version: two versions over one database are to be seen."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID, uuid4

import attrs

BEAT_EVERY_S = 15.0
SILENT_AFTER = timedelta(seconds=60)
"""Four beats; a process that has not been heard of for longer is not counted."""
FORGET_AFTER = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Process:
    """A process that serves, with the versions of itself and of its zone data."""

    id: UUID = attrs.field(factory=uuid4)
    version: str
    zone_data: str


@attrs.frozen
class SeenProcess:
    """A process, and for how long it has not been heard of, by the clock of the store."""

    process: Process
    silent_for: timedelta


class Processes(Protocol):
    """Where processes say that they are there. Each call is a transaction of its own; raises StoreUnavailable."""

    __slots__ = ()

    @abstractmethod
    async def beat(self, process: Process) -> None:
        """Say that it is there now; a repeat is in order. Forgets who has been silent for FORGET_AFTER."""

    @abstractmethod
    async def leave(self, process: Process) -> None:
        """Say that it is there no more; nothing if it never was."""

    @abstractmethod
    async def seen(self) -> Sequence[SeenProcess]:
        """Return all that are remembered, the latest heard of first."""
