"""Ports that let a test stand beside every call of another one: to stop it, fail it, or die at it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import attrs

from application.cache_ports import (
    Batch,
    CacheFigures,
    CachePort,
    Entry,
    InvalidationLog,
    Look,
    Place,
    Poll,
    Swept,
)
from application.ports import UserReader
from application.views import Page, UserView
from domain.user import UserId

T = TypeVar("T")


class Around(Protocol):
    """Is asked at every call; what it returns or raises is what the caller gets."""

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T: ...


async def pass_on(name: str, call: Callable[[], Awaitable[T]]) -> T:
    """Stand aside."""
    return await call()


class Intercepted:
    """Any port, with somebody around its calls."""

    def __init__(self, port: Any, around: Around) -> None:
        self._port, self._around = port, around

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            return await self._around(name, lambda: getattr(self._port, name)(*arguments, **named))

        return call


@attrs.define(eq=False)
class InterceptedCache(CachePort):
    """Another cache, with somebody around each of its calls."""

    port: CachePort
    around: Around

    async def get(self, key: str) -> bytes | None:
        return await self.around("get", lambda: self.port.get(key))

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return await self.around("get_many", lambda: self.port.get_many(keys))

    async def set(self, key: str, value: bytes, **how: Any) -> bool:
        return await self.around("set", lambda: self.port.set(key, value, **how))

    async def set_many(self, entries: Sequence[tuple[str, bytes, float | None]]) -> None:
        await self.around("set_many", lambda: self.port.set_many(entries))

    async def delete(self, *keys: str) -> int:
        return await self.around("delete", lambda: self.port.delete(*keys))

    async def delete_prefix(self, prefix: str, *, limit: int) -> int:
        return await self.around("delete_prefix", lambda: self.port.delete_prefix(prefix, limit=limit))

    async def is_healthy(self) -> bool:
        return await self.port.is_healthy()

    async def figures(self) -> CacheFigures:
        return await self.port.figures()

    async def look(self, place: Place, key: str) -> Look:
        return await self.around("look", lambda: self.port.look(place, key))

    async def follow(self, place: Place, key: str, prefix: str) -> tuple[Look, Look | None]:
        return await self.around("follow", lambda: self.port.follow(place, key, prefix))

    async def take_lease(self, place: Place, key: str, token: str, **how: Any) -> bool:
        return await self.around("take_lease", lambda: self.port.take_lease(place, key, token, **how))

    async def fill(self, place: Place, key: str, token: str, entry: Entry, *, ttl_s: float) -> bool:
        return await self.around("fill", lambda: self.port.fill(place, key, token, entry, ttl_s=ttl_s))

    async def invalidate(self, keys: Sequence[tuple[Place, str]]) -> None:
        await self.around("invalidate", lambda: self.port.invalidate(keys))

    async def sweep(self, place: Place, **batch: Any) -> Swept:
        return await self.around("sweep", lambda: self.port.sweep(place, **batch))

    async def begin(self, place: Place, watermark: int) -> None:
        await self.around("begin", lambda: self.port.begin(place, watermark))


@attrs.define(eq=False)
class InterceptedReader(UserReader):
    """Another reader of people, with somebody around its loads."""

    port: UserReader
    around: Around

    async def get(self, user_id: UserId) -> UserView | None:
        return await self.around("load", lambda: self.port.get(user_id))

    async def find_by_email(self, email: str) -> UserView | None:
        return await self.around("load", lambda: self.port.find_by_email(email))

    async def page(self, after: UserId | None, limit: int) -> Page[UserView]:
        return await self.port.page(after, limit)

    async def fingerprint(self) -> str:
        return await self.port.fingerprint()


@attrs.define(eq=False)
class InterceptedLog(InvalidationLog):
    """Another outbox, with somebody around each step of a batch: taken, settled, kept."""

    port: InvalidationLog
    around: Around

    async def poll(self, *, overdue_s: float) -> Poll:
        return await self.around("poll", lambda: self.port.poll(overdue_s=overdue_s))

    def next_batch(
        self, shard: int, limit: int, *, even_if_empty: bool = False
    ) -> AbstractAsyncContextManager[Batch | None]:
        return self._next_batch(self.port.next_batch(shard, limit, even_if_empty=even_if_empty))

    async def purge(self, *, delivered_before_s: float, limit: int) -> int:
        return await self.around(
            "purge", lambda: self.port.purge(delivered_before_s=delivered_before_s, limit=limit)
        )

    @asynccontextmanager
    async def _next_batch(
        self, context: AbstractAsyncContextManager[Batch | None]
    ) -> AsyncIterator[Batch | None]:
        batch = await self.around("take", context.__aenter__)
        try:
            yield None if batch is None else InterceptedBatch(batch, self.around)
            if batch is not None:
                await self.around("keep", _nothing)
        except BaseException as error:
            if not await context.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await context.__aexit__(None, None, None)


async def _nothing() -> None:
    """Stand where only the moment counts."""


class InterceptedBatch(Batch):
    """A batch of an intercepted outbox."""

    def __init__(self, batch: Batch, around: Around) -> None:
        self._batch, self._around = batch, around
        self.place, self.base, self.number = batch.place, batch.base, batch.number
        self.keys, self.waited_s = batch.keys, batch.waited_s

    async def acknowledge(self) -> None:
        await self._around("acknowledge", self._batch.acknowledge)

    async def deliver_again_after(self, watermark: int | None) -> Place | None:
        return await self._around("deliver_again", lambda: self._batch.deliver_again_after(watermark))
