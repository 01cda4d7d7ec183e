"""What a test puts around the calls of a port: to stop one, or to let some fail."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs

from tests.cache.intercepting import Around

T = TypeVar("T")


@attrs.define(eq=False)
class Stop(Around):
    """Stops the first call of *name* before it, or after it, until the test goes on."""

    name: str
    after: bool = False
    arrived: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    go_on: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if name != self.name or self.arrived.is_set():
            return await call()
        if not self.after:
            await self._stop()
            return await call()
        answer = await call()
        await self._stop()
        return answer

    async def _stop(self) -> None:
        self.arrived.set()
        await self.go_on.wait()

    @asynccontextmanager
    async def stopped(self, work: Coroutine[Any, Any, T]) -> AsyncIterator["asyncio.Task[T]"]:
        """Let *work* run into the stop, lend it standing there, and let it go on."""
        task = asyncio.create_task(work)
        async with asyncio.timeout(20):
            await self.arrived.wait()
        try:
            yield task
        finally:
            self.go_on.set()

    def beside(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Start other work meanwhile."""
        return asyncio.create_task(work)

    async def turns(self, number: int) -> None:
        """Let whoever can go on do so for a while."""
        for _ in range(number):
            await asyncio.sleep(0.005)


@attrs.define(eq=False)
class Failing(Around):
    """Lets calls of *names* fail, instead of being carried out, or after it."""

    error: type[Exception]
    names: set[str] = attrs.field(factory=set)
    after: bool = False
    failed: int = 0

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if name not in self.names:
            return await call()
        self.failed += 1
        if self.after:
            await call()
        raise self.error


@attrs.define(eq=False)
class Counting(Around):
    """Counts calls."""

    calls: Counter[str] = attrs.field(factory=Counter)

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self.calls[name] += 1
        return await call()


@attrs.define(eq=False)
class Crowd(Around):
    """Tells how many calls were under way at once, at most."""

    under_way: int = 0
    most: int = 0

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.001)
            return await call()
        finally:
            self.under_way -= 1
