"""Our service with a part of the cache's protocol taken out, to see that a run of faults misses it.

python -m tests.faults.without lease serve: as ``birthdays serve``, without leases.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.redis.cache import RedisCache
from application.cache_ports import Entry, Look, Place, Swept
from application.observing import Bypass
from application.trust import Trust
from entrypoints.cli.main import main


def lease() -> None:
    """Whoever has read a value stores it, whatever has been deleted since."""
    take_lease, fill = RedisCache.take_lease, RedisCache.fill

    async def grant(cache: RedisCache, place: Place, key: str, token: str, **_: Any) -> bool:
        return True

    async def store(cache: RedisCache, place: Place, key: str, token: str, entry: Entry, **rest: Any) -> bool:
        # Sent together: a deletion cannot come in between.
        lease = asyncio.create_task(take_lease(cache, place, key, token, lease_s=5, renewing=True))
        stored = asyncio.create_task(fill(cache, place, key, token, entry, **rest))
        await lease
        return await stored

    _replace(RedisCache, take_lease=grant, fill=store)


def outbox() -> None:
    """What a write could not delete at once is never deleted."""
    sweep = RedisCache.sweep

    async def carry_out_nothing(cache: RedisCache, place: Place, *, keys: object, **rest: int) -> Swept:
        return await sweep(cache, place, keys=(), **rest)

    _replace(RedisCache, sweep=carry_out_nothing)


def poll() -> None:
    """PostgreSQL is asked once, and believed for ever."""
    renew = Trust.try_to_renew

    async def renew_once(trust: Trust) -> None:
        if trust.place_of("") is None:
            await renew(trust)

    def objection(trust: Trust, key: str) -> Bypass | None:
        return Bypass.NO_LEASE if trust.place_of(key) is None else None

    _replace(Trust, try_to_renew=renew_once, objection=objection)


def watermark() -> None:
    """Whatever Valkey holds is believed, and no gap is ever found."""
    sweep = RedisCache.sweep

    def objection_to(trust: Trust, key: str, place: Place, look: Look) -> Bypass | None:
        return trust.objection(key)

    async def find_no_gap(
        cache: RedisCache, place: Place, *, base: int, batch: int, keys: Sequence[tuple[str, int]]
    ) -> Swept:
        await cache.begin(place, 0)
        swept = await sweep(cache, place, base=0, batch=batch, keys=keys)
        return Swept(is_gap=False, watermark=swept.watermark)

    _replace(Trust, objection_to=objection_to)
    _replace(RedisCache, sweep=find_no_gap)


PARTS: Mapping[str, Callable[[], None]] = {part.__name__: part for part in (lease, outbox, poll, watermark)}


def _replace(owner: type, **methods: Callable[..., Any]) -> None:
    for name, method in methods.items():
        setattr(owner, name, method)


if __name__ == "__main__":
    PARTS[sys.argv[1]]()
    main(sys.argv[2:])
