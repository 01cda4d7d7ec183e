"""A client that costs little beside what it measures: HTTP/1.1 on kept connections, one request at a time each."""

import asyncio
import json
from typing import Any, Self, cast

import attrs
import httptools


@attrs.define
class Answer:
    """What came back; header names are in lower case."""

    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """One kept connection. Raises ConnectionError and TimeoutError; then it is of no further use."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer = Answer()
        self._waiting: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    async def request(
        self, method: str, path: str, body: object = None, *, timeout_s: float = 10.0, **headers: str
    ) -> Answer:
        """Send *body* as JSON; a header's name is written with underscores."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body is not None:
            lines += ["content-type: application/json", f"content-length: {len(content)}"]
        self._answer = Answer()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write("\r\n".join([*lines, "", ""]).encode() + content)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._waiting
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # What asyncio and httptools call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)
