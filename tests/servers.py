"""A PostgreSQL for the whole test run, and a fresh database for each test that asks for one."""

import asyncio
import itertools
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres
from adapters.postgres.database import migrate, open_engine

_TEMPLATE = "migrated"
_numbers = itertools.count(1)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL of our own, on an event loop of its own, since every test has another."""
    with tempfile.TemporaryDirectory(prefix="birthdays-tests-") as folder:
        started: Future[str] = Future()
        ended = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(_run(Path(folder), started, ended)))
        thread.start()
        try:
            url = started.result()
            asyncio.run(_make_template(url))
            yield url
        finally:
            ended.set()
            thread.join()


async def _run(folder: Path, started: "Future[str]", ended: threading.Event) -> None:
    try:
        with DataFolder(folder / "data") as data:
            # Speed, not durability: what these tests ask of a crash, others ask of a durable server.
            async with embedded_postgres(data, settings={"fsync": "off", "max_connections": "200"}) as url:
                started.set_result(url)
                await asyncio.to_thread(ended.wait)
    except BaseException as error:
        if not started.done():
            started.set_exception(error)
        raise


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    finally:
        await connection.close()
    engine = open_engine(with_database(url, _TEMPLATE))
    await migrate(engine)
    await engine.dispose()


def with_database(url: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@asynccontextmanager
async def fresh_database(url: str) -> AsyncIterator[str]:
    """Lend a migrated, empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            yield with_database(url, name)
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@asynccontextmanager
async def fresh_engine(url: str) -> AsyncIterator[AsyncEngine]:
    """Lend an engine on a fresh database, and check that every connection was given back."""
    async with fresh_database(url) as database:
        engine = open_engine(database)
        try:
            yield engine
            assert "Current Checked out connections: 0" in engine.pool.status()
        finally:
            await engine.dispose()
