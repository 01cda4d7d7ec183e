"""A process that writes or sweeps once, and kills itself at a call of its ports: python -m tests.cache.dying."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import attrs

from adapters.postgres.database import open_engine
from adapters.postgres.invalidations import PostgresInvalidationLog
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.redis.cache import open_redis_cache
from application.cache_ports import CachePort
from application.observing import CacheObserver
from application.ports import EventHandler
from application.sweeping import InvalidateAtOnce, SweepInvalidations
from application.trust import Trust
from application.users import ChangeUser
from domain.due import SendPolicy
from domain.events import Event
from domain.user import UserId
from tests.cache.intercepting import InterceptedCache, InterceptedLog

T = TypeVar("T")


@attrs.define
class Death:
    """Comes at one of the moments before and after the calls of ports, which are counted from 0."""

    moment: int

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self._pass()
        answer = await call()
        self._pass()
        return answer

    def _pass(self) -> None:
        if self.moment == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.moment -= 1


@attrs.frozen
class DyingHandler:
    """Hears of a commit; death may come before, meanwhile and after."""

    handler: EventHandler
    death: Death

    async def __call__(self, events: Sequence[Event]) -> None:
        await self.death("tell", lambda: self.handler(events))


async def write(database_url: str, cache: CachePort, death: Death, user_id: UserId) -> None:
    engine = open_engine(database_url)
    trust = Trust(PostgresInvalidationLog(engine), lambda: 0.0, CacheObserver())
    await trust.renew()
    told = DyingHandler(InvalidateAtOnce(InterceptedCache(cache, death), trust), death)
    change = ChangeUser(lambda: PostgresUnitOfWork(engine, told), SendPolicy())
    await death("change", lambda: change(user_id, {"first_name": "Changed"}))
    await engine.dispose()


async def sweep(database_url: str, cache: CachePort, death: Death) -> None:
    engine = open_engine(database_url)
    log = PostgresInvalidationLog(engine)
    trust = Trust(log, lambda: 1000.0, CacheObserver())
    await trust.renew()
    await SweepInvalidations(
        InterceptedLog(log, death), InterceptedCache(cache, death), trust, CacheObserver()
    )(0)
    await engine.dispose()


async def main(what: str, moment: str, *where: str) -> None:
    database_url, redis_url, namespace, user = where
    cache = open_redis_cache(redis_url, namespace, observer=CacheObserver(), patience=20)
    death = Death(int(moment))
    if what == "write":
        await write(database_url, cache, death, UserId(UUID(user)))
    else:
        await sweep(database_url, cache, death)
    await cache.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
