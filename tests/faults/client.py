"""A small HTTP client: one connection per worker, on the parser that uvicorn uses too.

httpx costs a millisecond of CPU per request; here that would be most of what two cores can do.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import attrs
import httptools
import msgspec

IDLE_MAX_S = 2.0
"""A connection that was idle for longer is not used again: servers close theirs after some seconds."""


class Unanswered(Exception):
    """Nobody knows what became of the request."""

    def __init__(self, *, was_sent: bool) -> None:
        super().__init__("no answer")
        self.was_sent = was_sent
        """Whether the server may have got it."""


@attrs.frozen
class Answer:
    """What the server said. ``document`` is the decoded JSON, or None."""

    status: int
    cache: str
    """X-Cache, or ``none``."""
    location: str
    document: Any


class _Exchange(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answered: asyncio.Future[Answer] | None = None
        self.used_at = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(Unanswered(was_sent=True))

    def send(self, data: bytes) -> None:
        if self.transport is None:
            raise Unanswered(was_sent=False)
        self.transport.write(data)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self.answered is None or self.answered.done():
            return
        is_json = b"json" in self._headers.get(b"content-type", b"")
        answer = Answer(
            self._parser.get_status_code(),
            self._headers.get(b"x-cache", b"none").decode(),
            self._headers.get(b"location", b"").decode(),
            msgspec.json.decode(b"".join(self._body)) if is_json and self._body else None,
        )
        self.answered.set_result(answer)


@attrs.define(eq=False)
class Client:
    """A worker's connection to one process, made anew when it was lost."""

    url: str
    timeout_s: float
    _exchange: _Exchange | None = attrs.field(default=None, init=False)

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Ask once, and never again by itself. Raises Unanswered."""
        sent = False
        try:
            async with asyncio.timeout(self.timeout_s):
                exchange = await self._connected()
                exchange.answered = asyncio.get_running_loop().create_future()
                exchange.send(self._head(method, path, body))
                sent = True
                answer = await exchange.answered
                exchange.used_at = time.monotonic()
                return answer
        except (OSError, TimeoutError, Unanswered):
            self.close()
            raise Unanswered(was_sent=sent) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    async def _connected(self) -> _Exchange:
        exchange = self._exchange
        if exchange is None or exchange.transport is None or time.monotonic() - exchange.used_at > IDLE_MAX_S:
            self.close()
            address = urlsplit(self.url)
            _, exchange = await asyncio.get_running_loop().create_connection(
                _Exchange, address.hostname or "", address.port or 80
            )
            exchange.used_at = time.monotonic()
            self._exchange = exchange
        return exchange

    def _head(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        host = urlsplit(self.url).netloc
        content = b"" if body is None else msgspec.json.encode(body)
        kind = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{kind}\r\n".encode() + content
