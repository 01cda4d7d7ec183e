"""Whether this process may believe the cache: its lease from the store, and how answers are judged by it."""

from collections.abc import Callable, Mapping, Sequence

import attrs
import structlog

from application.cache_ports import InvalidationLog, Look, Place, Poll, shard_of
from application.errors import StoreUnavailable
from application.observing import Bypass, CacheObserver

log = structlog.get_logger()

OVERDUE_S = 2.0
"""B: an invalidation that has been pending for longer makes its key be read from the store."""
TRUSTED_FOR_S = 1.0
"""T: for how long after the store was asked hits may be served."""
POLL_EVERY_S = 0.5
QUIET_AFTER_S = 1.0
"""After how long without a batch one is due, be it empty: a cache that has lost its watermark is found out so."""

_EPOCHS_IN_USE = range(-1, 3)
"""Seen from the epoch last heard of. For up to T another process may use the one before or, since a bulk
statement and the sweep after it begin an epoch each, one of the next two."""


@attrs.define(eq=False)
class Trust:
    """The reader's lease: what the store said of invalidations, and until when that may be relied on.

    Only durations of this process's monotonic clock are compared. What is served misses no commit that is
    older than OVERDUE_S + TRUSTED_FOR_S + one read of the cache (docs/cache-protocol.md).
    """

    _log: InvalidationLog
    _monotonic: Callable[[], float]
    _observer: CacheObserver
    _poll: Poll | None = attrs.field(default=None, init=False)
    _places: Mapping[int, Place] = attrs.field(factory=dict, init=False)
    _until: float = attrs.field(default=0.0, init=False)
    _batch_seen_at: float = attrs.field(default=0.0, init=False)
    _is_cut_off: bool = attrs.field(default=False, init=False)

    async def renew(self) -> None:
        """Ask the store anew. Raises StoreUnavailable; the lease then runs out by itself."""
        asked_at = self._monotonic()  # before asking: the answer may be as old as the question
        poll = await self._log.poll(overdue_s=OVERDUE_S)
        if asked_at + TRUSTED_FOR_S < self._until:
            return  # a later question was answered earlier
        if self._poll is None or poll.acknowledged != self._poll.acknowledged:
            self._batch_seen_at = asked_at
        self._poll = poll
        self._places = {place.shard: place for place in poll.acknowledged}
        self._until = asked_at + TRUSTED_FOR_S
        self._observer.polled(poll)

    async def try_to_renew(self) -> None:
        """Ask the store anew, if it can be reached; the log hears of it when that changes."""
        try:
            await self.renew()
        except StoreUnavailable:
            if not self._is_cut_off:
                log.warning("trust_not_renewed")
            self._is_cut_off = True
        else:
            if self._is_cut_off:
                log.info("trust_renewed")
            self._is_cut_off = False

    @property
    def is_quiet(self) -> bool:
        """Whether no process seems to have carried out a batch for QUIET_AFTER_S."""
        return self._monotonic() - self._batch_seen_at >= QUIET_AFTER_S

    def place_of(self, key: str) -> Place | None:
        """Return where *key* lives in the epoch last heard of; None before the store was ever asked."""
        return self._places.get(shard_of(key))

    def places_in_use(self, key: str) -> Sequence[Place]:
        """Return wherever some process may find *key* now."""
        place = self.place_of(key)
        if place is None:
            return ()
        return [Place(place.shard, place.epoch + offset) for offset in _EPOCHS_IN_USE]

    def objection(self, key: str) -> Bypass | None:
        """Return why *key* must not be served from the cache now; None if it may."""
        if self._poll is None or self._monotonic() >= self._until:
            return Bypass.NO_LEASE
        return Bypass.OVERDUE if key in self._poll.overdue else None

    def objection_to(self, key: str, place: Place, look: Look) -> Bypass | None:
        """Return why this answer of the server must not be served; to be asked after it has arrived."""
        objection = self.objection(key)
        if objection is not None or self._poll is None:
            return objection
        acknowledged = self._poll.acknowledged.get(place)
        if acknowledged is None or look.watermark is None or look.watermark < acknowledged:
            return Bypass.WATERMARK
        return None
