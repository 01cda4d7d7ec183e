"""A PostgreSQL, a Valkey with a replica, and several processes of a service, each behind a proxy to its cache."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import attrs

import entrypoints
from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres
from tests.faults.client import Client, Unanswered
from tests.faults.proxy import Proxy
from tests.faults.valkey import Valkey
from tests.service.running import COMMAND, environment, free_port, have_database

PROCESSES = 3
START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
SOURCES = Path(entrypoints.__file__).parents[1]
# Linux ends a process of ours together with us, also if we are killed; exec keeps this.
_DIE_WITH_US = (
    "import ctypes, os, sys\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, 9)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class ServiceFailed(Exception):
    """A process of the service ended by itself, or never got ready."""


@attrs.frozen
class Service:
    """A program to be judged: how it is started. It is told where everything is by its environment."""

    name: str
    command: Sequence[str]
    ready: str = "/health/ready"


OURS = Service("ours", (str(COMMAND), "serve"))


@attrs.define(eq=False)
class Process:
    """One process of the service, on the same port after each start."""

    service: Service
    port: int
    environment: Mapping[str, str]
    log: Path
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, and wait until it is ready. Raises ServiceFailed."""
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _DIE_WITH_US, *self.service.command),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        client = Client(self.url, 2.0)
        try:
            async with asyncio.timeout(START_WITHIN_S):
                while True:
                    if self._process.returncode is not None:
                        raise ServiceFailed(f"{self.service.name} has ended: {self.last_lines()}")
                    with contextlib.suppress(Unanswered):
                        if (await client.request("GET", self.service.ready)).status == 200:
                            return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ServiceFailed(f"{self.service.name} is not ready: {self.last_lines()}") from None
        finally:
            client.close()

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.returncode is not None

    async def stop(self) -> None:
        """Ask it to end, as a deployment does; kill it if it does not."""
        self.send_signal(signal.SIGTERM)
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
        await self.kill()

    def pause(self) -> None:
        self.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.send_signal(signal.SIGCONT)

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


@attrs.define(eq=False)
class Postgres:
    """A PostgreSQL that is started again when it dies."""

    url: str
    data: Path

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, **settings: str) -> AsyncIterator["Postgres"]:
        """Run one in *folder*; its database has the schema."""
        have_database(folder)
        with DataFolder(folder) as data:
            # A process that is killed loses nothing that the kernel has: what a power failure takes is not asked.
            async with embedded_postgres(data, settings={"fsync": "off", **settings}) as url:
                yield cls(url, data.path / "postgres")

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def stop_immediately(self) -> None:
        """As ``pg_ctl stop -m immediate``: every backend quits at once, and the next start recovers."""
        os.kill(self.pid, signal.SIGQUIT)

    def stop_fast(self) -> None:
        """As ``pg_ctl stop -m fast``: what is not committed is rolled back, and all is written down."""
        os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill the postmaster; its backends notice that they are alone."""
        os.kill(self.pid, signal.SIGKILL)

    def pause(self) -> Sequence[int]:
        """Stop it with all of its backends, on Linux; return what is to go on."""
        postmaster = self.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        pids = [postmaster, *map(int, children)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return pids

    def go_on(self, pids: Sequence[int]) -> None:
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@attrs.define(eq=False)
class Cluster:
    """Everything that runs."""

    postgres: Postgres
    primary: Valkey
    replica: Valkey
    proxies: Sequence[Proxy]
    processes: Sequence[Process]

    @property
    def urls(self) -> Sequence[str]:
        return [process.url for process in self.processes]

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, service: Service, processes: int = PROCESSES) -> AsyncIterator["Cluster"]:
        """Run everything for as long as this lasts."""
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthdays-faults-")))
            postgres = await stack.enter_async_context(Postgres.running(folder / "postgres"))
            primary = await stack.enter_async_context(Valkey.running(folder / "valkey-1"))
            replica = await stack.enter_async_context(Valkey.running(folder / "valkey-2"))
            await replica.follow(primary)
            proxies = [await stack.enter_async_context(Proxy.opened(primary.port)) for _ in range(processes)]
            started = [
                Process(
                    service,
                    port := free_port(),
                    environment_of(folder, number, port, postgres.url, cache),
                    log,
                )
                for number, proxy in enumerate(proxies)
                for cache in [f"redis://127.0.0.1:{proxy.port}/0"]
                for log in [folder / f"process-{number}.log"]
            ]
            for process in started:
                stack.push_async_callback(process.kill)
            await asyncio.gather(*(process.start() for process in started))
            yield cls(postgres, primary, replica, proxies, started)


def environment_of(
    folder: Path, number: int, port: int, database_url: str, redis_url: str
) -> Mapping[str, str]:
    """Return what a process is told of where everything is."""
    return {
        **environment(folder / f"process-{number}", port),
        "PYTHONPATH": f"{SOURCES}{os.pathsep}{Path(__file__).parents[2]}",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BIRTHDAYS_CHANNEL": "maildir",
        "BIRTHDAYS_BRAKE": "off",
        "BIRTHDAYS_AUTH": "off",  # as its peers, which know no keys
    }
