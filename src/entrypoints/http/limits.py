"""How much of the service one caller may have: requests per minute, imports at once, time for an answer."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from application.limiting import WINDOW_S, Limiter, Permit, RequestClass
from domain.access import ApiKey
from domain.access import Scope as Right
from entrypoints.http.access import caller_of, method_of, needed_right
from entrypoints.http.operations import Documented
from entrypoints.http.problems import RequestRefused

IMPORTS_AT_ONCE = 2
ANSWER_WITHIN_S = 60.0
FILE_WITHIN_S = 600.0
"""For an import, an undo of one, and an answer that is a file."""


def class_of_request(handler: Any, method: str) -> RequestClass:
    """Return the kind as which a request is counted."""
    operation = getattr(handler, "operation_class", None)
    if isinstance(operation, type) and issubclass(operation, Documented) and operation.is_import:
        return RequestClass.IMPORT
    if needed_right(handler) is Right.ADMIN:
        return RequestClass.ADMIN
    return RequestClass.READ if method == "GET" else RequestClass.WRITE


def _takes_long(handler: Any) -> bool:
    operation = getattr(handler, "operation_class", None)
    if not (isinstance(operation, type) and issubclass(operation, Documented)):
        return False
    return operation.is_import or bool(operation.streamed)


class Throttle(ASGIMiddleware):
    """Bounds what a caller gets; open routes are not counted."""

    def __init__(self, limiter: Limiter, *, imports_at_once: int = IMPORTS_AT_ONCE) -> None:
        self._limiter = limiter
        self._imports_free = imports_at_once

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        caller = caller_of(scope)
        if caller is None:
            await next_app(scope, receive, send)
            return
        kind = class_of_request(scope["route_handler"], method_of(scope))
        headers = await granted(self._limiter, caller, kind)
        with self._slot(kind):
            seconds = FILE_WITHIN_S if _takes_long(scope["route_handler"]) else ANSWER_WITHIN_S
            await _in_time(scope, receive, _with_headers(send, headers), next_app, seconds)

    @contextmanager
    def _slot(self, kind: RequestClass) -> Iterator[None]:
        if kind is not RequestClass.IMPORT:
            yield
            return
        if self._imports_free == 0:
            raise RequestRefused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "As many imports as may run at once are running.",
                headers={"Retry-After": "5"},
            )
        self._imports_free -= 1
        try:
            yield
        finally:
            self._imports_free += 1


async def granted(limiter: Limiter, caller: ApiKey, kind: RequestClass) -> dict[str, str]:
    """Take a permit, and return what is told of it. Raises RequestRefused where there is none left."""
    return told_of(await permitted(limiter, caller, kind))


async def permitted(limiter: Limiter, caller: ApiKey, kind: RequestClass) -> Permit:
    """Take a permit. Raises RequestRefused where there is none left."""
    permit = await limiter.ask(caller.id, kind)
    if not permit.is_granted:
        raise RequestRefused(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"This key has had its {permit.limit} requests of this kind for this minute.",
            headers={**told_of(permit), "Retry-After": str(permit.reset_s)},
        )
    return permit


def took_too_long() -> RequestRefused:
    return RequestRefused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "This took too long and was given up; it may or may not have happened. Read before you repeat it.",
    )


async def _in_time(scope: Scope, receive: Receive, send: Send, next_app: ASGIApp, seconds: float) -> None:
    is_begun = False

    async def noting(message: Message) -> None:
        nonlocal is_begun
        is_begun = True
        await send(message)

    try:
        async with asyncio.timeout(seconds):
            await next_app(scope, receive, noting)
    except TimeoutError:
        if is_begun:
            raise
        raise took_too_long() from None


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return sending


def told_of(permit: Permit) -> dict[str, str]:
    """Return the fields of the IETF's draft on RateLimit headers, as of its tenth version."""
    return {
        "RateLimit-Policy": f'"{permit.kind}";q={permit.limit};w={WINDOW_S}',
        "RateLimit": f'"{permit.kind}";r={permit.remaining};t={permit.reset_s}',
    }


def lines_of(permit: Permit) -> bytes:
    """Return the same as lines of a head."""
    kind = permit.kind.encode()
    return b'ratelimit-policy: "%b";q=%d;w=%d\r\nratelimit: "%b";r=%d;t=%d\r\n' % (
        kind,
        permit.limit,
        WINDOW_S,
        kind,
        permit.remaining,
        permit.reset_s,
    )
