"""What an operator wants to know of the scheduler, as it happens; the adapter makes metrics of it."""

from collections.abc import Mapping
from datetime import datetime

import attrs

from domain.message import Status
from domain.occasion import Kind

BACKLOG_MAX = 10_000
"""So many of what is due are counted, and not more: a backlog is to be seen, not measured."""


@attrs.frozen
class Backlog:
    """Messages that could be sent now, and since when one of them has been waiting for that."""

    messages: int
    oldest_at: datetime | None


class SchedulerObserver:
    """Hears what happens. Here every method does nothing; anywhere it returns at once and never raises."""

    __slots__ = ()

    def messages_accepted(self, accepted: Mapping[tuple[Kind, float], int]) -> None:
        """The channel has taken so many messages, by their kind and by how many seconds after they were due."""

    def batch_settled(self, settled: Mapping[Status, int], lost: int) -> None:
        """Outcomes were written, by the status they led to; *lost* came after their lease was over."""

    def ledger_kept(self, *, retrying: int, unknown: int, expired: int) -> None:
        """Leases had run out, and windows had passed."""

    def ledger_looked_at(self, counts: Mapping[Status, int], backlog: Backlog) -> None:
        """The whole ledger stands so."""
