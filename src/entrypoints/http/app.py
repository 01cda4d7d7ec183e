"""The application: routes, problems, the document of the API, and what surrounds every request."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

import attrs
import structlog
from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import MediaType, ScopeType
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from entrypoints.http.access import Doorkeeper
from entrypoints.http.audit import AuditController
from entrypoints.http.channel import ChannelController
from entrypoints.http.exports import ExportController
from entrypoints.http.feeds import CalendarController, FeedController
from entrypoints.http.health import HealthController
from entrypoints.http.imports import ImportController, UndoController
from entrypoints.http.keys import KeyController
from entrypoints.http.limits import Throttle
from entrypoints.http.login import LoginController
from entrypoints.http.messages import MessageController, SchedulerController
from entrypoints.http.metrics import show_metrics
from entrypoints.http.occasions import OccasionController
from entrypoints.http.operations import COMPONENTS
from entrypoints.http.page.demonstration import Demonstration, demo_router
from entrypoints.http.page.rendering import ASSETS, TEMPLATES
from entrypoints.http.page.routes import PageController
from entrypoints.http.parameters import provide_message_key, provide_user_id, refuse_unknown_parameters
from entrypoints.http.personal_export import PersonalExportController
from entrypoints.http.problems import answer_problem
from entrypoints.http.repeats import Repeats
from entrypoints.http.short_cut import ShortCut
from entrypoints.http.templates import TemplateController
from entrypoints.http.unsubscribe import LinkController, UnsubscribeController
from entrypoints.http.use_cases import UseCases
from entrypoints.http.users import UserController

log = structlog.get_logger()

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNLESS_TOLD = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
"""What every answer has that has no other of them: an answer is data, and nothing a browser should run or frame."""
_ABOUT = """Birthday and work-anniversary messages at nine in the morning where people live.

Every error is a problem (RFC 9457). `HEAD` works wherever `GET` does. Every answer has an `X-Request-Id`, which is
the request's own where that has up to 64 letters, digits, dots, dashes and underscores. Query parameters and fields
that are not described here are refused. Every answer to a key has `RateLimit` and `RateLimit-Policy`."""

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    use_cases: UseCases, *, lifespan: Sequence[Lifespan] = (), demonstration: Demonstration | None = None
) -> Litestar:
    """Return the API over *use_cases*; *lifespan* opens and closes what they need, unless the caller does.

    A *demonstration* has a page of its own, where its clock is moved.

    To be served inside ``with_edges``.
    """

    def provide_use_cases() -> UseCases:
        return use_cases

    return Litestar(
        route_handlers=[
            UserController,
            LinkController,
            PersonalExportController,
            UnsubscribeController,
            ExportController,
            ImportController,
            UndoController,
            OccasionController,
            KeyController,
            FeedController,
            CalendarController,
            AuditController,
            LoginController,
            MessageController,
            ChannelController,
            SchedulerController,
            TemplateController,
            HealthController,
            show_metrics,
            PageController,
            ASSETS,
            *(() if demonstration is None else (demo_router(demonstration),)),
        ],
        state=State({"is_demo": demonstration is not None}),
        dependencies={
            "use_cases": Provide(provide_use_cases, sync_to_thread=False),
            "user_id": Provide(provide_user_id, sync_to_thread=False),
            "message_key": Provide(provide_message_key, sync_to_thread=False),
        },
        middleware=[Doorkeeper(use_cases.access), Throttle(use_cases.limiter), Repeats(use_cases.answers)],
        guards=[refuse_unknown_parameters],
        exception_handlers={Exception: answer_problem},
        lifespan=list(lifespan),
        openapi_config=OpenAPIConfig(
            title="Birthdays",
            version=version("birthdays"),
            description=_ABOUT,
            components=COMPONENTS,
            openapi_router=Router(
                "/schema",
                route_handlers=[],
                after_request=_without_pages,
                include_in_schema=False,
                opt={"needs": None},
            ),
            render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
            use_handler_docstrings=True,
        ),
        template_config=TEMPLATES,
        logging_config=None,
        debug=False,
    )


def _without_pages(answer: Response[bytes]) -> Response[bytes]:
    # Litestar answers what it does not know below /schema with a page of HTML.
    if answer.status_code == NotFoundException.status_code:
        raise NotFoundException
    return answer


def with_edges(app: ASGIApp, use_cases: UseCases) -> ASGIApp:
    """Wrap the whole application, unknown routes included: HEAD, request ids, the log line and metrics."""
    short_cut, metrics = ShortCut(app, use_cases), use_cases.metrics

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        # A copy: the server looks at its own to see whether the answer to a HEAD may be without its body.
        inner = scope.copy()
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        edge = _Edge(scope=inner, send=send, is_head=scope["method"] == "HEAD", request_id=_request_id(scope))
        started_s = time.perf_counter()
        # Not bound_contextvars: it looks through all variables first, on the way of every request.
        tokens = bind_contextvars(request_id=edge.request_id.decode())
        try:
            await short_cut(inner, receive, edge)
        finally:
            route = str(inner.get("path_template", "unknown"))
            duration_s = time.perf_counter() - started_s
            # A method can be any word that somebody sends.
            method = scope["method"] if scope["method"] in _METHODS else "unknown"
            metrics.request_served(method, route, edge.status, duration_s)
            log.info(
                "request_served",
                method=method,
                route=route,
                status=edge.status,
                duration_ms=round(duration_s * 1000, 2),
            )
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
        headers += [(name, value) for name, value in _UNLESS_TOLD.items() if name not in told]
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


def _request_id(scope: Scope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16).encode()
