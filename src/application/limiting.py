"""How often somebody may ask: per minute, per key and kind of request, over all processes.

A process takes permits from the shared count a hundredth of the limit at a time, and answers from that
stock. So a busy process asks the store seldom, and all together never let more pass than the limit; what
idle processes have in stock when the minute ends is lost, which errs on the strict side by a few hundredths.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum

import attrs

from application.access_ports import PermitStore
from application.cache_ports import CacheUnavailable

WINDOW_S = 60
_STOCKS_MAX = 10_000


class RequestClass(StrEnum):
    """Kinds of requests that are counted apart, since they cost differently."""

    READ = "read"
    WRITE = "write"
    IMPORT = "import"
    ADMIN = "admin"
    PUBLIC = "public"


LIMITS: dict[RequestClass, int] = {
    RequestClass.READ: 600_000,
    RequestClass.WRITE: 60_000,
    RequestClass.IMPORT: 60,
    RequestClass.ADMIN: 600,
    RequestClass.PUBLIC: 600,
}
"""Per key and minute, of the public per address: far above what one service can do, so that a limit is a choice of who runs it."""


@attrs.frozen
class Permit:
    """Whether a request may pass; *remaining* and *reset_s* are those of its minute."""

    kind: RequestClass
    limit: int
    remaining: int
    reset_s: int
    is_granted: bool


@attrs.define(eq=False)
class _Stock:
    window: int = -1
    left: int = 0
    unseen: int = 0
    """How many the others had left when the store was last asked."""
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)


@attrs.define(eq=False)
class Limiter:
    """Grants permits. Where the shared store is away, each process counts for itself.

    *seconds* is real time, of which all processes have the same.
    """

    store: PermitStore
    limits: Mapping[RequestClass, int]
    seconds: Callable[[], float]
    _stocks: dict[tuple[str, RequestClass], _Stock] = attrs.field(factory=dict, init=False)

    async def ask(self, caller: str, kind: RequestClass) -> Permit:
        now_s = self.seconds()
        window, limit, name = int(now_s // WINDOW_S), self.limits[kind], f"{kind}:{caller}"
        stock = self._stock(caller, kind)
        if stock.window != window or stock.left == 0:
            async with stock.lock:
                if stock.window != window or (stock.left == 0 and stock.unseen > 0):
                    await self._fill(stock, name, window, limit)
        is_granted = stock.left > 0
        stock.left -= is_granted
        reset_s = WINDOW_S - int(now_s % WINDOW_S)
        return Permit(kind, limit, stock.left + stock.unseen, reset_s, is_granted)

    def from_stock(self, caller: str, kind: RequestClass) -> Permit | None:
        """Grant what this process has in stock, without waiting; None where it has to be asked for."""
        stock, now_s = self._stocks.get((caller, kind)), self.seconds()
        window, passed_s = divmod(int(now_s), WINDOW_S)
        if stock is None or stock.window != window or stock.left <= 0:
            return None
        stock.left -= 1
        return Permit(
            kind, self.limits[kind], stock.left + stock.unseen, WINDOW_S - passed_s, is_granted=True
        )

    async def _fill(self, stock: _Stock, name: str, window: int, limit: int) -> None:
        wanted = max(1, limit // 100)
        try:
            taken = await self.store.take(name, window, wanted)
        except CacheUnavailable:
            # What the others take meanwhile is not known; what they had left before is taken as ours.
            stock.left, stock.unseen = (stock.unseen if stock.window == window else limit), 0
        else:
            stock.left = max(0, min(wanted, limit - (taken - wanted)))
            stock.unseen = max(0, limit - taken)
        stock.window = window

    def _stock(self, caller: str, kind: RequestClass) -> _Stock:
        stock = self._stocks.get((caller, kind))
        if stock is None:
            while len(self._stocks) >= _STOCKS_MAX:
                self._stocks.pop(next(iter(self._stocks)))
            stock = self._stocks[caller, kind] = _Stock()
        return stock
