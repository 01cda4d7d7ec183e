"""A request as the server hands it on, with its path as it was sent: clients tidy paths up."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from litestar.types import ASGIApp


async def asked_raw(
    app: ASGIApp, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[bytes, bytes], bytes]:
    """Return the status, the headers and the body of the answer to a GET."""
    sent: list[Any] = []

    async def nothing() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    await app(scope, nothing, send)
    body = b"".join(message["body"] for message in sent[1:] if message["type"] == "http.response.body")
    return sent[0]["status"], dict(sent[0]["headers"]), body
