"""A process that changes a person, or sweeps, and kills itself at one of the calls; started by test_dying.

For each line on its standard input a fork of it does the work; the answer tells where that one died.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar
from uuid import UUID

import attrs

from adapters.postgres.database import open_engine
from adapters.postgres.invalidations import PostgresInvalidationLog
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from adapters.redis.cache import open_redis_cache
from application.ports import EventHandler
from application.trust import QUIET_AFTER_S
from domain.user import UserId
from tests.cache.intercepting import Around, Intercepted, InterceptedCache, InterceptedLog
from tests.cache.world import PATIENCE, ServersWorld, Told, raw_client

T = TypeVar("T")


@attrs.define(eq=False)
class Dying(Around):
    """Kills this process at the so many-th call, before it is made or when it was answered."""

    number: int
    after: bool
    tell: int
    calls: int = -1
    is_armed: bool = False

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if not self.is_armed:
            return await call()
        self.calls += 1
        is_last = self.calls == self.number
        if is_last and not self.after:
            self._die(f"before {name}")
        answer = await call()
        if is_last:
            self._die(f"after {name}")
        return answer

    def _die(self, where: str) -> None:
        os.write(self.tell, where.encode())
        os.kill(os.getpid(), signal.SIGKILL)


class DyingUnitOfWork(PostgresUnitOfWork):
    """A transaction in which one may die at each call, and between the commit and what follows."""

    __slots__ = ("_around",)

    def __init__(self, engine: Any, handler: EventHandler, around: Around) -> None:
        super().__init__(engine, lambda events: around("tell", lambda: handler(events)))
        self._around = around

    async def __aenter__(self) -> Self:
        await self._around("begin work", super().__aenter__)
        self.users = Intercepted(self.users, self._around)
        self.messages = Intercepted(self.messages, self._around)
        return self

    async def commit(self) -> None:
        await self._around("commit", super().commit)


async def act(database_url: str, redis_url: str, namespace: str, task: dict[str, Any], tell: int) -> None:
    """Do one task, or die in it."""
    engine = open_engine(database_url)
    around = Dying(task["number"], task["after"], tell)
    cache = open_redis_cache(redis_url, namespace, observer=Told(), patience=PATIENCE)
    async with raw_client(redis_url) as raw:
        world = ServersWorld(
            cache=cache,
            log=PostgresInvalidationLog(engine),
            user_reader=PostgresUserReader(engine),
            engine=engine,
            raw=raw,
        )
        process = await world.started(
            cache=InterceptedCache(cache, around),
            log=InterceptedLog(world.log, around),
            begin=lambda handler: DyingUnitOfWork(engine, handler, around),
        )
        process.trust._batch_seen_at -= QUIET_AFTER_S
        around.is_armed = True
        if task["work"] == "sweep":
            await process.sweep(0)
        else:
            await process.change(UserId(UUID(task["user"])), task["values"])
    await cache.aclose()
    await engine.dispose()


def main(database_url: str, redis_url: str, namespace: str) -> None:
    for line in sys.stdin:
        reading, telling = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where it would log
            try:
                asyncio.run(act(database_url, redis_url, namespace, json.loads(line), telling))
                status = 0
            finally:
                os._exit(status)
        os.close(telling)
        where = os.read(reading, 100).decode()
        os.close(reading)
        _, status = os.waitpid(child, 0)
        answer = {"where": where, "signal": status & 0x7F, "status": status >> 8}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
