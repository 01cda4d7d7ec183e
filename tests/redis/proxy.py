"""What stands between the cache and its server in these tests: something that goes wrong on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from urllib.parse import unquote, urlsplit

import attrs


class Mode(Enum):
    """What becomes of a connection and of what is sent over it."""

    PASS = auto()
    HANG = auto()  # takes connections and whatever is sent, and never answers
    CUT = auto()  # closes each connection at once
    REPLY = auto()  # answers everything with the same bytes


@attrs.define(eq=False)
class Proxy:
    """A TCP server in front of a Valkey on a Unix socket."""

    _target: str | None
    mode: Mode = Mode.PASS
    delay_s: float = 0.0
    reply: bytes = b""
    connections: int = attrs.field(default=0, init=False)
    port: int = attrs.field(default=0, init=False)
    _writers: set[asyncio.StreamWriter] = attrs.field(factory=set, init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def cut_all(self) -> None:
        """Close every connection that there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        server: asyncio.StreamWriter | None = None
        replies: asyncio.Task[None] | None = None
        try:
            while self.mode is not Mode.CUT and (asked := await reader.read(2**16)):
                if self.mode is Mode.REPLY:
                    writer.write(self.reply)
                elif self.mode is Mode.PASS:
                    if server is None:
                        answers, server = await asyncio.open_unix_connection(self._target)
                        replies = asyncio.create_task(self._pass_back(answers, writer))
                    server.write(asked)
        except OSError:
            pass
        finally:
            if replies is not None:
                replies.cancel()
            self._writers.discard(writer)
            for one in (server, writer):
                if one is not None:
                    one.transport.abort()

    async def _pass_back(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while answer := await answers.read(2**16):
                await asyncio.sleep(self.delay_s)
                if self.mode is Mode.PASS:
                    writer.write(answer)
            writer.close()


@asynccontextmanager
async def proxy(url: str | None = None) -> AsyncIterator[Proxy]:
    """Lend a proxy in front of the server at *url*, which is a Unix socket's, or in front of nothing."""
    made = Proxy(None if url is None else unquote(urlsplit(url).path))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut_all()
        await asyncio.sleep(0.01)  # what serves a connection hears of its end
