"""What is wrong with the bytes themselves, spoken to the real server with its real patience, only less of it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from structlog.typing import EventDict

from application.statistics import SchedulerState
from tests.attacks.tried import tried, tried_once
from tests.http.serving import lose_patience, serving
from tests.http.world import AS_ADMIN, use_cases_of
from tests.use_cases.service import Service

pytestmark = pytest.mark.slow

SMUGGLED = "Requests within requests"
HELD = "Holding the service"
WITHIN_S = 5
SILENT_S = 0.3

KEY = f"Authorization: {AS_ADMIN['Authorization']}\r\n"
HEAD = f"Host: localhost\r\n{KEY}Content-Type: application/json\r\n"
HIDDEN = f"GET /keys HTTP/1.1\r\nHost: localhost\r\n{KEY}\r\n"


@pytest.fixture
async def port(
    service: Service, state: SchedulerState, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[int]:
    lose_patience(monkeypatch)
    async with serving(use_cases_of(service, state)) as port:
        yield port


async def told(port: int, sent: bytes) -> bytes:
    """Send bytes, and return what comes back until the other side hangs up, or has nothing more to say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while True:
            async with asyncio.timeout(SILENT_S if answer else WITHIN_S):
                more = await reader.read(65_536)
            if not more:
                break
            answer += more
    writer.close()
    return answer


SMUGGLING = {
    "a length and chunks (CL.TE)": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: {5 + len(HIDDEN)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks and a length (TE.CL)": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n",
    "two lengths": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "two lengths in one line": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: 0, {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length below zero": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: -1\r\n\r\n{HIDDEN}",
    "a length with a sign": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: +0\r\n\r\n{HIDDEN}",
    "a length in another base": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: 0x0\r\n\r\n{HIDDEN}",
    "a length past all bounds": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: 99999999999999999999999\r\n\r\n{HIDDEN}",
    "chunks under another name": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks and something else": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a blank before the colon": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a size of a chunk past all bounds": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{HIDDEN}",
    "a size of a chunk that is none": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{HIDDEN}",
}


@tried(SMUGGLED, {f"{name}: one request, or none": sent for name, sent in SMUGGLING.items()})
async def test_no_request_hides_in_another(port: int, logged: list[EventDict], attempt: str) -> None:
    """With the key in the hidden one: it is the proxy before us who is to be fooled, and who adds it."""
    answer = await told(port, attempt.encode())
    assert b'"items"' not in answer
    assert not [line for line in logged if line.get("route") == "/keys"]
    assert not [line for line in logged if line["event"] == "request_failed"]


ODD = {
    "a header with a zero byte": b"GET /users HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "a header that goes on in the next line": b"GET /users HTTP/1.1\r\nHost: localhost\r\nX: a\r\n Authorization: b\r\n\r\n",
    "a header without a name": b"GET /users HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
    "a line break in the address": b"GET /users\r\nX: y HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /users\r\n\r\n",
    "HTTP/2 without a word of warning": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET /users HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "TLS to a port without": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a command of Redis": b"*1\r\n$8\r\nFLUSHALL\r\n",
    "a command of mail": b"EHLO evil.example\r\nMAIL FROM:<x>\r\n",
    "the address of another host": b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT to another host": b"CONNECT 127.0.0.1:6379 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an upgrade to WebSocket": b"GET /users HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "an address of half a megabyte": b"GET /users?"
    + b"a" * 500_000
    + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "ten thousand headers": b"GET /users HTTP/1.1\r\n" + b"X: y\r\n" * 12_000 + b"\r\n",
}


@tried(SMUGGLED, {f"{name}: refused": sent for name, sent in ODD.items()})
async def test_odd_bytes_are_refused_and_others_are_served(
    port: int, logged: list[EventDict], attempt: bytes
) -> None:
    answer = await told(port, attempt)
    assert answer[9:10] in {b"4", b""}, answer[:200]
    assert not answer or b"application/problem+json" in answer
    assert (await told(port, b"GET /health/live HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert not [line for line in logged if line["event"] == "request_failed"]


@tried_once(SMUGGLED, "the name and version of the server, to look up what is wrong with it: not told")
async def test_the_server_does_not_tell_its_name(port: int) -> None:
    answer = (await told(port, b"GET /users HTTP/1.0\r\n\r\n")).lower()
    assert b"server:" not in answer
    assert b"uvicorn" not in answer
    assert b"litestar" not in answer


DRIPS = {
    "connections that say nothing": b"",
    "heads that drip (Slowloris)": b"GET /users HTTP/1.1\r\n",
    "bodies that drip": f"POST /users HTTP/1.1\r\n{HEAD}Content-Length: 100000\r\n\r\n".encode(),
    "chunks that drip": f"POST /users HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode(),
}


@tried(
    HELD, {f"a hundred {name}: closed, and others are served meanwhile": sent for name, sent in DRIPS.items()}
)
async def test_many_who_are_slow_hold_nobody_up(port: int, attempt: bytes) -> None:
    async def drip() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(attempt)
        dripping = asyncio.create_task(_drip(writer, attempt))
        try:
            async with asyncio.timeout(WITHIN_S):
                return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            dripping.cancel()
            writer.close()

    slow = [asyncio.create_task(drip()) for _ in range(100)]
    await asyncio.sleep(0.2)
    async with asyncio.timeout(1):
        assert (await told(port, b"GET /health/live HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    answers = await asyncio.gather(*slow)
    assert {answer[:13] for answer in answers} <= {b"", b"HTTP/1.1 408 "}


async def _drip(writer: asyncio.StreamWriter, begun: bytes) -> None:
    piece = (
        b"1\r\n{\r\n"
        if b"chunked" in begun
        else b"{"
        if b"Length" in begun
        else b"X: y\r\n"
        if begun
        else b""
    )
    with contextlib.suppress(ConnectionError):
        while piece:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.2)


@tried_once(HELD, "two hundred requests on one connection, of which no answer is read: closed")
async def test_who_reads_nothing_is_left(port: int, service: Service) -> None:
    await service.register_many(300, {"first_name": "A" * 200, "last_name": "B" * 200, "timezone": "UTC"})
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    asked = f"GET /users?limit=1000 HTTP/1.1\r\n{HEAD}\r\n".encode()
    with client, contextlib.suppress(ConnectionError):
        async with asyncio.timeout(WITHIN_S):
            await loop.sock_sendall(client, asked * 200)
            await asyncio.sleep(1.5)
            while await loop.sock_recv(client, 1 << 20):
                pass
    assert (await told(port, b"GET /health/live HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
