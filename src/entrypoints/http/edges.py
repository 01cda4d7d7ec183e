"""What surrounds every request: HEAD, its id, the headers that every answer has, the line of log and metrics."""

import os
import re
import time
from collections.abc import Callable
from functools import partial

import attrs
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from application.observing import Metrics
from domain.user import UserId
from entrypoints.http.access import method_of
from entrypoints.http.leaving import Leaving, letting_go
from entrypoints.http.short_cut import ROUTE, Begun, Headers, ShortCut
from entrypoints.http.use_cases import UseCases
from entrypoints.http.whole_answers import UNLESS_TOLD, Answer, Write, send_answer, whole_head
from entrypoints.request_lines import TellLine, tell_line

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_ID_BYTES = 16
_IDS_AT_ONCE = 256
_SEPARATOR = " "
_random_ids: list[bytes] = []
"""Drawn in advance: to ask the system each time takes longer than to answer from the cache."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def with_edges(app: ASGIApp, use_cases: UseCases, tell: TellLine = tell_line) -> "Edges":
    """Wrap the whole application, unknown routes included. The plain case of the short cut does not reach it."""
    served = _Served(use_cases.metrics, tell)
    on_routes = letting_go(_on_routes(app, served), use_cases.leaving)
    return Edges(ShortCut(use_cases), on_routes, served, use_cases.leaving)


@attrs.frozen
class _Plain:
    """A request that is the plain case."""

    user_id: UserId
    headers: Headers
    id: bytes
    started_s: float
    begun: Begun | None


@attrs.frozen
class Edges:
    """The application with its edges. A server that lets it ``begin`` spares a hit its task."""

    _short_cut: ShortCut
    _on_routes: ASGIApp
    _served: "_Served"
    _leaving: Leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._short_cut.asked_for(scope)
        if asked is None:
            await self._on_routes(scope, receive, send)
            return
        started_s = time.perf_counter()
        user_id, headers = asked
        request_id = _request_id(headers.get(b"x-request-id"))
        await self._answer(_Plain(user_id, headers, request_id, started_s, None), None, scope, receive, send)

    def begin(self, scope: Scope, write: Write, start: Callable[[ASGIApp], None]) -> bool:
        """Begin to answer a GET without a task, which is started where somebody has to wait; or tell that nothing was."""
        asked = self._short_cut.asked_for(scope)
        if asked is None or method_of(scope) != "GET":
            return False
        started_s = time.perf_counter()
        user_id, headers = asked
        try:
            begun = self._short_cut.begin(user_id, headers)
        except Exception:  # noqa: BLE001  # the task meets it again, and tells it
            return False
        if begun is None:
            return False
        request_id = _request_id(headers.get(b"x-request-id"))
        request = _Plain(user_id, headers, request_id, started_s, begun)
        if begun.glance is None:
            start(partial(self._answer, request, None))
        else:
            begun.glance.looking.add_done_callback(lambda _: self._end(request, begun, write, start))
        return True

    def _end(self, request: _Plain, begun: Begun, write: Write, start: Callable[[ASGIApp], None]) -> None:
        try:
            answer = self._short_cut.found(request.user_id, begun)
        except Exception:  # noqa: BLE001  # the task meets it again, and tells it
            answer = None
        if (
            answer is not None
            and not self._leaving.is_leaving
            and write(answer.status, whole_head(answer, request.id), answer.body)
        ):
            self._served("GET", ROUTE, answer.status, request.started_s, request.id)
        else:
            start(partial(self._answer, request, answer))

    async def _answer(
        self, request: _Plain, answer: Answer | None, scope: Scope, _receive: Receive, send: Send
    ) -> None:
        tokens = bind_contextvars(request_id=request.id.decode())
        status = 0
        try:
            if answer is None:
                answer = await self._short_cut.answer(scope, request.user_id, request.headers, request.begun)
            status = answer.status
            await send_answer(scope, send, answer, request.id, is_last=self._leaving.is_leaving)
        finally:
            self._served(method_of(scope), ROUTE, status, request.started_s, request.id)
            reset_contextvars(**tokens)


@attrs.frozen
class _Served:
    """Tells of a request that has ended."""

    metrics: Metrics
    tell: TellLine

    def __call__(self, method: str, route: str, status: int, started_s: float, request_id: bytes) -> None:
        seconds = time.perf_counter() - started_s
        self.metrics.request_served(method, route, status, seconds)
        self.tell(method, route, status, seconds, request_id)


def _on_routes(app: ASGIApp, served: _Served) -> ASGIApp:
    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        # A copy: the server looks at its own to see whether the answer to a HEAD may be without its body.
        inner = scope.copy()
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
        edge = _Edge(scope=inner, send=send, is_head=scope["method"] == "HEAD", request_id=_request_id(given))
        started_s = time.perf_counter()
        # Not bound_contextvars: it looks through all variables first, on the way of every request.
        tokens = bind_contextvars(request_id=edge.request_id.decode())
        try:
            await app(inner, receive, edge)
        finally:
            # A method can be any word that somebody sends.
            method = scope["method"] if scope["method"] in _METHODS else "unknown"
            route = str(inner.get("path_template", "unknown"))
            served(method, route, edge.status, started_s, edge.request_id)
            reset_contextvars(**tokens)

    return outer


@attrs.define(kw_only=True)
class _Edge:
    """The answer to one request on its way out: what is added to it, and its status."""

    scope: Scope
    send: Send
    is_head: bool
    request_id: bytes
    status: int = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            message["headers"] = self._headers(message)
        elif self.is_head and message["type"] == "http.response.body":
            message["body"] = b""
        await self.send(message)

    def _headers(self, start: HTTPResponseStartEvent) -> list[tuple[bytes, bytes]]:
        headers = [
            (name, self._allowed(value) if name.lower() == b"allow" else value)
            for name, value in start["headers"]
        ]
        told = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in UNLESS_TOLD.items() if name not in told]
        return [*headers, (b"x-request-id", self.request_id)]

    def _allowed(self, told: bytes) -> bytes:
        methods = set(told.decode().split(", "))
        # Litestar's answer to OPTIONS names the methods of the first handler of the route only.
        methods.update(
            method
            for route in self.scope["litestar_app"].routes
            if route.path_format == self.scope.get("path_template")
            for method in getattr(route, "methods", ())
        )
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods)).encode()


def _request_id(given: bytes | None) -> bytes:
    """Return the request's own id, if it is a plain one, or a random one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    if not _random_ids:
        drawn = os.urandom(_ID_BYTES * _IDS_AT_ONCE).hex(_SEPARATOR, _ID_BYTES).encode()
        _random_ids.extend(drawn.split(_SEPARATOR.encode()))
    return _random_ids.pop()
