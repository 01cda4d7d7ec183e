"""What an operator looks at, read without a transaction, each in one round trip.

Every look costs what it shows, and not what the ledger holds.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

import attrs

from application.views import MessageView, UserView
from domain.brake import Braked
from domain.message import Status

COUNTED_MAX = 10_000
"""Beyond that it does not matter how many it is."""


@attrs.frozen
class NamedMessage:
    """A message, and whose it is; no name if the person has left."""

    message: MessageView
    name: str | None


@attrs.frozen
class Attention:
    """What needs somebody: how many by status, up to COUNTED_MAX each, and the latest few of each."""

    counts: Mapping[Status, int]
    latest: Sequence[NamedMessage]


@attrs.frozen(kw_only=True)
class DueGroup:
    """Open messages of one zone that are wanted within one minute, which begins *at*.

    *is_late* tells that they were due before now, *is_waiting* that nothing but the channel keeps them: the
    others are to be tried again later.
    """

    at: datetime
    timezone: str
    is_late: bool
    is_waiting: bool
    messages: int
    people: int
    oldest_due_at: datetime


@attrs.frozen
class PausedChannel:
    """A channel that takes nothing for so long, in real time; *braked*, until somebody has confirmed that."""

    name: str
    pause: timedelta
    braked: Braked | None = None


@attrs.frozen(kw_only=True)
class Lateness:
    """By how much the messages of a day left after they were due; what an operator marked as sent left elsewhere."""

    sent: int
    median: timedelta
    p99: timedelta
    worst: timedelta


class OperatorReader(Protocol):
    """The ledger and the people as an operator looks at them. Raises StoreUnavailable."""

    __slots__ = ()

    @abstractmethod
    async def attention(self, limit: int) -> Attention:
        """Return what needs somebody, with up to *limit* of each status, the one due last first."""

    @abstractmethod
    async def due(self, now: datetime, until: datetime) -> Sequence[DueGroup]:
        """Return what is open at *now*, in its window, and wanted before *until*, ordered by instant and zone."""

    @abstractmethod
    async def next_messages(self, now: datetime, until: datetime, limit: int) -> Sequence[NamedMessage]:
        """Return the first *limit* of these, in the order in which they are wanted."""

    @abstractmethod
    async def paused_channels(self) -> Sequence[PausedChannel]:
        """Return the channels that take nothing now, by name."""

    @abstractmethod
    async def lateness(self, days: Sequence[date]) -> Mapping[date, Lateness]:
        """Return how late the messages for occasions of these local dates were; days without any are absent.

        The median and the p99 are values that occurred: the first that half, and 99 of 100, do not exceed.
        """

    @abstractmethod
    async def has_people(self) -> bool:
        """Tell whether anybody is registered."""

    @abstractmethod
    async def find_people(self, words: Sequence[str], limit: int) -> Sequence[UserView]:
        """Return up to *limit* live people, ordered by their ids; which ones is not said where there are more.

        One word begins the first or the last name, or is the whole address or external id. Several are split
        in two somewhere, so that one part begins the first and the other the last name, whichever comes
        first. Names and addresses match in whatever case they are written. No words find nobody.
        """
