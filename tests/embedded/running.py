"""What the tests of the embedded servers share: clients, and looking at processes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import redis.asyncio

from adapters.embedded import launcher, supervisor

QUICK = {"fsync": "off"}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    connection = redis.asyncio.from_url(url, decode_responses=True)
    try:
        yield connection
    finally:
        await connection.aclose()


def pid_in(file: Path) -> int:
    return int(file.read_text().split()[0])


def runs(pid: int) -> bool:
    return supervisor._command_line(pid) != ""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - files and processes send no events
            await asyncio.sleep(0.005)


def environment() -> dict[str, str]:
    """Return what a process of ours needs in order to find our packages."""
    return os.environ | {"PYTHONPATH": str(Path(launcher.__file__).parents[2])}
