"""A line to the server: every call on it ends in time, and is told to its breaker and to the observer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import TypeVar

import attrs

from adapters.redis.breaker import Breaker
from adapters.redis.client import Client
from application.cache_ports import CacheUnavailable
from application.observing import CacheObserver
from application.own_time import OwnTimeout
from application.transaction_guard import refuse_in_transaction

T = TypeVar("T")

CONNECTIONS_MAX = 16
_LEFT_AT_LEAST = 0.2


@attrs.define(eq=False)
class Line:
    """A client with a bound on the calls that are under way, and a breaker.

    *timeout_s* is for all of a call: waiting for a connection, connecting, asking and being answered. A stall
    of this process does not count, or it would open the breaker of a server that is well. While the breaker is
    open every call is refused at once; *probe* is asked now and then beside them.
    """

    _client: Client
    _breaker: Breaker
    _observer: CacheObserver
    _monotonic: Callable[[], float]
    timeout_s: float
    _probe: Callable[[Client], Awaitable[object]]
    _probing: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _free: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(CONNECTIONS_MAX), init=False)

    def refuse_if_open(self, operation: str) -> None:
        """Raise CacheUnavailable if a call would now be spared by the breaker; CacheInTransaction in one."""
        refuse_in_transaction()
        if self._breaker.refuses:
            self._probe_if_wanted()
            self._observer.operation_ended(operation, "unavailable", 0.0)
            raise CacheUnavailable("breaker open")

    async def call(
        self, operation: str, ask: Callable[[Client], Awaitable[T]], *, waited_s: float = 0.0
    ) -> T:
        """Return what *ask* gets from the server. Raises CacheUnavailable, whatever goes wrong.

        *waited_s* is how long the caller has waited already.
        """
        self.refuse_if_open(operation)
        return await self._carry_out(operation, ask, self._breaker.admit(), waited_s)

    async def _carry_out(
        self, operation: str, ask: Callable[[Client], Awaitable[T]], admission: int, waited_s: float
    ) -> T:
        started = self._monotonic()
        try:
            # Something is left also for who has waited long: it may have been for this process itself.
            async with (
                OwnTimeout(max(self.timeout_s - waited_s, self.timeout_s * _LEFT_AT_LEAST)),
                self._free,
            ):
                answer = await ask(self._client)
        except asyncio.CancelledError:
            self._breaker.abandoned(admission)
            raise
        except Exception as error:  # noqa: BLE001  # a strange server trips the client up in many ways
            why = type(error).__name__
            self._breaker.failed(admission, why)
            self._observer.operation_ended(operation, "unavailable", self._monotonic() - started)
            # Without the cause: a server's error may quote the command, and so a key.
            raise CacheUnavailable(why) from None
        self._breaker.succeeded(admission)
        self._observer.operation_ended(operation, "ok", self._monotonic() - started)
        return answer

    def _probe_if_wanted(self) -> None:
        if not self._breaker.wants_probe:
            return

        async def probe(admission: int) -> None:
            with suppress(CacheUnavailable):
                await self._carry_out("probe", self._probe, admission, 0.0)

        # In nobody's context: it belongs to no request, and to no unit of work.
        self._probing = asyncio.create_task(probe(self._breaker.admit_probe()), context=Context())

    async def aclose(self) -> None:
        """Close all connections when what is under way has ended, and let nothing begin any more."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        for _ in range(CONNECTIONS_MAX):
            await self._free.acquire()
        await self._client.aclose()
