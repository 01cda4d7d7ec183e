"""Who takes messages and does nothing with them: python -m benchmarks.sinks smtp 2525 (or webhook). Ends at SIGTERM."""

import asyncio
import signal
import sys

import httptools
import uvloop

_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class _Mailbox(asyncio.Protocol):
    """A mail server that says yes to everything."""

    def __init__(self) -> None:
        self._left = b""
        self._is_in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._say(b"220 sink")

    def data_received(self, data: bytes) -> None:
        self._left += data
        while True:
            end = b"\r\n.\r\n" if self._is_in_data else b"\r\n"
            line, found, rest = self._left.partition(end)
            if not found:
                return
            self._left = rest
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        if self._is_in_data:
            self._is_in_data = False
            self._say(b"250 taken")
            return
        match line[:4].upper():
            case b"EHLO":
                self._say(b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING")
            case b"DATA":
                self._is_in_data = True
                self._say(b"354 go on")
            case b"QUIT":
                self._say(b"221 bye")
                self._transport.close()
            case _:
                self._say(b"250 yes")

    def _say(self, line: bytes) -> None:
        self._transport.write(line + b"\r\n")  # type: ignore[attr-defined]  # uvloop's is a transport by its methods


class _Hook(asyncio.Protocol):
    """A receiver of webhooks that accepts everything."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(_TAKEN)  # type: ignore[attr-defined]  # as above


async def _take(kind: str, port: int) -> None:
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    server = await loop.create_server({"smtp": _Mailbox, "webhook": _Hook}[kind], "127.0.0.1", port)
    async with server:
        await ending.wait()


if __name__ == "__main__":
    uvloop.run(_take(sys.argv[1], int(sys.argv[2])))
