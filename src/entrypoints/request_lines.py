"""The line of log that every request has: logged as any other, or written by itself, with what is the same each time.

The second is what a machine reads: it costs a tenth, and looks the same.
"""

import asyncio
import time
from collections.abc import Callable
from typing import BinaryIO

import attrs
import msgspec
import structlog
from structlog.contextvars import bound_contextvars

log = structlog.get_logger()

TellLine = Callable[[str, str, int, float, bytes], None]
"""Writes the line of a request: method, route, status, seconds, id."""
_STARTS_MAX = 1000


def tell_line(method: str, route: str, status: int, seconds: float, request_id: bytes) -> None:
    """Log the line."""
    with bound_contextvars(request_id=request_id.decode()):
        log.info(
            "request_served", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2)
        )


@attrs.define(eq=False)
class WrittenLines:
    """Lines of JSON as structlog writes them, those of one turn of the event loop in one piece."""

    _output: BinaryIO
    _now_s: Callable[[], float] = time.time
    _waiting: list[bytes] = attrs.field(factory=list, init=False)
    _starts: dict[tuple[str, str, int], bytes] = attrs.field(factory=dict, init=False)
    """What comes before the duration."""
    _second: int = attrs.field(default=-1, init=False)
    _told_second: bytes = attrs.field(default=b"", init=False)

    def __call__(self, method: str, route: str, status: int, seconds: float, request_id: bytes) -> None:
        """Write the line, by the end of this turn of the event loop."""
        start = self._starts.get((method, route, status)) or self._start(method, route, status)
        now_s = self._now_s()
        second = int(now_s)
        if second != self._second:
            self._second = second
            self._told_second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(
            b'{%b,"duration_ms":%.2f,"event":"request_served","request_id":"%b","level":"info","timestamp":"%b.%06dZ"}\n'
            % (start, seconds * 1000, request_id, self._told_second, int(now_s * 1e6) % 1_000_000)
        )

    def _start(self, method: str, route: str, status: int) -> bytes:
        if len(self._starts) >= _STARTS_MAX:
            self._starts.clear()
        told = msgspec.json.encode({"method": method, "route": route, "status": status})[1:-1]
        self._starts[method, route, status] = told
        return told

    def _write(self) -> None:
        lines, self._waiting = self._waiting, []
        self._output.write(b"".join(lines))
        self._output.flush()
