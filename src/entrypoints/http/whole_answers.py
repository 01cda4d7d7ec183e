"""An answer whose head is written already, in one piece with its body where the server can take it so.

uvicorn looks through each header of each answer, and writes head and body apart. What is answered many thousands
of times a minute was looked through when it was written.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast
from weakref import ref

import attrs
from litestar.types import ASGIApp, HTTPResponseStartEvent, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from entrypoints.http.access import method_of

UNLESS_TOLD = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
"""What every answer has that has no other of them: an answer is data, and nothing a browser should run or frame."""
Write = Callable[[int, bytes, bytes], bool]
"""Takes status, head and body, and tells whether they were written."""
Begin = Callable[[Scope, Write, Callable[[ASGIApp], None]], bool]
"""Takes a scope, how to write, and how to start a task that goes on; tells whether one of the two will be done."""
_WHOLE = "birthdays.whole"
"""The extension of ASGI that is one."""


@attrs.frozen
class Answer:
    """An answer; each line of its *head* is in lower case and has its end."""

    status: int
    head: bytes
    body: bytes


def head_of(headers: dict[str, str]) -> bytes:
    """Return a head of ours, with what every answer has."""
    told = {name.lower().encode(): value.encode() for name, value in headers.items()}
    return b"".join(b"%b: %b\r\n" % line for line in (UNLESS_TOLD | told).items())


def whole_head(answer: Answer, request_id: bytes) -> bytes:
    """Return the head of an answer with what only this one has."""
    return b"%bcontent-length: %d\r\nx-request-id: %b\r\n" % (answer.head, len(answer.body), request_id)


async def send_answer(scope: Scope, send: Send, answer: Answer, request_id: bytes, *, is_last: bool) -> None:
    """Send an answer to a GET or HEAD; with *is_last* the connection ends with it."""
    head = whole_head(answer, request_id)
    is_get = method_of(scope) == "GET"
    if is_get and not is_last:
        write = cast(Write | None, (scope.get("extensions") or {}).get(_WHOLE))
        if write is not None and write(answer.status, head, answer.body):
            return
    parts = [line.partition(b": ") for line in head.splitlines()]
    headers = [(name, value) for name, _, value in parts]
    if is_last:
        headers.append((b"connection", b"close"))
    start: HTTPResponseStartEvent = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": headers,
    }
    await send(start)
    await send({"type": "http.response.body", "body": answer.body if is_get else b"", "more_body": False})


class WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol, with that extension for every request.

    An application that can ``begin`` is asked to before there is a task, and has one started where it needs one.
    """

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # What is in the scope must not hold the cycle, which holds the scope: only the collector would find them.
        write = partial(_write, ref(cycle))
        cycle.scope["extensions"] = {_WHOLE: cast(Any, write)}
        start = partial(super()._start_asgi_task, cycle)
        begin: Begin | None = getattr(app, "begin", None)
        if begin is None or not begin(cast(Any, cycle.scope), write, start):
            start(app)


def _write(asked: ref[RequestResponseCycle], status: int, head: bytes, body: bytes) -> bool:
    """Write an answer as uvicorn would, unless there is anything that is to be waited for or told with it."""
    cycle = asked()
    if (
        cycle is None
        or cycle.response_started
        or cycle.disconnected
        or not cycle.keep_alive
        or cycle.flow.write_paused
    ):
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    date = b"".join([b"%b: %b\r\n" % line for line in cycle.default_headers])
    cycle.transport.write(b"".join((STATUS_LINE[status], date, head, b"\r\n", body)))
    cycle.message_event.set()
    # As uvicorn lets its tasks do: what the cycle holds holds the cycle.
    on_response, cycle.on_response = cycle.on_response, _nothing
    on_response()
    return True


def _nothing() -> None:
    """Stand where something has been called that is called once."""
