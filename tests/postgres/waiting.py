"""Until somebody waits for a lock."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected

WAITING = """
    FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""


async def until_waiting(engine: AsyncEngine, number: int = 1) -> None:
    async with connected(engine) as connection:
        await until(number, lambda: connection.scalar(text(f"SELECT count(*) {WAITING}")))


async def until(number: int, count: Callable[[], Awaitable[int]]) -> None:
    for _ in range(1000):
        if await count() == number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await count())
