"""The real servers and the real service, as processes, for measurements."""

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import attrs

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from benchmarks.http_client import Connection

COMMAND = Path(sys.executable).with_name("birthdays")
_START_WITHIN_S = 30.0


@attrs.frozen
class Servers:
    """A durable PostgreSQL that counts statements, and a Valkey."""

    database_url: str
    redis_url: str
    folder: Path


@asynccontextmanager
async def running_servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthdays-bench-")))
        data = stack.enter_context(DataFolder(folder / "data"))
        settings = {
            "shared_preload_libraries": "pg_stat_statements",
            "max_connections": "200",
            "shared_buffers": "512MB",
        }
        database_url = await stack.enter_async_context(embedded_postgres(data, settings=settings))
        yield Servers(database_url, await stack.enter_async_context(embedded_valkey(data)), folder)


@asynccontextmanager
async def running_service(servers: Servers, *, cached: bool) -> AsyncIterator[int]:
    """Lend the port of a service on these servers."""
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REDIS_")},
        "DATABASE_URL": servers.database_url,
        "BIRTHDAYS_DATA_DIR": str(servers.folder / f"service-{port}"),
        "BIRTHDAYS_PORT": str(port),
        "BIRTHDAYS_BRAKE": "off",  # a crowd is what is measured
        "BIRTHDAYS_AUTH": "off",  # what is compared is the cache
        **({"REDIS_URL": servers.redis_url} if cached else {}),
    }
    log = servers.folder / f"service-{port}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            COMMAND, "serve", env=environment, stdout=output, stderr=output
        )
    try:
        await _wait_until_ready(process, port, log)
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _wait_until_ready(process: Process, port: int, log: Path) -> None:
    async with asyncio.timeout(_START_WITHIN_S):
        while process.returncode is None:
            with suppress(OSError):
                connection = await Connection.open("127.0.0.1", port)
                ready = (await connection.request("GET", "/health/ready")).status == HTTPStatus.OK
                connection.close()
                if ready:
                    return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"The service has ended; its log is {log}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
