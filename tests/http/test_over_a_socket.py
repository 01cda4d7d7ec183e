"""The API under its real server, spoken to byte by byte: what a client in the process cannot show."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from structlog.contextvars import bound_contextvars, get_contextvars
from structlog.typing import EventDict
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from application.statistics import SchedulerState
from tests.http.serving import serving
from tests.http.world import ADA, AS_ADMIN, use_cases_of
from tests.use_cases.service import Service

pytestmark = pytest.mark.slow

WITHIN_S = 10
_AS_ADMIN = [f"{name}: {value}" for name, value in AS_ADMIN.items()]


@attrs.frozen
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@attrs.frozen
class Connection:
    """A connection on which one request follows the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: str, *headers: str, body: bytes = b"", is_whole: bool = True) -> Answer:
        lines = [f"{request} HTTP/1.1", "Host: localhost", *_AS_ADMIN, *headers]
        if body and is_whole:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        async with asyncio.timeout(WITHIN_S):
            return await self._answer(has_body=not request.startswith("HEAD"))

    async def _answer(self, *, has_body: bool) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers.get("content-length", 0)) if has_body else 0
        return Answer(int(first.split(" ")[1]), headers, await self.reader.readexactly(length))


@pytest.fixture
async def connection(
    service: Service, state: SchedulerState, logged: list[EventDict]
) -> AsyncIterator[Connection]:
    async with serving(use_cases_of(service, state)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Connection(reader, writer)
        writer.close()
        await writer.wait_closed()


async def test_an_answer_to_head_has_no_body_and_the_connection_goes_on(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps(dict(ADA)).encode()
    user = (await connection.ask("POST /users", "Content-Type: application/json", body=body)).headers[
        "location"
    ]
    for path in (user, "/users", f"{user}/upcoming", "/schema", "/nothing", "/health/live"):
        headed = await connection.ask(f"HEAD {path}")
        got = await connection.ask(f"GET {path}")
        assert headed.status == got.status
        assert headed.headers["content-length"] == str(len(got.body))
    assert caplog.records == [], "the server has seen nothing odd"


async def test_a_condition_that_holds_is_answered_without_a_body(connection: Connection) -> None:
    body = json.dumps(dict(ADA)).encode()
    user = (await connection.ask("POST /users", "Content-Type: application/json", body=body)).headers[
        "location"
    ]
    for method in ("GET", "HEAD"):
        answer = await connection.ask(f"{method} {user}", 'If-None-Match: "1"')
        assert (answer.status, "content-length" in answer.headers) == (304, False)
    assert (await connection.ask(f"DELETE {user}")).status == 204
    assert (await connection.ask(f"GET {user}")).status == 404


async def test_a_body_that_is_too_large_is_refused_and_the_next_request_is_served(
    connection: Connection,
) -> None:
    answer = await connection.ask("POST /users", "Content-Type: application/json", body=b" " * 2_000_000)
    assert (answer.status, json.loads(answer.body)["status"]) == (413, 413)
    assert (await connection.ask("GET /health/live")).status == 200


async def test_a_body_in_chunks_is_bounded_too(connection: Connection) -> None:
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    answer = await connection.ask(
        "POST /users",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        body=chunk * 2 + b"0\r\n\r\n",
        is_whole=False,
    )
    assert answer.status == 413


async def test_who_goes_away_in_the_middle_of_a_body_is_not_our_failure(
    connection: Connection, logged: list[EventDict]
) -> None:
    connection.writer.write(
        f"POST /users HTTP/1.1\r\nHost: localhost\r\n{_AS_ADMIN[0]}\r\n".encode()
        + b"Content-Type: application/json\r\n"
        b'Content-Length: 200\r\n\r\n{"firstName": '
    )
    await connection.writer.drain()
    await asyncio.sleep(0.05)
    connection.writer.close()
    async with asyncio.timeout(WITHIN_S):
        while not logged:  # noqa: ASYNC110  # nobody tells when a line is logged
            await asyncio.sleep(0.005)
    [line] = logged
    assert (line["event"], line["status"]) == ("request_served", 400)


@pytest.mark.parametrize(
    ("request_", "header"),
    (
        ("GET /users?email=%ff%fe", "X: y"),
        ("GET /users?%ff=%zz&%=1&&=", "X: y"),
        ("GET /users/%ff%00", "X: y"),
        ("GET /users/x", "If-None-Match: \xff"),
        ("GET /users/x", "X-Request-Id: \xff\xfe"),
        ("DELETE /users/01900000-0000-7000-8000-000000000000", "If-Match: \xff"),
        ("POST /users", "Content-Type: \xff; charset=\xff"),
        ("POST /users/import", "Accept: \xff;q=\xff"),
    ),
)
async def test_bytes_that_are_no_text_are_the_callers_mistake(
    connection: Connection, request_: str, header: str
) -> None:
    answer = await connection.ask(request_, header)
    assert 400 <= answer.status < 500
    assert answer.headers["x-request-id"].isalnum()
    assert b"\xff" not in answer.body


async def test_lines_are_sent_as_they_come(connection: Connection) -> None:
    rows = "".join(f"p{number}@example.com,P,L,UTC\n" for number in range(1100))
    data = f"email,first_name,last_name,timezone\n{rows}".encode()
    connection.writer.write(
        f"POST /users/import HTTP/1.1\r\nHost: localhost\r\n{_AS_ADMIN[0]}\r\n".encode()
        + b"Content-Type: text/csv\r\n"
        b"Accept: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    )
    async with asyncio.timeout(WITHIN_S):
        head = (await connection.reader.readuntil(b"\r\n\r\n")).lower()
        assert b"transfer-encoding: chunked" in head
        chunks = []
        while size := int(await connection.reader.readuntil(b"\r\n"), 16):
            chunks.append(json.loads(await connection.reader.readexactly(size + 2)))
    assert [chunk.get("done") for chunk in chunks] == [0, 500, 1000, 1100, None]


async def test_others_are_served_while_a_large_file_is_read(
    connection: Connection, logged: list[EventDict]
) -> None:
    # No line is a person's, and to suggest another zone takes a while for each.
    rows = "".join(f"p{number}@example.com,Europe/Berln{number}\n" for number in range(600))
    data = f"email,timezone\n{rows}".encode()
    large = asyncio.create_task(connection.ask("POST /users/import", "Content-Type: text/csv", body=data))
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection(*connection.writer.get_extra_info("peername"))
    assert (await Connection(reader, writer).ask("GET /health/live")).status == 200
    writer.close()
    assert (await large).status == 200
    assert [line["route"] for line in logged] == ["/health/live", "/users/import"]


async def registered(connection: Connection) -> str:
    body = json.dumps(dict(ADA)).encode()
    answer = await connection.ask("POST /users", "Content-Type: application/json", body=body)
    return answer.headers["location"]


async def test_a_person_is_shown_in_one_piece(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server can be told so; and the answer is the one that a route gives."""
    user = await registered(connection)
    by_route = await connection.ask(f"GET {user}", 'If-None-Match: "7"')
    sent: list[object] = []
    send = RequestResponseCycle.send

    async def noting(cycle: RequestResponseCycle, message: Any) -> None:
        sent.append(message)
        await send(cycle, message)

    monkeypatch.setattr(RequestResponseCycle, "send", noting)
    for _ in range(2):
        whole = await connection.ask(f"GET {user}")
        assert sent == []
        assert (whole.status, whole.body) == (by_route.status, by_route.body)
        assert whole.headers.keys() == by_route.headers.keys()
        own = {"x-request-id", "ratelimit", "date"}
        assert {name: whole.headers[name] for name in whole.headers.keys() - own} == {
            name: by_route.headers[name] for name in by_route.headers.keys() - own
        }


async def test_what_was_answered_is_gone_without_the_collector(connection: Connection) -> None:
    user = await registered(connection)
    gc.collect()
    for path in (user, "/health/live", user):
        assert (await connection.ask(f"GET {path}")).status == 200
    assert sum(isinstance(one, RequestResponseCycle) for one in gc.get_objects()) == 1


async def test_a_request_begins_with_nothing_that_the_start_has_left(
    service: Service, state: SchedulerState, logged: list[EventDict]
) -> None:
    with bound_contextvars(job="start"):
        async with serving(use_cases_of(service, state)) as port:
            connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
            await registered(connection)
            connection.writer.close()
    assert [("request_id" in line, "job" in line) for line in logged] == [(True, False)]


async def test_of_two_that_are_sent_together_the_second_begins_with_nothing_of_the_first(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_with: list[dict[str, Any]] = []
    run_asgi = RequestResponseCycle.run_asgi

    async def noting(cycle: RequestResponseCycle, app: Any) -> None:
        begun_with.append(get_contextvars())
        await run_asgi(cycle, app)

    monkeypatch.setattr(RequestResponseCycle, "run_asgi", noting)
    connection.writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
    async with asyncio.timeout(WITHIN_S):
        assert [(await connection._answer(has_body=True)).status for _ in range(2)] == [200, 200]
    assert begun_with == [{}, {}]


async def test_who_wants_the_connection_to_end_is_told_that_it_does(connection: Connection) -> None:
    user = await registered(connection)
    answer = await connection.ask(f"GET {user}", "Connection: close")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await connection.reader.read() == b""


async def test_a_process_that_leaves_lets_go_of_who_asks_for_a_person(
    service: Service, state: SchedulerState, logged: list[EventDict]
) -> None:
    use_cases = use_cases_of(service, state)
    async with serving(use_cases) as port:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
        user = await registered(connection)
        use_cases.leaving.is_leaving = True
        answer = await connection.ask(f"GET {user}")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await connection.reader.read() == b""
        connection.writer.close()


async def test_requests_that_are_sent_together_are_answered_in_their_order(connection: Connection) -> None:
    user = await registered(connection)
    asked = [user, "/health/live", user, f"{user}?x=1", user]
    head = "\r\n".join(["Host: localhost", *_AS_ADMIN, "", ""])
    connection.writer.write("".join(f"GET {path} HTTP/1.1\r\n{head}" for path in asked).encode())
    async with asyncio.timeout(WITHIN_S):
        answers = [await connection._answer(has_body=True) for _ in asked]
    assert [answer.status for answer in answers] == [200, 200, 200, 422, 200]
    assert [b"Ada" in answer.body for answer in answers] == [True, False, True, False, True]
