"""A TCP proxy between a process and its cache server, which can refuse, hang, delay and cut, and change servers."""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator
from typing import Self

import attrs

_CHUNK = 65536


class Mode(enum.Enum):
    """How a proxy treats its client."""

    PASS = "pass"
    REFUSE = "refuse"
    """Nobody listens, and what was connected is cut off."""
    HANG = "hang"
    """Everything is taken and nothing goes on; what was sent meanwhile arrives when it is over."""


@attrs.define(eq=False)
class Proxy:
    """Listens on a port of its own for as long as it is open."""

    upstream: int
    """The server's port on this machine."""
    port: int = 0
    mode: Mode = Mode.PASS
    delay_s: float = 0.0
    """Added to everything that is sent, in each direction."""
    _server: asyncio.Server | None = None
    _flowing: asyncio.Event = attrs.field(factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = attrs.field(factory=set)
    _serving: "set[asyncio.Task[None]]" = attrs.field(factory=set)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, upstream: int) -> AsyncIterator[Self]:
        proxy = cls(upstream)
        proxy._flowing.set()
        await proxy._listen()
        try:
            yield proxy
        finally:
            await proxy._deafen()
            proxy._flowing.set()
            proxy.cut()
            if proxy._serving:
                await asyncio.wait(proxy._serving, timeout=1)

    async def become(self, mode: Mode) -> None:
        self.mode = mode
        if mode is Mode.HANG:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode is Mode.REFUSE:
            await self._deafen()
            self.cut()
        elif self._server is None:
            await self._listen()

    async def lead_to(self, upstream: int) -> None:
        """Change servers: every connection to the old one is cut."""
        self.upstream = upstream
        self.cut()

    def cut(self) -> None:
        """Break every connection, with whatever is on its way."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                await self._flowing.wait()
                there, onward = await asyncio.open_connection("127.0.0.1", self.upstream)
                self._writers.add(onward)
                try:
                    await self._carry_both_ways((reader, onward), (there, writer))
                finally:
                    self._writers.discard(onward)
                    onward.close()  # what its client sent before it went away arrives
        finally:
            self._writers.discard(writer)
            self._serving.discard(task)
            writer.close()

    async def _carry_both_ways(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        tasks = [asyncio.create_task(self._carry(*way)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction; a delay holds each chunk for that long, and what follows it too."""
        while chunk := await reader.read(_CHUNK):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            writer.write(chunk)
            await writer.drain()
