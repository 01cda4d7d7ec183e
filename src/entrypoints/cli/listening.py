"""The port that a command listens on, and the server behind it."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from contextvars import Context
from ipaddress import ip_address
from typing import Any, cast

import click
import uvicorn
from litestar.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from entrypoints.http.edges import with_edges
from entrypoints.http.slow_clients import ImpatientProtocol
from entrypoints.http.use_cases import UseCases
from entrypoints.request_lines import TellLine, tell_line


class WebServer(uvicorn.Server):
    """Uvicorn without its signal handlers: each command has one place that says when to stop."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in a context of its own, which has nothing of what the start has left, such as its last transaction."""
        await asyncio.create_task(super().serve(sockets), context=Context())

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def web_server(
    use_cases: UseCases, application: ASGIApp, *, stop_within_s: float, tell: TellLine = tell_line
) -> WebServer:
    """Return the server of the application over *use_cases*."""
    # What a proxy says of who asks is of use to routes only.
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    behind_proxies = cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", application), trusted_hosts=trusted))
    return WebServer(
        uvicorn.Config(
            cast("Any", with_edges(behind_proxies, use_cases, tell)),
            proxy_headers=False,
            http=ImpatientProtocol,
            ws="none",
            access_log=False,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=int(stop_within_s),
            server_header=False,
            # Of two requests that are sent together, the second would begin in the context of the first.
            reset_contextvars=True,
        )
    )


@contextlib.contextmanager
def listening(host: str, port: int, *, or_any: bool = False) -> Iterator[socket.socket]:
    """Take the port before anything is started, so that a taken one is told at once; or take *any* instead."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if not or_any or error.errno != errno.EADDRINUSE:
                raise
            listener.bind((host, 0))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            text = f"Port {port} is taken by another program; choose one with BIRTHDAYS_PORT or --port."
        else:
            text = (
                f"Cannot listen on {host} port {port}: {error.strerror}. "
                "Choose an address of this machine with BIRTHDAYS_HOST."
            )
        raise click.ClickException(text) from None
    with listener:
        yield listener


def reached_at(listener: socket.socket) -> str:
    """Return where a browser of this machine finds what listens, also if that is on all addresses."""
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
