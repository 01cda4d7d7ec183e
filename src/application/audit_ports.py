"""The audit trail, and what operators do to channels, specified method by method."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from application.views import Page
from domain.audit import Entry
from domain.user import UserId

KEPT_AT_LEAST = timedelta(days=30)
"""What is younger is refused to be removed, whoever asks."""


class AuditTrail(Protocol):
    """Who did what, inside a unit of work. It is added to and, but for its retention, never changed.

    What is done to people's records is noted by the unit of work itself at its commit: whoever changes
    somebody cannot forget to.
    """

    __slots__ = ()

    @abstractmethod
    async def note(self, entries: Sequence[Entry]) -> None:
        """Keep *entries* in this order."""

    @abstractmethod
    async def forget_before(self, instant: datetime) -> int:
        """Forget what was done before *instant*, and longer ago than KEPT_AT_LEAST; return how much."""


class AuditReader(Protocol):
    """The trail as it is shown, read without a transaction. Raises StoreUnavailable."""

    __slots__ = ()

    @abstractmethod
    async def page(self, after: int | None, limit: int, user_id: UserId | None = None) -> Page[Entry]:
        """Return entries, the last noted first, those before the number *after*; of one person where given."""

    @abstractmethod
    async def decided(self, limit: int, user_id: UserId | None = None) -> Sequence[Entry]:
        """Return what was done to messages and channels, the last first; to messages of one person where given."""


class Channels(Protocol):
    """What operators do to channels, inside a unit of work."""

    __slots__ = ()

    @abstractmethod
    async def let_go_on(self, channel: str) -> bool:
        """End the pause of *channel* for all processes; tell whether there was one.

        Where the brake had stopped it, what was due then is confirmed.
        """
