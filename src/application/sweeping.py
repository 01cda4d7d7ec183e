"""Invalidations reach the cache: at once after the commit, and for certain by a sweep of the outbox."""

import asyncio
import contextlib
from collections.abc import Sequence

import attrs
import structlog

from application.cache_ports import SHARDS, CachePort, InvalidationLog
from application.invalidation import keys_of
from application.observing import CacheObserver
from application.own_time import OwnTimeout
from application.trust import Trust
from domain.events import Event

log = structlog.get_logger()

AT_ONCE_WITHIN_S = 0.05
"""How long at most a write waits for the cache after its commit; not counted is what holds up this process itself."""
SWEEP_EVERY_S = 0.15
BATCH = 500
KEEP_DELIVERED_S = 600.0
"""For how long delivered keys are kept, to be told again to a cache that was put back to an older state."""
KEEP_PENDING_S = 3600.0
"""For how long keys wait for a cache that is away; a value of such an age has expired anyhow."""
_PURGE = 10_000


@attrs.define(eq=False)
class InvalidateAtOnce:
    """Deletes the keys of a commit's events, so that who wrote reads it back; an event handler.

    It never raises and never waits long: what it cannot delete, a sweep will, and soon: *overdue* is set.
    """

    _cache: CachePort
    _trust: Trust
    overdue: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def __call__(self, events: Sequence[Event]) -> None:
        keys = sorted({key for event in events for key in keys_of(event)})
        placed = [(place, key) for key in keys for place in self._trust.places_in_use(key)]
        if not keys:
            return
        if not placed:  # this process does not know where others have them: it has yet to ask the store
            self.overdue.set()
            return
        deletion = asyncio.ensure_future(self._cache.invalidate(placed))
        with contextlib.suppress(TimeoutError):
            async with OwnTimeout(AT_ONCE_WITHIN_S):
                await asyncio.wait([deletion])
        if not deletion.done():
            deletion.cancel()
            self.overdue.set()
        elif deletion.exception() is not None:
            self.overdue.set()


@attrs.frozen
class SweepInvalidations:
    """One batch of a shard's pending invalidations is carried out; returns how many keys it had.

    The store is told only after the cache has answered. A cache that has lost history is told again what
    came after the point that it remembers, or left behind with a new epoch.
    """

    invalidations: InvalidationLog
    cache: CachePort
    trust: Trust
    observer: CacheObserver

    async def __call__(self, shard: int) -> int:
        """Raises CacheUnavailable, StoreUnavailable; then nothing is marked as delivered."""
        async with self.invalidations.next_batch(shard, BATCH, even_if_empty=self.trust.is_quiet) as batch:
            if batch is None:
                return 0
            swept = await self.cache.sweep(batch.place, base=batch.base, batch=batch.number, keys=batch.keys)
            if not swept.is_gap:
                await batch.acknowledge()
                self.observer.batch_swept(len(batch.keys), batch.waited_s)
                return len(batch.keys)
            begun = await batch.deliver_again_after(swept.watermark)
            # Before anybody can hear of the epoch, and never again: were it begun anew after the cache has
            # forgotten it, what was stored before would pass for new.
            if begun is not None:
                await self.cache.begin(begun, batch.number)
        if swept.watermark is None:
            log.info("cache_found_empty", shard=shard)
        else:
            log.warning("watermark_gap_found", shard=shard, is_new_epoch=begun is not None)
        self.observer.gap_found(is_new_epoch=begun is not None)
        await self.trust.renew()
        return len(batch.keys)


@attrs.frozen
class TidyOutbox:
    """Keeps the outbox small: forgets what was delivered long ago, and gives up what nobody has come to deliver.

    Giving up leaves the epoch behind, so that a cache that is there again after such a time starts empty.
    """

    invalidations: InvalidationLog

    async def __call__(self) -> None:
        """Raises StoreUnavailable."""
        for shard in range(SHARDS):
            poll = await self.invalidations.poll(overdue_s=KEEP_PENDING_S)
            if poll.oldest_pending_s > KEEP_PENDING_S:
                async with self.invalidations.next_batch(shard, BATCH) as batch:
                    if batch is not None:
                        await batch.deliver_again_after(None)
                        log.warning("pending_invalidations_given_up", pending=poll.pending)
        while await self.invalidations.purge(delivered_before_s=KEEP_DELIVERED_S, limit=_PURGE) == _PURGE:
            pass
