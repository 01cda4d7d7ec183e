"""A Valkey that is ours to kill, pause, empty, wind back and replicate."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import attrs
import redis.asyncio

from adapters.embedded.servers import _valkey_program
from adapters.embedded.supervisor import account_for, launch
from tests.servers import free_port_of_node

_START_WITHIN_S = 10.0


@attrs.define(eq=False)
class Valkey:
    """A server on a TCP port of this machine, with its data in a folder."""

    folder: Path
    port: int
    settings: Sequence[str] = ()
    _process: asyncio.subprocess.Process | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, *settings: str) -> AsyncIterator["Valkey"]:
        """Run one; *settings* are further ones of its command line."""
        folder.mkdir(parents=True)
        server = cls(folder, free_port_of_node(), settings)
        try:
            await server.start()
            yield server
        finally:
            await server.kill()

    async def start(self) -> None:
        """Start on whatever the folder holds, and wait until it answers."""
        command = [
            str(_valkey_program()),
            *("--dir", str(self.folder), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--appendonly", "no", "--save", "", "--daemonize", "no"),
            *("--repl-diskless-sync-delay", "0"),
            *self.settings,
        ]
        with (self.folder / "log").open("ab") as output:
            self._process = await launch(command, account_for(self.folder), SIGKILL, output)
        async with asyncio.timeout(_START_WITHIN_S), self.client() as client:
            while True:
                with contextlib.suppress(redis.RedisError, OSError):
                    if await client.ping():
                        return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def pause(self) -> None:
        self._signal(SIGSTOP)

    def go_on(self) -> None:
        self._signal(SIGCONT)

    async def snapshot(self) -> None:
        """Save everything as it is now, for ``wind_back``."""
        async with self.client() as client:
            await client.save()
        shutil.copyfile(self._dump, self.folder / "old.rdb")

    async def restart_empty(self) -> None:
        await self.kill()
        self._dump.unlink(missing_ok=True)
        await self.start()

    async def wind_back(self) -> None:
        """Be killed, and start from the snapshot."""
        await self.kill()
        shutil.copyfile(self.folder / "old.rdb", self._dump)
        await self.start()

    async def follow(self, other: "Valkey | None") -> None:
        """Become a replica that is in step with *other*, or a primary if that is None."""
        async with self.client() as client:
            if other is None:
                await client.replicaof("NO", "ONE")
                return
            await client.replicaof("127.0.0.1", other.port)
            async with asyncio.timeout(_START_WITHIN_S):
                while (await client.info("replication")).get("master_link_status") != "up":  # noqa: ASYNC110 - a server sends no events
                    await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[redis.asyncio.Redis]:
        client: redis.asyncio.Redis = redis.asyncio.Redis(port=self.port, socket_timeout=5)
        try:
            yield client
        finally:
            await client.aclose()

    @property
    def _dump(self) -> Path:
        return self.folder / "dump.rdb"

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
