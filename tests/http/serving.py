"""The API under the service's own web server, on a socket, with as much patience as a test has."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from entrypoints.cli.listening import web_server
from entrypoints.http import slow_clients
from entrypoints.http.use_cases import UseCases
from tests.http import shared_app


@asynccontextmanager
async def serving(use_cases: UseCases) -> AsyncIterator[int]:
    """Serve on a free port, which is lent, as long as this lasts."""
    server = web_server(use_cases, shared_app.over(use_cases), stop_within_s=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await task


def lose_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slow clients be left within a second, and not within half a minute."""
    monkeypatch.setattr(slow_clients, "HEAD_WITHIN_S", 1.0)
    monkeypatch.setattr(slow_clients, "BODY_GRACE_S", 0.3)
    monkeypatch.setattr(slow_clients, "READ_WITHIN_S", 0.3)
