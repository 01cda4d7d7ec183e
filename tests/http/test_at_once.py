"""A person who is in the cache is shown without a task, on the real server; whatever is no hit goes on in one."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import attrs
import pytest
from litestar.types import ASGIApp
from structlog.typing import EventDict
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from adapters.memory.cache import MemoryCache
from adapters.memory.invalidations import MemoryInvalidationLog
from application.access import BELIEVED_FOR
from application.cache_ports import CacheUnavailable
from application.cached_reader import CachedUserReader
from application.limiting import LIMITS, RequestClass
from application.statistics import SchedulerState
from application.users import GetUser
from entrypoints.http.use_cases import UseCases
from tests.cache.intercepting import InterceptedCache
from tests.cache.stopping import Counting, Failing, Stop
from tests.cache.world import MemoryWorld, Monotonic, begun
from tests.http.serving import serving
from tests.http.test_over_a_socket import Answer, Connection, registered
from tests.http.world import ADMIN, use_cases_of
from tests.use_cases.service import Service

pytestmark = pytest.mark.slow

T = TypeVar("T")
WITHIN_S = 10
HEAD = f"Host: localhost\r\nAuthorization: Bearer {ADMIN.text}\r\n\r\n"


@attrs.define(eq=False)
class Site:
    """The API with a cache, on a port; who is around the calls of the cache may be changed."""

    use_cases: UseCases
    service: Service
    port: int = 0
    around: Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]] = attrs.field(
        factory=Counting
    )
    tasks: list[str] = attrs.field(factory=list)
    """The addresses of the requests that have had a task."""

    async def opened(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self.port))


@pytest.fixture
async def site(
    service: Service, state: SchedulerState, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monotonic, memory = Monotonic(), MemoryCache()
    world = MemoryWorld(
        monotonic=monotonic,
        cache=memory,
        log=MemoryInvalidationLog(service.store),
        user_reader=service.users,
        store=service.store,
        memory=memory,
    )
    site = Site(use_cases_of(service, state), service)

    async def around(name: str, call: Callable[[], Awaitable[T]]) -> T:
        return await site.around(name, call)  # type: ignore[return-value]  # passed on as they came

    await begun(world)
    process = await world.started(cache=InterceptedCache(memory, around))
    site.use_cases = attrs.evolve(site.use_cases, get_user=GetUser(process.reader))
    run_asgi = RequestResponseCycle.run_asgi

    async def noting(cycle: RequestResponseCycle, app: ASGIApp) -> None:
        site.tasks.append(cycle.scope["path"])
        await run_asgi(cycle, app)  # type: ignore[arg-type]  # uvicorn has types of its own

    monkeypatch.setattr(RequestResponseCycle, "run_asgi", noting)
    async with serving(site.use_cases) as site.port:
        yield site


@pytest.fixture
async def connection(site: Site) -> AsyncIterator[Connection]:
    connection = await site.opened()
    yield connection
    connection.writer.close()


@pytest.fixture
async def ada(site: Site, connection: Connection, logged: list[EventDict]) -> str:
    """Where Ada is shown, who is in the cache."""
    user = await registered(connection)
    for source in ("MISS", "HIT"):
        assert (await connection.ask(f"GET {user}")).headers["x-cache"] == source
    site.tasks.clear()
    logged.clear()
    return user


def left(answer: Answer) -> int:
    """Return how many requests are left, by what an answer says."""
    found = re.search(r"r=(\d+)", answer.headers["ratelimit"])
    assert found is not None
    return int(found[1])


def served(site: Site) -> str:
    return site.use_cases.metrics.render(None)[0].decode()


async def test_a_hit_has_no_task_and_all_that_an_answer_of_the_route_has(
    site: Site, connection: Connection, ada: str
) -> None:
    by_route = await connection.ask(f"GET {ada}", 'If-None-Match: "7"')
    assert site.tasks == [ada]
    hit = await connection.ask(f"GET {ada}")
    assert site.tasks == [ada], "it has had none"
    assert (hit.status, hit.body, hit.headers["x-cache"]) == (200, by_route.body, "HIT")
    own = {"x-request-id", "ratelimit", "date"}
    assert hit.headers.keys() == by_route.headers.keys()
    assert {name: hit.headers[name] for name in hit.headers.keys() - own} == {
        name: by_route.headers[name] for name in by_route.headers.keys() - own
    }
    assert left(hit) == left(by_route) - 1


async def test_each_is_counted_and_logged_once_whether_it_was_a_hit_or_not(
    site: Site, connection: Connection, ada: str, logged: list[EventDict]
) -> None:
    other = await registered_other(connection)
    site.around = counting = Counting()
    logged.clear()
    before = left(await connection.ask(f"GET {ada}"))
    answers = [await connection.ask(f"GET {path}", "X-Request-Id: mine") for path in (ada, other, other)]
    assert [answer.headers["x-cache"] for answer in answers] == ["HIT", "MISS", "HIT"]
    assert [before - left(answer) for answer in answers] == [1, 2, 3]
    assert site.tasks[-1:] == [other]
    assert counting.calls["look"] == 4, "the task goes on with the look that was made"
    assert [line["request_id"] for line in logged[1:]] == ["mine"] * 3
    assert {(line["event"], line["method"], line["route"], line["status"]) for line in logged} == {
        ("request_served", "GET", "/users/{id}", 200)
    }
    count = 'http_request_duration_seconds_count{method="GET",route="/users/{id}",status="200"}'
    assert f"{count} 6.0" in served(site)


async def registered_other(connection: Connection) -> str:
    body = b'{"firstName": "Bob", "lastName": "B", "email": "bob@example.com", "timezone": "UTC"}'
    answer = await connection.ask("POST /users", "Content-Type: application/json", body=body)
    return answer.headers["location"]


async def test_without_the_cache_it_goes_on_with_the_database(
    site: Site, connection: Connection, ada: str, logged: list[EventDict]
) -> None:
    site.around = failing = Failing(CacheUnavailable, {"look"})
    answer = await connection.ask(f"GET {ada}")
    assert (answer.status, answer.headers["x-cache"]) == (200, "BYPASS")
    assert (failing.failed, site.tasks, len(logged)) == (1, [ada], 1)


async def test_what_goes_wrong_without_a_task_is_done_again_in_one(
    site: Site, connection: Connection, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(CachedUserReader, "found", fail)
    answer = await connection.ask(f"GET {ada}")
    assert (answer.status, answer.headers["x-cache"], site.tasks) == (200, "HIT", [ada])


async def test_what_goes_wrong_before_there_is_a_task_is_told_by_one(
    connection: Connection, ada: str, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patched:
        patched.setattr(CachedUserReader, "begin", fail)
        asked = "".join(f"GET {path} HTTP/1.1\r\n{HEAD}" for path in (ada, "/health/live", ada))
        connection.writer.write(asked.encode())
        async with asyncio.timeout(WITHIN_S):
            answers = [await connection._answer(has_body=True) for _ in range(3)]
    assert [answer.status for answer in answers] == [500, 200, 500]
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert [line["status"] for line in logged if line["event"] == "request_served"] == [500, 200, 500]
    assert (await connection.ask(f"GET {ada}")).headers["x-cache"] == "HIT"


async def test_who_has_left_leaves_nothing_to_the_collector(site: Site, ada: str) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            other = await site.opened()
            assert (await other.ask(f"GET {ada}")).headers["x-cache"] == "HIT"
            other.writer.close()
            await other.writer.wait_closed()
            await asyncio.sleep(0.05)
        assert sum(isinstance(one, RequestResponseCycle) for one in gc.get_objects()) == 1, "that of Ada"
    finally:
        gc.enable()


async def test_a_key_that_was_revoked_is_refused_as_soon_as_by_the_route(
    site: Site, connection: Connection, ada: str
) -> None:
    await site.use_cases.access.revoke_key(ADMIN.key.id)
    assert (await connection.ask(f"GET {ada}")).status == 200
    site.service.clock.move_to(site.service.clock.now() + BELIEVED_FOR)
    answer = await connection.ask(f"GET {ada}")
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "www-authenticate" in answer.headers


async def test_who_has_had_all_is_refused_and_nothing_is_looked_for(
    site: Site, connection: Connection, ada: str
) -> None:
    site.use_cases.limiter.limits = LIMITS | {RequestClass.READ: 2}
    site.service.clock.move_to(site.service.clock.now() + BELIEVED_FOR * 20)  # the next minute
    site.around = counting = Counting()
    statuses = [(await connection.ask(f"GET {ada}")).status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert counting.calls["look"] == 2


async def test_head_has_no_body(connection: Connection, ada: str) -> None:
    answers = [await connection.ask(f"{method} {ada}") for method in ("HEAD", "GET")]
    assert [answer.headers["x-cache"] for answer in answers] == ["HIT", "HIT"]
    assert [bool(answer.body) for answer in answers] == [False, True]
    assert answers[0].headers["content-length"] == str(len(answers[1].body))


async def test_who_goes_away_meanwhile_is_counted_and_others_are_served(
    site: Site, connection: Connection, ada: str, logged: list[EventDict]
) -> None:
    other = await site.opened()
    site.around = stop = Stop("look")
    asking = asyncio.create_task(connection.ask(f"GET {ada}"))
    async with asyncio.timeout(WITHIN_S):
        await stop.arrived.wait()
        assert (await other.ask(f"GET {ada}")).headers["x-cache"] == "HIT"
        connection.writer.close()
        await asyncio.gather(asking, return_exceptions=True)
        stop.go_on.set()
        while len(logged) < 2:  # noqa: ASYNC110  # nobody tells when a line is logged
            await asyncio.sleep(0.005)
    assert (await other.ask(f"GET {ada}")).status == 200
    assert [line["status"] for line in logged] == [200] * 3
    other.writer.close()


async def test_a_process_that_begins_to_leave_meanwhile_lets_go_of_who_asks(
    site: Site, connection: Connection, ada: str
) -> None:
    site.around = stop = Stop("look")
    async with stop.stopped(connection.ask(f"GET {ada}")) as asking:
        site.use_cases.leaving.is_leaving = True
    answer = await asking
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await connection.reader.read() == b""


async def test_a_process_that_stops_meanwhile_waits_for_who_is_shown_without_a_task(
    site: Site, ada: str
) -> None:
    ending = serving(site.use_cases)
    port = await ending.__aenter__()
    last = Connection(*await asyncio.open_connection("127.0.0.1", port))
    site.around = stop = Stop("look")
    async with stop.stopped(last.ask(f"GET {ada}")) as asking:
        stopped = stop.beside(ending.__aexit__(None, None, None))
        await asyncio.sleep(0.5)
        assert not stopped.done()
    answer = await asking
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await last.reader.read() == b""
    await stopped
    last.writer.close()


async def test_requests_that_are_sent_together_are_answered_in_their_order(
    site: Site, connection: Connection, ada: str
) -> None:
    asked = [ada, "/health/live", ada, ada, f"{ada}?x=1", ada]
    connection.writer.write("".join(f"GET {path} HTTP/1.1\r\n{HEAD}" for path in asked).encode())
    async with asyncio.timeout(WITHIN_S):
        answers = [await connection._answer(has_body=True) for _ in asked]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 422, 200]
    assert [b"Ada" in answer.body for answer in answers] == [True, False, True, True, False, True]
    assert site.tasks == ["/health/live", ada], "the one with a query"
