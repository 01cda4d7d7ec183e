"""The core with one rule left out each: what finds no violation in these proves nothing of the others."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

from adapters.memory.invalidations import MemoryBatch
from application.cache_ports import Entry, Lease, Look, Place, Swept
from application.cached_values import CachedValues, Read
from application.observing import Bypass
from application.sweeping import SweepInvalidations
from application.trust import Trust
from tests.cache.intercepting import InterceptedBatch, InterceptedCache

T = TypeVar("T")


@attrs.define(eq=False)
class FillingAnyhow(InterceptedCache):
    """Stores what was read, whether or not the lease still stands."""

    async def fill(self, place: Place, key: str, token: str, entry: Entry, *, ttl_s: float) -> bool:
        async def store() -> bool:
            await self.port.invalidate([(place, key)])
            await self.port.take_lease(place, key, token, lease_s=5)
            return await self.port.fill(place, key, token, entry, ttl_s=ttl_s)

        return await self.around("fill", store)


@attrs.define(eq=False)
class KeepingLeases(InterceptedCache):
    """Deletes values and leaves leases where they are."""

    async def invalidate(self, keys: Sequence[tuple[Place, str]]) -> None:
        async def delete() -> None:
            await self.port.invalidate([placed for placed in keys if not await self._is_leased(*placed)])

        await self.around("invalidate", delete)

    async def sweep(self, place: Place, **batch: Any) -> Swept:
        async def delete() -> Swept:
            values = [one for one in batch["keys"] if not await self._is_leased(place, one[0])]
            return await self.port.sweep(place, **{**batch, "keys": values})

        return await self.around("sweep", delete)

    async def _is_leased(self, place: Place, key: str) -> bool:
        return isinstance((await self.port.look(place, key)).held, Lease)


@attrs.define(eq=False)
class JudgingEarly(Trust):
    """Judges by the clock, and by what is overdue, before the cache is asked, and not when it has answered."""

    def objection_to(self, key: str, place: Place, look: Look) -> Bypass | None:
        acknowledged = None if self._poll is None else self._poll.acknowledged.get(place)
        if acknowledged is None or look.watermark is None or look.watermark < acknowledged:
            return Bypass.WATERMARK
        return None


@attrs.define(eq=False)
class WithoutWatermark(Trust):
    """Believes any cache that answers."""

    def objection_to(self, key: str, place: Place, look: Look) -> Bypass | None:
        return self.objection(key)


@attrs.define(eq=False)
class WithoutLease(Trust):
    """Believes what it heard of the store once, for ever."""

    def objection(self, key: str) -> Bypass | None:
        self._until = self._monotonic() + 1
        return super().objection(key)


@attrs.define(eq=False)
class BlindToOverdue(Trust):
    """Does not mind what has been pending for long."""

    def objection(self, key: str) -> Bypass | None:
        objection = super().objection(key)
        return None if objection is Bypass.OVERDUE else objection


@attrs.define(eq=False)
class JoiningLate(CachedValues[T]):
    """Lets who comes join a load until it has ended, also when it has begun before."""

    def _flight(self, *args: Any, **kwargs: Any) -> "asyncio.Task[Read[T | None] | None]":
        flight = super()._flight(*args, **kwargs)
        flight.add_done_callback(self._forget)
        return flight

    def _land(self, key: str) -> None:
        """Stay in the air."""

    def _forget(self, done: "asyncio.Task[Any]") -> None:
        for key in [key for key, flight in self._flights.items() if flight is done]:
            del self._flights[key]


@attrs.frozen
class MarkingRowsFirst(SweepInvalidations):
    """Marks rows as delivered before the cache has carried them out; raising the number early does no harm."""

    async def __call__(self, shard: int) -> int:
        async with self.invalidations.next_batch(shard, 500, even_if_empty=self.trust.is_quiet) as batch:
            if batch is None:
                return 0
            assert isinstance(batch, InterceptedBatch)
            assert isinstance(batch._batch, MemoryBatch)
            for row in batch._batch._rows:
                row.batch = batch.number
            await self.cache.sweep(batch.place, base=batch.base, batch=batch.number, keys=batch.keys)
            await batch.acknowledge()
        return len(batch.keys)
