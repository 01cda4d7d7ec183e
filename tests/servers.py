"""PostgreSQL and Valkey for the whole test run, and a fresh database or namespace for each test that asks."""

import asyncio
import itertools
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from adapters.postgres.database import migrate, open_engine

_TEMPLATE = "migrated"
_ROOM = 2 * 1024**3
"""In bytes: some times what the servers of two workers come to use."""
_numbers = itertools.count(1)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL of our own."""
    # Speed, not durability: what these tests ask of a crash, others ask of a durable server.
    settings = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB", "max_connections": "200"}
    with _running(lambda data: embedded_postgres(data, settings=settings)) as url:
        asyncio.run(_make_template(url))
        yield url


@contextmanager
def running_valkey(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a Valkey of our own, that saves nothing; *settings* are those of valkey.conf."""
    chosen = {"save": "", **(settings or {})}
    with _running(lambda data: embedded_valkey(data, settings=chosen)) as url:
        yield url


@contextmanager
def _running(open_server: Callable[[DataFolder], AbstractAsyncContextManager[str]]) -> Iterator[str]:
    """Run a server on an event loop of its own, since every test has another."""
    with tempfile.TemporaryDirectory(prefix="birthdays-tests-", dir=_quick_folder()) as folder:
        started: Future[str] = Future()
        ended = threading.Event()

        async def run() -> None:
            try:
                with DataFolder(Path(folder) / "data") as data:
                    async with open_server(data) as url:
                        started.set_result(url)
                        await asyncio.to_thread(ended.wait)
            except BaseException as error:
                if not started.done():
                    started.set_exception(error)
                raise

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        try:
            yield started.result()
        finally:
            ended.set()
            thread.join()


def _quick_folder() -> str | None:
    """Return where files are kept in memory, if there is room: a new database has hundreds of them."""
    memory = Path("/dev/shm")  # noqa: S108  # the folder in it has a name that nobody can guess
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    return str(memory) if has_room and os.access(memory, os.W_OK) else None


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    finally:
        await connection.close()
    engine = open_engine(with_database(url, _TEMPLATE))
    await migrate(engine)
    await engine.dispose()


@contextmanager
def running_valkey_with_port(settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """Run a Valkey that listens on a port of this machine, too; lend its address and the port."""
    port = free_port_of_node()
    with running_valkey({"port": str(port), "bind": "127.0.0.1", **(settings or {})}) as url:
        yield url, port


def free_port_of_node() -> int:
    """Return a port on which nobody listens, nor on the one 10,000 above it: nodes of a Cluster need both."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 10_000))
                return port


def fresh_namespace() -> str:
    """Return a namespace of the cache that no test has used."""
    return f"test-{os.getpid()}-{next(_numbers)}"


def with_database(url: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@asynccontextmanager
async def fresh_database(url: str, template: str = _TEMPLATE) -> AsyncIterator[str]:
    """Lend a migrated, empty database, or one like *template*."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    connection = await asyncpg.connect(url)
    try:
        # A quarter quicker here than by the log, since nobody waits for a disk.
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield with_database(url, name)
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


def empty_database(url: str) -> AbstractAsyncContextManager[str]:
    """Lend a database with nothing in it, not even a schema of ours."""
    return fresh_database(url, "template0")


@contextmanager
def filled_database(url: str, fill: Callable[[AsyncEngine], Awaitable[None]]) -> Iterator[str]:
    """Lend the name of a database that *fill* has filled: for tests that only look, or that begin with copies."""
    with asyncio.Runner() as runner:
        fresh = fresh_database(url)
        database = runner.run(fresh.__aenter__())
        try:
            runner.run(_filled(database, fill))
            yield urlsplit(database).path.removeprefix("/")
        finally:
            runner.run(fresh.__aexit__(None, None, None))


async def _filled(database: str, fill: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    engine = open_engine(database)
    try:
        await fill(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def fresh_engine(url: str, template: str = _TEMPLATE) -> AsyncIterator[AsyncEngine]:
    """Lend an engine on a fresh database, and check that every connection was given back."""
    async with fresh_database(url, template) as database:
        engine = open_engine(database)
        try:
            yield engine
            assert "Current Checked out connections: 0" in engine.pool.status()
        finally:
            await engine.dispose()
