"""A receiver of webhooks, served by uvicorn over TLS, that answers as it is told."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from tests.delivery.certificates import certified


@attrs.frozen
class Post:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    client: tuple[str, int]

    @property
    def data(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = json.loads(self.body)["data"]
        return told


@attrs.frozen
class Answer:
    """What the receiver says to it."""

    status: int = 204
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""


@attrs.define(eq=False)
class Inbox:
    """What was posted, and how it is answered; what is accepted counts once per idempotency key."""

    port: int = 0
    posts: list[Post] = attrs.field(factory=list)
    accepted: dict[str, Post] = attrs.field(factory=dict)
    answer: Callable[[Post], Answer] = attrs.field(default=lambda _post: Answer())
    late_s: float = 0.0

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hooks/birthdays?team=red"

    @property
    def connections(self) -> int:
        return len({post.client for post in self.posts})

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda _post: Answer(status, told, body)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        assert scope["client"] is not None
        body, more = b"", True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            body, more = body + message["body"], message["more_body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        post = Post(scope["path"], headers, body, scope["client"])
        self.posts.append(post)
        answer = self.answer(post)
        if 200 <= answer.status < 300:
            self.accepted.setdefault(headers["idempotency-key"], post)
        await asyncio.sleep(self.late_s)
        told = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": told, "trailers": False}
        )
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})


class _Server(uvicorn.Server):
    """Uvicorn that ends as soon as it is told to: by itself it looks ten times a second whether it was."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ending.wait()


@asynccontextmanager
async def web_server(certificate: ssl.SSLContext | None = None) -> AsyncIterator[Inbox]:
    """Run a receiver until the end of the block."""
    inbox = Inbox()
    config = uvicorn.Config(
        inbox, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, ws="none"
    )
    config.load()
    config.ssl = certificate or certified("localhost")
    server = _Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        inbox.port = listener.getsockname()[1]
        config.loaded = True
        serving = asyncio.create_task(_serve(server, listener))
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.005)
        try:
            yield inbox
        finally:
            server.force_exit = True
            server.ending.set()
            await serving


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await server._serve([listener])  # without its signal handlers


@asynccontextmanager
async def hanging_up(after: bytes | None) -> AsyncIterator[int]:
    """Run a server that reads one request, says *after* if anything, and hangs up; lend its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if after is not None:
                writer.write(after)
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certified("localhost"))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)
