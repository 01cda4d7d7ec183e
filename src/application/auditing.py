"""An auditor: hits that were served are compared with the store afterwards, in production too."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import structlog

from application.cached_values import CachedValues, Load
from application.errors import StoreUnavailable
from application.observing import CacheObserver, Source

log = structlog.get_logger()

T = TypeVar("T")

HORIZONS_S = (1.0, 5.0, 60.0)
"""When a hit that differed from the store is looked at again. One that is there at 5 s broke the bound."""
_WAITING_MAX = 100


@attrs.define(eq=False)
class AuditHits:
    """Compares a sample of the hits, at most *rate* a second, with the store.

    A difference at once (horizon 0) may be a change of the last instant. So it is looked at again: a hit is
    stale at a horizon if the cache still serves the same value then, and the store still another one.
    """

    rate: float
    _monotonic: Callable[[], float]
    _observer: CacheObserver
    _audits: asyncio.Queue[Callable[[], Awaitable[None]]] = attrs.field(
        factory=lambda: asyncio.Queue(_WAITING_MAX), init=False
    )
    _next_at: float = attrs.field(default=0.0, init=False)
    _follow_ups: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    def of(self, values: CachedValues[T]) -> None:
        """Let the hits of *values* be sampled."""

        def sample(key: str, served: T, load: Load[T]) -> None:
            now = self._monotonic()
            if self.rate <= 0 or now < self._next_at or self._audits.full():
                return
            self._next_at = now + 1 / self.rate
            self._audits.put_nowait(lambda: self._audit(values, key, served, load))

        values.on_hit = sample

    async def run(self) -> None:
        """Audit what is sampled, for ever. A store that is away ends an audit without a result."""
        try:
            while True:
                audit = await self._audits.get()
                await _quietly(audit)
        finally:
            for task in self._follow_ups:
                task.cancel()

    async def _audit(self, values: CachedValues[T], key: str, served: T, load: Load[T]) -> None:
        is_stale = await load() != served
        self._observer.hit_audited(0.0, is_stale=is_stale)
        if is_stale and len(self._follow_ups) < _WAITING_MAX:
            task = asyncio.create_task(_quietly(lambda: self._follow_up(values, key, served, load)))
            self._follow_ups.add(task)
            task.add_done_callback(self._follow_ups.discard)

    async def _follow_up(self, values: CachedValues[T], key: str, served: T, load: Load[T]) -> None:
        waited_s = 0.0
        for horizon_s in HORIZONS_S:
            await asyncio.sleep(horizon_s - waited_s)
            waited_s = horizon_s
            try:
                again = await values.read(key, load)
                is_stale = again.source is Source.HIT and again.value == served and await load() != served
            except StoreUnavailable:
                continue
            self._observer.hit_audited(horizon_s, is_stale=is_stale)
            if is_stale:
                log.warning("stale_hit_found", horizon_s=horizon_s)
            else:
                return


async def _quietly(audit: Callable[[], Awaitable[None]]) -> None:
    """Audit; a result that cannot be had is none, and must not end what audits."""
    try:
        await audit()
    except StoreUnavailable:
        return
    except Exception:
        log.exception("audit_failed")
