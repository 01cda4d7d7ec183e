"""What an operator wants to know of the cache, as it happens; the adapter makes metrics of it.

No key, id or address is ever told: whatever is told becomes the label of a metric.
"""

from abc import abstractmethod
from enum import StrEnum
from typing import Protocol

import attrs

from application.cache_ports import CacheFigures, Poll


class Source(StrEnum):
    """Where an answer came from."""

    HIT = "HIT"
    MISS = "MISS"
    BYPASS = "BYPASS"


class Bypass(StrEnum):
    """Why the cache was passed by."""

    NO_LEASE = "no_lease"  # the store has not been asked lately: it is away, or this process was paused
    OVERDUE = "overdue"  # an invalidation of the key has been pending for too long
    WATERMARK = "watermark"  # the server has not carried out, or has forgotten, what was acknowledged
    UNAVAILABLE = "unavailable"  # the server does not answer, or its breaker is open
    IN_FLIGHT = "in_flight"  # somebody else is reading it, and takes long
    REFERENCE = "reference"  # the address had led to somebody who has another one by now


class CacheObserver:
    """Hears what happens. Here every method does nothing; anywhere it returns at once and never raises."""

    __slots__ = ()

    def operation_ended(self, operation: str, result: str, seconds: float) -> None:
        """A round trip to the server, or one spared by the breaker; *result* is hit, miss, ok or unavailable."""

    def breaker_changed(self, side: str, state: str) -> None:
        """The breaker for reading or for sweeping is closed, open or half_open."""

    def value_read(self, source: Source, bypass: Bypass | None = None) -> None: ...

    def fill_ended(self, *, stored: bool) -> None:
        """A value was loaded under a lease; it was refused if the lease had been deleted meanwhile."""

    def entry_undecodable(self) -> None: ...

    def polled(self, poll: Poll) -> None: ...

    def batch_swept(self, keys: int, lag_s: float) -> None:
        """Invalidations were carried out; the oldest had been waiting for *lag_s*."""

    def gap_found(self, *, is_new_epoch: bool) -> None:
        """The server had lost history: it was told again, or what it holds was left behind."""

    def hit_audited(self, horizon_s: float, *, is_stale: bool) -> None:
        """A value that had been served was compared with the store *horizon_s* later."""


@attrs.frozen(kw_only=True)
class CacheHealth:
    """What this process knows of the cache since it started; a rate is None before there was anything to count.

    *broken* counts hits that were still there, and wrong, when the staleness bound had passed.
    """

    hits: int
    reads: int
    audited: int
    broken: int
    pending: int
    oldest_pending_s: float
    polled_ago_s: float | None
    is_breaker_open: bool

    @property
    def hit_rate(self) -> float | None:
        return self.hits / self.reads if self.reads else None


class Metrics(Protocol):
    """What the service tells of itself to whoever watches it."""

    __slots__ = ()

    @abstractmethod
    def request_served(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; *route* is a pattern of ours and never an address that was asked for."""

    @abstractmethod
    def cache_health(self) -> CacheHealth:
        """Return how the cache has done, as far as this process has told."""

    @abstractmethod
    def render(self, figures: CacheFigures | None) -> tuple[bytes, str]:
        """Return all metrics as text, and its media type; *figures* are what the cache just said of itself."""
