"""The real servers and the real service, as processes, for measurements."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import attrs

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from benchmarks.http_client import Connection

COMMAND = Path(sys.executable).with_name("birthdays")
PROJECT = Path(__file__).parents[1]
_START_WITHIN_S = 300.0
_STOP_WITHIN_S = 5.0


@attrs.frozen
class Servers:
    """A durable PostgreSQL that counts statements, and a Valkey."""

    database_url: str
    redis_url: str
    folder: Path

    def with_redis_database(self, number: int) -> "Servers":
        """Return the same servers, with another of Valkey's databases: keys of rivals may have the same names."""
        return attrs.evolve(self, redis_url=f"{self.redis_url.rpartition('/')[0]}/{number}")


@attrs.frozen
class Running:
    """A program that answers on a port."""

    port: int
    process: Process
    folder: Path

    @property
    def key(self) -> str | None:
        """Return the key that the service has left for its owner, if it is one that asks for keys."""
        held = self.folder / "local.key"
        return held.read_text().strip() if held.exists() else None

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def running_servers(**more: str) -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthdays-bench-")))
        data = stack.enter_context(DataFolder(folder / "data"))
        settings = {
            "shared_preload_libraries": "pg_stat_statements",
            "max_connections": "200",
            "shared_buffers": "512MB",
            **more,
        }
        database_url = await stack.enter_async_context(embedded_postgres(data, settings=settings))
        port = free_port()  # not every peer knows of sockets in the file system
        await stack.enter_async_context(
            embedded_valkey(data, settings={"port": str(port), "bind": "127.0.0.1", "save": ""})
        )
        yield Servers(database_url, f"redis://127.0.0.1:{port}/0", folder)


@asynccontextmanager
async def running_service(servers: Servers, *, cached: bool) -> AsyncIterator[int]:
    """Lend the port of a service on these servers."""
    settings = {"BIRTHDAYS_AUTH": "off"}  # what is compared is the cache
    async with running_program([str(COMMAND), "serve"], servers, settings, cached=cached) as running:
        yield running.port


@asynccontextmanager
async def running_program(
    command: Sequence[str],
    servers: Servers,
    settings: Mapping[str, str],
    *,
    cached: bool = True,
    cpu: int | None = None,
) -> AsyncIterator[Running]:
    """Run a program on these servers, on one *cpu* if the machine lets us choose."""
    port = free_port()
    folder = servers.folder / f"service-{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REDIS_")},
        "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)]),
        "DATABASE_URL": servers.database_url,
        "BIRTHDAYS_DATA_DIR": str(folder),
        "BIRTHDAYS_PORT": str(port),
        "BIRTHDAYS_BRAKE": "off",  # a crowd is what is measured
        **({"REDIS_URL": servers.redis_url} if cached else {}),
        **settings,
    }
    log = servers.folder / f"service-{port}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=output, stderr=output
        )
    if cpu is not None:
        os.sched_setaffinity(process.pid, {cpu})
    try:
        await _wait_until_ready(process, port, log)
        yield Running(port, process, folder)
    finally:
        await _stop(process)


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _wait_until_ready(process: Process, port: int, log: Path) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_WITHIN_S):
            while process.returncode is None:
                with suppress(OSError, TimeoutError):
                    connection = await Connection.open("127.0.0.1", port)
                    ready = (await connection.request("GET", "/health/ready")).status == HTTPStatus.OK
                    connection.close()
                    if ready:
                        return
                await asyncio.sleep(0.1)
    said = await asyncio.to_thread(log.read_text, errors="replace")
    how = "is not ready" if process.returncode is None else "has ended"
    raise RuntimeError(f"{said[-2000:]}\nThe program {how}.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
