"""The server's HTTP protocol with an end to its patience: uvicorn's waits for ever for a head or a body.

A connection that sends nothing, a head that drips, a body that drips and a reader who does not read are each
closed after a while. None costs the service more than its connection until then.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from entrypoints.http.problems import PROBLEM_JSON, RequestRefused, problem_of
from entrypoints.http.whole_answers import WholeAnswers

HEAD_WITHIN_S = 10.0
HEAD_BYTES_MAX = 64 * 1024
BODY_GRACE_S = 20.0
BODY_BYTES_PER_S = 4096
"""A body may take the grace, and a second more for each of so many bytes that have come."""
READ_WITHIN_S = 30.0
"""How long a client may leave what it is sent unread, once the buffers are full."""


def _refusal(status: HTTPStatus, detail: str) -> bytes:
    """Return a whole answer: before there is a request, nobody else can give one."""
    problem, _ = problem_of(RequestRefused(status, detail))
    body = msgspec.json.encode(problem)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {PROBLEM_JSON}\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


_TOO_SLOW = _refusal(HTTPStatus.REQUEST_TIMEOUT, "The head of the request did not come in time.")
_TOO_LARGE = _refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"Address and headers may have {HEAD_BYTES_MAX} bytes together.",
)
_NO_HTTP = _refusal(
    HTTPStatus.BAD_REQUEST, "This is not a request of HTTP/1.1 that can be read in one way only."
)


class ImpatientProtocol(WholeAnswers):
    """One connection; at any time at most one of its timers for what comes in is running, and one for what goes out.

    The one for what comes in, be it the next request, is not stopped and started with each request: when it rings,
    it looks whether anything is late, and until when it is to sleep again.
    """

    _incoming: asyncio.TimerHandle | None = None
    _late_at: float = 0.0
    _if_late: Callable[[], None] | None = None
    """None while nothing is waited for."""
    _outgoing: asyncio.TimerHandle | None = None
    _head_bytes: int | None = 0
    """How much of a head has come; None outside a head."""
    _body_since: float = 0.0
    _body_bytes: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._if_late = None
        if self._incoming is not None:
            self._incoming.cancel()
            self._incoming = None
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_bytes is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._if_late = None
        self._head_bytes = None
        super().on_headers_complete()
        self._body_since, self._body_bytes = self.loop.time(), 0
        self._expect(self._body_since + BODY_GRACE_S, self._judge_body)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._if_late = None
        super().on_message_complete()
        if (
            self.cycle.response_complete
        ):  # before its body was: with this, uvicorn's own timer has been stopped
            self._expect_next()

    def on_response_complete(self) -> None:
        if self._if_late is not None or self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        # As uvicorn's, which would start a timer with each answer, and stop it with the next request.
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._expect_next()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's signature; its text is its own
        self._refuse(_NO_HTTP)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._outgoing is None:
            self._outgoing = self.loop.call_later(READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._outgoing is not None:
            self._outgoing.cancel()
            self._outgoing = None

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._expect(self.loop.time() + HEAD_WITHIN_S, self._refuse_late_head)

    def _expect_next(self) -> None:
        self._expect(self.loop.time() + self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _expect(self, by: float, if_late: Callable[[], None]) -> None:
        self._late_at, self._if_late = by, if_late
        if self._incoming is not None and self._incoming.when() > by:
            self._incoming.cancel()
            self._incoming = None
        if self._incoming is None:
            self._incoming = self.loop.call_at(by, self._look)

    def _look(self) -> None:
        self._incoming = None
        if self._if_late is None:
            return
        if self.loop.time() < self._late_at:
            self._incoming = self.loop.call_at(self._late_at, self._look)
            return
        if_late, self._if_late = self._if_late, None
        if_late()

    def _refuse_late_head(self) -> None:
        self._refuse(_TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            # An answer that is still being sent, to a request before, must not have another one in its middle.
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is None or cycle.response_complete:
                self.transport.write(answer)
            self.transport.close()

    def _judge_body(self) -> None:
        """Give up a body that comes too slowly; while we ourselves read nothing, it is not the client's fault."""
        if self.flow.read_paused:
            self._body_since = self.loop.time()
        ends_at = self._body_since + BODY_GRACE_S + self._body_bytes / BODY_BYTES_PER_S
        if self.loop.time() < ends_at:
            self._expect(ends_at, self._judge_body)
        elif not self.transport.is_closing():
            self.transport.abort()
