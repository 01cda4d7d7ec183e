"""``Idempotency-Key``: a POST that is sent again has its effect once, and gets the answer it got at first.

Kept is the answer of what was done. A request that was refused has done nothing, and may be sent again
under its key as if for the first time; so may one whose process died: what a POST does here is guarded by a
key of its own as well (an address, a message's state), so that even then nothing happens twice.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import UUID

import attrs
import msgspec
import structlog
from litestar import Request
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPRequestEvent, HTTPResponseStartEvent, Message, Receive, Scope, Send

from application.access_ports import Answer, Answers, Claimed, Erased, InFlight, OtherRequest, Repeatable
from application.errors import StoreUnavailable
from entrypoints.http.access import caller_of, method_of
from entrypoints.http.operations import Documented
from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import FILE_BYTES_MAX, JSON, JSON_BYTES_MAX, read_body

log = structlog.get_logger()

KEEP = timedelta(hours=24)
LEASE = timedelta(minutes=2)
IMPORT_LEASE = timedelta(minutes=12)
"""Longer than an answer may take, so that no claim is taken over from one who is still at it."""
KEPT_BYTES_MAX = 1024 * 1024
_HEADER = b"idempotency-key"
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class Repeats(ASGIMiddleware):
    """Carries a request out that is new, and repeats the answer of one that is not."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        keys = [value for name, value in scope["headers"] if name == _HEADER]
        operation, caller = getattr(scope["route_handler"], "operation_class", None), caller_of(scope)
        if not keys or method_of(scope) != "POST" or caller is None:
            await next_app(scope, receive, send)
            return
        if not (
            isinstance(operation, type) and issubclass(operation, Documented) and operation.is_repeatable
        ):
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "This address takes no Idempotency-Key.")
        key = _read_key(keys)
        body = await read_body(
            Request[Any, Any, Any](scope, receive), FILE_BYTES_MAX if operation.is_import else JSON_BYTES_MAX
        )
        request = Repeatable(caller.id, key, _fingerprint(scope, body))
        claim = await self._answers.claim(
            request, lease=IMPORT_LEASE if operation.is_import else LEASE, keep=KEEP
        )
        if isinstance(claim, Answer):
            await _repeat(claim, send)
        elif isinstance(claim, Claimed):
            keeping = _Keeping(send, lambda answer: self._settle(request, claim, answer), operation.about)
            await next_app(scope, _replayed(body, receive), keeping)
        else:
            raise _refusal(claim)

    async def _settle(self, request: Repeatable, claim: Claimed, answer: Answer | None) -> None:
        """Keep the answer, or give the claim up where nothing was done."""
        doing = (
            self._answers.drop(request, claim)
            if answer is None
            else self._answers.keep(request, claim, answer)
        )
        try:
            await asyncio.shield(asyncio.ensure_future(doing))
        except StoreUnavailable:
            # What was done is done and has to be told; the claim lapses by itself.
            log.warning("answer_not_kept")


@attrs.define
class _Keeping:
    """Holds an answer that is to be kept back until it is, so that nobody has one that is not."""

    send: Send
    settle: Callable[[Answer | None], Awaitable[None]]
    about: str | None
    _start: HTTPResponseStartEvent | None = None
    _parts: list[bytes] = attrs.field(factory=list)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if _is_keepable(message):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._parts.append(message["body"])
            if not message.get("more_body", False):
                await self._finish(self._start)
            return
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await self.settle(None)
        await self.send(message)

    async def _finish(self, start: HTTPResponseStartEvent) -> None:
        body = b"".join(self._parts)
        is_small = len(body) <= KEPT_BYTES_MAX
        about = (
            frozenset() if self.about is None else frozenset({UUID(msgspec.json.decode(body)[self.about])})
        )
        answer = Answer(start["status"], list(start["headers"]), body, about)
        await self.settle(answer if is_small else None)
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


def _is_keepable(start: HTTPResponseStartEvent) -> bool:
    """Tell whether something was done, and is told in one piece: a stream may still break off."""
    headers = {name.lower(): value for name, value in start["headers"]}
    is_done = HTTPStatus.OK <= start["status"] < HTTPStatus.MULTIPLE_CHOICES
    return (
        is_done
        and headers.get(b"content-type", b"").startswith(JSON.encode())
        and b"content-length" in headers
    )


async def _repeat(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _refusal(claim: InFlight | OtherRequest | Erased) -> RequestRefused:
    match claim:
        case InFlight():
            return RequestRefused(
                HTTPStatus.CONFLICT,
                "The same request is being carried out now.",
                headers={"Retry-After": "1"},
            )
        case OtherRequest():
            return RequestRefused(
                HTTPStatus.UNPROCESSABLE_ENTITY, "Another request was sent under this Idempotency-Key."
            )
        case Erased():
            return RequestRefused(
                HTTPStatus.CONFLICT,
                "The request under this Idempotency-Key was carried out; its answer is erased, with the person.",
            )


def _read_key(given: Sequence[bytes]) -> str:
    match = _KEY.fullmatch(given[0].decode("latin-1")) if len(given) == 1 else None
    if match is None:
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST,
            "Idempotency-Key is one text of up to 255 ASCII characters, such as a UUID.",
        )
    return match[1] or match[2]


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    content_type = dict(scope["headers"]).get(b"content-type", b"")
    said = (method_of(scope).encode(), scope["path"].encode(), scope["query_string"], content_type, body)
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in said)).digest()


def _replayed(body: bytes, receive: Receive) -> Receive:
    told: list[HTTPRequestEvent] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Any:
        return told.pop() if told else await receive()

    return receiving
