"""What a run stands on: a PostgreSQL and a Valkey, and on them a provider and processes of the service, all alike."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import attrs

from tests.chaos.people import SEND_TIME
from tests.faults.cluster import SOURCES, Postgres, Process, Service, ServiceFailed
from tests.faults.truth import LOST, Connection, connected
from tests.faults.valkey import Valkey
from tests.servers import with_database
from tests.service.running import COMMAND, environment, free_port

T = TypeVar("T")

LEASE_S = 6
ANSWER_WITHIN_S = 180.0
"""For how long PostgreSQL may be away, and a process may need to start, while everything else happens too."""
_ROOT = Path(__file__).parents[2]
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@attrs.define(eq=False)
class Ground:
    """The servers. Whoever needs them whole, or breaks them, holds *breaking* meanwhile."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    breaking: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _databases: int = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator["Ground"]:
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthdays-chaos-")))
            running = Postgres.running(folder / "postgres", max_connections="300")
            postgres = await stack.enter_async_context(running)
            valkey = await stack.enter_async_context(Valkey.running(folder / "valkey"))
            yield cls(folder, postgres, valkey)

    async def lend(self) -> tuple[str, str]:
        """Return the addresses of a new, migrated database, and of a part of the Valkey."""
        number = self._databases
        self._databases += 1
        made = urlsplit(self.postgres.url).path.removeprefix("/")
        async with connected(with_database(self.postgres.url, "postgres")) as connection:
            await connection.execute(f"CREATE DATABASE chaos_{number} TEMPLATE {made}")
        url = with_database(self.postgres.url, f"chaos_{number}")
        return url, f"redis://127.0.0.1:{self.valkey.port}/{number}"


@attrs.define(eq=False)
class Site:
    """A provider and the processes that send to it. *busy* are those that somebody has broken."""

    ground: Ground
    database_url: str
    provider: Process
    processes: Sequence[Process]
    book: Path
    lease_s: int
    faults: Counter[str] = attrs.field(factory=Counter)
    busy: set[Process] = attrs.field(factory=set)
    deaths: list[str] = attrs.field(factory=list)
    """What those have said last that ended although nobody has ended them."""
    failed_starts: int = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls,
        ground: Ground,
        service: Service,
        *,
        processes: int,
        seed: int,
        deduplicates: bool,
        harshness: float = 1.0,
        lease_s: int = LEASE_S,
    ) -> AsyncIterator["Site"]:
        """Have everything ready to be started, and end all of it."""
        database_url, redis_url = await ground.lend()
        folder = Path(tempfile.mkdtemp(dir=ground.folder))
        book, port = folder / "book", free_port()
        command = (sys.executable, "-m", "tests.chaos.provider", "--port", str(port), "--book", str(book))
        more = ("--seed", str(seed), "--harshness", str(harshness), *(("--deduplicates",) * deduplicates))
        told = {
            "PYTHONPATH": f"{SOURCES}{os.pathsep}{_ROOT}",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BIRTHDAYS_AUTH": "off",
            "BIRTHDAYS_BRAKE": "off",  # a crowd is what is asked for
            "BIRTHDAYS_CHANNEL": "webhook",
            "BIRTHDAYS_WEBHOOK_URL": f"http://127.0.0.1:{port}/birthdays",
            "BIRTHDAYS_WEBHOOK_SECRET": _SECRET,
            "BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE": "true",
            "BIRTHDAYS_WEBHOOK_REMEMBERS_HOURS": "24" if deduplicates else "0",
            "BIRTHDAYS_UNKNOWN": "hold",
            "BIRTHDAYS_LEASE_S": str(lease_s),
            "BIRTHDAYS_SEND_TIME": SEND_TIME,
        }
        site = cls(
            ground,
            database_url,
            Process(
                Service("the provider", (*command, *more), "/"), port, {**os.environ, **told}, folder / "log"
            ),
            [
                Process(service, port, {**environment(folder / name, port), **told}, folder / f"{name}.log")
                for port, name in ((free_port(), f"process-{number}") for number in range(processes))
            ],
            book,
            lease_s,
        )
        async with contextlib.AsyncExitStack() as stack:
            for process in (site.provider, *site.processes):
                stack.push_async_callback(process.kill)
            await site.provider.start()
            yield site

    async def plan(self, first: str, last: str) -> None:
        """Plan these dates by the command line, as an operator does."""
        planning = await asyncio.create_subprocess_exec(
            *(COMMAND, "plan", "--from", first, "--to", last),
            env=self.processes[0].environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await planning.wait() == 0

    async def start(self, *processes: Process) -> None:
        """Start them, and again where they end at once: without PostgreSQL a process does not start."""
        await asyncio.gather(*(self._start(process) for process in processes))

    async def _start(self, process: Process) -> None:
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                await process.start()
            except ServiceFailed:
                await process.kill()
                if time.monotonic() > deadline:
                    raise
                self.failed_starts += 1
                await asyncio.sleep(0.5)
            else:
                return

    async def ask(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask the database until it answers; nothing that must not be done twice is to be asked."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                async with connected(self.database_url) as connection:
                    return await question(connection)
            except LOST as error:
                is_refusal = isinstance(error, asyncpg.PostgresError) and not _is_away(error)
                if is_refusal or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    def look_for_deaths(self, processes: Sequence[Process]) -> None:
        self.deaths += [process.last_lines() for process in processes if process.has_ended]


def _is_away(error: asyncpg.PostgresError) -> bool:
    return str(error.sqlstate).startswith(("08", "53", "57"))
