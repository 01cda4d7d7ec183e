"""The way of GET /users/{id} below the routes, which cost more than all that it does itself.

The same checks, the same answer: whatever is not the plain case goes on to the route, and the tests of the API
run over both.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from domain.access import Scope as Right
from domain.user import UserId
from entrypoints.http import limits
from entrypoints.http.access import Doorkeeper, needed_right
from entrypoints.http.limits import class_of_request, granted, took_too_long
from entrypoints.http.patience import Patience
from entrypoints.http.problems import PROBLEM_JSON, told_problem
from entrypoints.http.requests import JSON
from entrypoints.http.resources import UserResource
from entrypoints.http.use_cases import UseCases
from entrypoints.http.users import UserController, headers_of

_ROUTE = "/users/{id}"
_PATH = re.compile(r"/users/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.ASCII)
_RIGHT = needed_right(UserController.show) or Right.ADMIN
_KIND = class_of_request(UserController.show, "GET")
_encode = msgspec.json.Encoder().encode


class ShortCut:
    """An application that shows people, and leaves everything else to another."""

    def __init__(self, app: ASGIApp, use_cases: UseCases) -> None:
        self._app = app
        self._doorkeeper = Doorkeeper(use_cases.access)
        self._limiter = use_cases.limiter
        self._get_user = use_cases.get_user
        self._patience = Patience(limits.ANSWER_WITHIN_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user_id = _asked_for(scope)
        if user_id is None:
            await self._app(scope, receive, send)
            return
        scope["path_template"] = _ROUTE
        headers: dict[str, str] = {}
        try:
            caller = await self._doorkeeper.admitted(scope, _RIGHT)
            headers = await granted(self._limiter, caller, _KIND)
            read = await self._patience.wait_for(self._get_user(user_id))
            status, media_type, body = HTTPStatus.OK, JSON, _encode(UserResource.of(read.value))
            headers |= headers_of(read)
        except Exception as error:  # noqa: BLE001  # as on every route, each is told as a problem
            problem, more = told_problem("GET", took_too_long() if isinstance(error, TimeoutError) else error)
            status, media_type, body = HTTPStatus(problem.status), PROBLEM_JSON, _encode(problem)
            headers |= more or {}
        await _answer(send, status, headers | {"Content-Type": media_type}, body)


def _asked_for(scope: Scope) -> UserId | None:
    """Return who is asked for, where that is all that is asked."""
    if scope["type"] != ScopeType.HTTP or scope["method"] != "GET" or scope["query_string"]:
        return None
    match = _PATH.fullmatch(scope["path"])
    if match is None or any(name == b"if-none-match" for name, _ in scope["headers"]):
        return None
    return UserId(UUID(match[1]))


async def _answer(send: Send, status: HTTPStatus, headers: Mapping[str, str], body: bytes) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status.value, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})
