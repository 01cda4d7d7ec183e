"""On one connection every answer goes to who asked for it, whatever becomes of the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from redis.exceptions import NoScriptError, ResponseError

from adapters.redis.client import open_client
from adapters.redis.wire import Wires
from tests.redis.proxy import Mode, Proxy, proxy

pytestmark = pytest.mark.servers


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Wires]:
    async with aclosing(open_client(url, connections_max=2, timeout_s=5)) as client:
        wires = Wires(client)
        yield wires
        await wires.aclose()


@pytest.fixture
async def server(valkey_url: str) -> AsyncIterator[Proxy]:
    async with proxy(valkey_url) as server:
        yield server


async def test_many_ask_on_one_connection(server: Proxy) -> None:
    async with opened(server.url) as wires:
        asked = [wires.execute_command("ECHO", b"%d" % number) for number in range(200)]
        assert await asyncio.gather(*asked) == [b"%d" % number for number in range(200)]
        assert server.connections == 1


async def test_who_no_longer_waits_leaves_no_answer_to_another(server: Proxy) -> None:
    async with opened(server.url) as wires:
        await wires.execute_command("ECHO", "connected")
        server.delay_s = 0.005
        for turn in range(20):
            tasks = [
                asyncio.create_task(wires.execute_command("ECHO", f"{turn}.{number}")) for number in range(10)
            ]
            await asyncio.sleep(0.0005 * turn)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert [task.result() for task in tasks[1::2]] == [
                f"{turn}.{number}".encode() for number in range(1, 10, 2)
            ]


async def test_where_somebody_has_waited_in_vain_the_next_asks_on_another_connection(server: Proxy) -> None:
    async with opened(server.url) as wires:
        await wires.execute_command("ECHO", "connected")
        server.mode = Mode.HANG
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await wires.execute_command("ECHO", "lost")
        server.mode = Mode.PASS
        assert await wires.execute_command("ECHO", "heard") == b"heard"
        assert server.connections == 3


async def test_an_answer_to_nothing_ends_the_connection(server: Proxy) -> None:
    async with opened(server.url) as wires:
        server.mode, server.reply = Mode.REPLY, b"+one\r\n+two\r\n"
        assert await wires.execute_command("ECHO", "x") == b"one"
        server.mode = Mode.PASS
        assert await wires.execute_command("ECHO", "y") == b"y"
        assert server.connections == 2


async def test_when_the_connection_ends_all_who_wait_hear_of_it_and_the_next_connects(server: Proxy) -> None:
    async with opened(server.url) as wires:
        await wires.execute_command("ECHO", "connected")
        server.mode = Mode.HANG
        asked = [asyncio.create_task(wires.execute_command("ECHO", "lost")) for _ in range(5)]
        await asyncio.sleep(0.01)
        server.cut_all()
        assert {type(one) for one in await asyncio.gather(*asked, return_exceptions=True)} <= {
            ConnectionError,
            ConnectionResetError,
        }
        server.mode = Mode.PASS
        assert await wires.execute_command("ECHO", "heard") == b"heard"


async def test_what_the_server_refuses_is_an_error_of_who_asked_alone(server: Proxy) -> None:
    async with opened(server.url) as wires:
        answers: list[object] = await asyncio.gather(
            wires.execute_command("ECHO", "x"),
            wires.execute_command("NONSENSE"),
            wires.execute_command("EVALSHA", "0" * 40, 0),
            return_exceptions=True,
        )
        assert answers[0] == b"x"
        assert [type(answer) for answer in answers[1:]] == [ResponseError, NoScriptError]
        assert server.connections == 1
