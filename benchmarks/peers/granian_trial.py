"""The service on another server program: how fast it would be, and not what it would have to give up.

granian reads requests in Rust. It ends no slow client, and writes an answer as ASGI has it, head and body apart.
"""

import socket
from collections.abc import Sequence
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar.types import ASGIApp

from entrypoints.cli import serve
from entrypoints.cli.main import main
from entrypoints.http.edges import with_edges
from entrypoints.http.use_cases import UseCases
from entrypoints.request_lines import TellLine


class _Granian:
    """What the command needs of a server."""

    should_exit = False

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        host, port = sockets[0].getsockname()
        sockets[0].close()
        await Server(
            self._app, address=host, port=port, interface=Interfaces.ASGINL, log_enabled=False
        ).serve()


def _web_server(use_cases: UseCases, application: ASGIApp, *, stop_within_s: float, tell: TellLine) -> Any:  # noqa: ARG001  # as the service's own
    return _Granian(with_edges(application, use_cases, tell))


if __name__ == "__main__":
    setattr(serve, "web_server", _web_server)  # noqa: B010  # an assignment to another's import would not be typed
    main()
