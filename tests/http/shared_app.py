"""One application for all tests of a process, since to build one takes as long as fifty requests.

It is what ``create_app`` makes, over use cases that are those of whoever asks: each request brings its own,
so that tests, and clients within a test, know as little of each other as with an application each.
"""

from contextvars import ContextVar
from functools import cache
from typing import Any

import attrs
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from entrypoints.http.app import create_app
from entrypoints.http.use_cases import UseCases

_asked: ContextVar[UseCases] = ContextVar("asked")


@attrs.frozen
class _Part:
    """Stands for one of the use cases: that of the request."""

    name: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meant(), name)

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        return self._meant()(*arguments, **more)

    def _meant(self) -> Any:
        return getattr(_asked.get(), self.name)


@cache
def _application(*, has_cache: bool) -> Litestar:
    parts: dict[str, Any] = {field.name: _Part(field.name) for field in attrs.fields(UseCases)}
    return create_app(UseCases(**parts | ({} if has_cache else {"cache": None})))


def over(use_cases: UseCases) -> ASGIApp:
    """Return the application as it is over *use_cases*."""
    application = _application(has_cache=use_cases.cache is not None)

    async def asking(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await _begin_and_end(receive, send)
            return
        token = _asked.set(use_cases)
        try:
            await application(scope, receive, send)
        finally:
            _asked.reset(token)

    return asking


async def _begin_and_end(receive: Receive, send: Any) -> None:
    # Litestar's own hold one thing per application, which clients that overlap would take from each other.
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
