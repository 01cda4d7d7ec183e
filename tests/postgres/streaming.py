"""A real streaming replica of a PostgreSQL, made by pg_basebackup."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from urllib.parse import quote

import asyncpg
import attrs
from sqlalchemy import make_url

from adapters.embedded.servers import _postgres_program
from adapters.embedded.supervisor import account_for, launch

_START_WITHIN_S = 20.0


@attrs.define(eq=False)
class Replica:
    """A replica that runs; *url* is the address of the same database there."""

    url: str
    pid: int

    async def hold_replay(self, *, held: bool) -> None:
        """Let it go on receiving, and show nothing of that."""
        await self._ask(f"SELECT pg_wal_replay_{'pause' if held else 'resume'}()")

    async def promote(self) -> None:
        await self._ask("SELECT pg_promote()")

    def stand_still(self) -> None:
        self._tell_all(SIGSTOP)

    def go_on(self) -> None:
        self._tell_all(SIGCONT)

    def die(self) -> None:
        self._tell_all(SIGKILL)

    def _tell_all(self, number: int) -> None:
        with suppress(FileNotFoundError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            for pid in (self.pid, *map(int, children)):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    async def _ask(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def streaming_replica(url: str, folder: Path) -> AsyncIterator[Replica]:
    """Lend a replica of the server at *url*, with its data in *folder*."""
    parsed = make_url(url)
    data, port = folder / "replica", 5433
    account = account_for(folder)
    folder.chmod(0o700)
    os.chown(folder, *account)
    primary = f"host={parsed.query['host']} port={parsed.query['port']} user={parsed.username}"
    copying = await launch(
        [
            str(_postgres_program("pg_basebackup")),
            *("--pgdata", str(data), "--dbname", primary, "--wal-method", "stream", "--write-recovery-conf"),
            *("--checkpoint", "fast", "--no-sync"),
        ],
        account,
        SIGKILL,
        asyncio.subprocess.PIPE,
    )
    said, _ = await copying.communicate()
    assert copying.returncode == 0, said.decode()
    settings = {
        "listen_addresses": "",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "hot_standby": "on",
        "fsync": "off",
        "max_connections": "200",
    }
    with (folder / "replica.log").open("wb") as log:
        process = await launch(
            [
                str(_postgres_program("postgres")),
                *("-D", str(data)),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            account,
            SIGKILL,
            log,
        )
    address = f"{parsed.set(query={}).render_as_string(hide_password=False)}?host={quote(str(folder), safe='')}&port={port}"
    replica = Replica(address, process.pid)
    try:
        await _wait_until_it_answers(address, Path(log.name))
        yield replica
    finally:
        replica.die()
        await process.wait()
        shutil.rmtree(data, ignore_errors=True)


async def _wait_until_it_answers(url: str, log: Path) -> None:
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            while True:
                with suppress(OSError, asyncpg.PostgresError):
                    connection = await asyncpg.connect(url)
                    await connection.close()
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"The replica does not answer: {log.read_text()}") from None
