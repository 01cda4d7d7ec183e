"""The application: routes, problems, the document of the API, and one log line per request."""

import re
import time
from importlib.metadata import version
from uuid import uuid4

import structlog
from litestar import Litestar
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from entrypoints.http.health import HealthController
from entrypoints.http.messages import MessageController, SchedulerController
from entrypoints.http.problems import answer_problem
from entrypoints.http.use_cases import UseCases
from entrypoints.http.users import UserController

log = structlog.get_logger()

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")


def create_app(use_cases: UseCases) -> Litestar:
    """Return the API over *use_cases*. It opens and closes nothing: what they need is the caller's."""

    def provide_use_cases() -> UseCases:
        return use_cases

    return Litestar(
        route_handlers=[UserController, MessageController, SchedulerController, HealthController],
        dependencies={"use_cases": Provide(provide_use_cases, sync_to_thread=False)},
        exception_handlers={Exception: answer_problem},
        middleware=[],
        openapi_config=OpenAPIConfig(
            title="Birthdays",
            version=version("birthdays"),
            description="Birthday and work-anniversary messages at nine in the morning where people live.",
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        debug=False,
    )


def with_edges(app: ASGIApp) -> ASGIApp:
    """Wrap the whole application, unknown routes included: HEAD, request ids, and the canonical log line."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started_s, status, is_head = time.perf_counter(), 0, scope["method"] == "HEAD"
        if is_head:
            scope["method"] = "GET"

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_header(message, b"x-request-id", request_id)
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        with bound_contextvars(request_id=request_id.decode()):
            try:
                await app(scope, receive, sent)
            finally:
                log.info(
                    "request_served",
                    method="HEAD" if is_head else scope["method"],
                    route=scope.get("path_template", "unknown"),
                    status=status,
                    duration_ms=round((time.perf_counter() - started_s) * 1000, 2),
                )

    return outer


def _request_id(scope: Scope) -> bytes:
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex.encode()


def _add_header(message: HTTPResponseStartEvent, name: bytes, value: bytes) -> None:
    message["headers"] = [*message["headers"], (name, value)]
