"""Clients who send or read slowly, over real sockets: each is left in the end, and others are served meanwhile."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from functools import partial

import pytest
import uvicorn
from structlog.typing import EventDict

from application.statistics import SchedulerState
from entrypoints.http.slow_clients import ImpatientProtocol
from tests.http.serving import lose_patience, serving
from tests.http.test_over_a_socket import Connection, registered
from tests.http.world import ADA, AS_ADMIN, use_cases_of
from tests.use_cases.service import Service

pytestmark = pytest.mark.slow

WITHIN_S = 5
POST = (
    "POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Authorization: {AS_ADMIN['Authorization']}\r\n"
)
GET = f"GET /users HTTP/1.1\r\nHost: localhost\r\nAuthorization: {AS_ADMIN['Authorization']}\r\n\r\n".encode()


@pytest.fixture
async def port(
    service: Service, state: SchedulerState, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[int]:
    """Where the API is served by somebody who has little patience."""
    lose_patience(monkeypatch)
    async with serving(use_cases_of(service, state)) as port:
        yield port


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return what still comes before the other side hangs up."""
    async with asyncio.timeout(WITHIN_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_who_says_nothing_is_left(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await until_closed(reader)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_head_that_drips_is_left_and_others_are_served_meanwhile(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def drip() -> None:
        writer.write(b"GET /users HTTP/1.1\r\n")
        for number in range(1000):
            writer.write(f"X-{number}: y\r\n".encode())
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
    other_writer.write(GET)
    others = await other_reader.readline()
    # Who is still sending when the connection is closed may not get to read why.
    answer = await until_closed(reader)
    dripping.cancel()
    for one in (writer, other_writer):
        one.close()
    assert others.startswith(b"HTTP/1.1 200 ")
    assert answer[:13] in {b"HTTP/1.1 408 ", b""}


async def test_a_head_without_end_is_refused(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /users HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)
    assert (await until_closed(reader))[:13] in {b"HTTP/1.1 431 ", b""}
    writer.close()


@pytest.mark.parametrize("head", ("Content-Length: 500\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"))
async def test_a_body_that_drips_is_left(port: int, head: str, logged: list[EventDict]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write((POST + head).encode())

    async def drip() -> None:
        while True:
            writer.write(b"1\r\n{\r\n" if "chunked" in head else b"{")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await until_closed(reader) == b""
    dripping.cancel()
    writer.close()
    await asyncio.sleep(0.05)
    assert [line["status"] for line in logged if line["event"] == "request_served"] == [400]


async def test_a_slow_body_that_goes_on_is_read_to_its_end(port: int) -> None:
    body = json.dumps(dict(ADA)).encode().ljust(8000)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{POST}Content-Length: {len(body)}\r\n\r\n".encode())
    for start in range(0, len(body), 1000):
        writer.write(body[start : start + 1000])
        await asyncio.sleep(0.1)  # longer in all than the grace, at more than twice the least speed
    async with asyncio.timeout(WITHIN_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 201 ")
    writer.close()


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    assert b"HTTP/1.1 200 " in await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"}")


async def test_one_connection_may_ask_again_and_again_and_a_slow_second_head_is_left_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(4):
        await _answered(reader, writer, GET)
        await asyncio.sleep(0.15)
    writer.write(GET[:20])
    assert (await until_closed(reader)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_who_asks_nothing_more_is_left_without_a_word(
    service: Service, state: SchedulerState, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn, "Config", partial(uvicorn.Config, timeout_keep_alive=1))
    async with serving(use_cases_of(service, state)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(4):
            await _answered(reader, writer, GET)
            await asyncio.sleep(0.4)
        assert await until_closed(reader) == b""
        writer.close()


async def test_who_sends_a_body_after_the_answer_and_asks_nothing_more_is_left_too(
    service: Service, state: SchedulerState, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn, "Config", partial(uvicorn.Config, timeout_keep_alive=1))
    async with serving(use_cases_of(service, state)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            await _answered(reader, writer, GET.replace(b"Host:", b"Content-Length: 2\r\nHost:"))
            writer.write(b"{}")
        assert await until_closed(reader) == b""
        writer.close()


async def test_who_reads_late_is_waited_for_before_an_answer_in_one_piece(
    service: Service, state: SchedulerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ImpatientProtocol] = []
    connected = ImpatientProtocol.connection_made

    def noting(protocol: ImpatientProtocol, transport: asyncio.Transport) -> None:
        made.append(protocol)
        connected(protocol, transport)

    monkeypatch.setattr(ImpatientProtocol, "connection_made", noting)
    async with serving(use_cases_of(service, state)) as port:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
        user = await registered(connection)
        made[0].pause_writing()
        asking = asyncio.create_task(connection.ask(f"GET {user}", body=b" " * 70_000))
        await asyncio.sleep(0.1)
        assert (asking.done(), made[0].flow.read_paused) == (False, True), "and of the body, enough has come"
        made[0].resume_writing()
        assert (await asking).status == 200
        assert (await connection.ask(f"GET {user}")).status == 200
        connection.writer.close()


async def test_who_does_not_read_is_left(port: int, service: Service, logged: list[EventDict]) -> None:
    people = {"firstName": "A" * 200, "lastName": "B" * 200, "timezone": "UTC"}
    await service.register_many(
        1000, {"first_name": people["firstName"], "last_name": people["lastName"], "timezone": "UTC"}
    )
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    asked = GET.replace(b"/users", b"/users?limit=1000")
    await loop.sock_sendall(client, asked * 40)  # answers of half a megabyte each, of which none is read
    with client:
        await asyncio.sleep(1.5)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(WITHIN_S):
                while True:
                    await loop.sock_sendall(client, asked)
                    if not await loop.sock_recv(client, 1 << 20):
                        raise ConnectionResetError
