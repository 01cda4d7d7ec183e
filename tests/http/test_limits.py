"""What one caller may have: requests per minute, imports at once, time for an answer."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import attrs
import pytest
from litestar.types import ASGIApp

from adapters.memory.users import MemoryUserReader
from application.limiting import LIMITS, RequestClass
from application.statistics import SchedulerState
from application.views import Page, UserView
from domain.access import Scope
from domain.user import UserId
from entrypoints.http import limits as http_limits
from entrypoints.http.use_cases import UseCases
from tests.http.world import ADA, AS_ADMIN, NO_MESSAGE, NOBODY, Api, app_of, client_of, problem, use_cases_of
from tests.use_cases.service import Service


@pytest.fixture
def narrow(use_cases: UseCases) -> UseCases:
    limits = {**LIMITS, RequestClass.READ: 3, RequestClass.WRITE: 1}
    return attrs.evolve(use_cases, limiter=attrs.evolve(use_cases.limiter, limits=limits))


@pytest.fixture
def api(service: Service, narrow: UseCases) -> Iterator[Api]:
    with client_of(narrow) as client:
        yield Api(service, client)


def test_a_key_has_its_requests_of_a_minute_and_is_told_when_the_next_begins(api: Api) -> None:
    answers = [api.get("/users") for _ in range(4)]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        f'"read";r={left};t=60' for left in (2, 1, 0, 0)
    ]
    assert answers[0].headers["ratelimit-policy"] == '"read";q=3;w=60'
    problem(answers[3], HTTPStatus.TOO_MANY_REQUESTS)
    assert answers[3].headers["retry-after"] == "60"
    clock = api.service.clock
    clock.move_to(clock.now() + timedelta(seconds=60))
    assert api.get("/users").status_code == HTTPStatus.OK


def test_kinds_of_requests_are_counted_apart_and_what_is_open_not_at_all(api: Api) -> None:
    assert api.post("/users", dict(ADA)).status_code == HTTPStatus.CREATED
    problem(api.post("/users", {**ADA, "email": "x@example.com"}), HTTPStatus.TOO_MANY_REQUESTS)
    for path in ("/health/live", "/schema"):
        for _ in range(5):
            assert "ratelimit" not in api.get(path).headers
    assert api.get("/users").status_code == HTTPStatus.OK
    assert api.get("/keys").headers["ratelimit-policy"].startswith('"admin"')


def test_another_key_has_its_own(api: Api, narrow: UseCases) -> None:
    for _ in range(4):
        api.get("/users")
    other = api.do(narrow.access.make_key, "other", {Scope.ADMIN})
    assert api.get("/users", Authorization=f"Bearer {other.text}").status_code == HTTPStatus.OK


def test_a_problem_has_the_fields_too(api: Api) -> None:
    assert api.get("/users/x").headers["ratelimit"] == '"read";r=2;t=60'


async def ask(app: ASGIApp, path: str, receive: Any = None, **headers: str) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def nothing() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    told = {**AS_ADMIN, **headers}
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST" if receive else "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().replace("_", "-").encode(), value.encode()) for name, value in told.items()
        ],
    }
    await app(scope, receive or nothing, send)
    return sent[0]["status"], dict(sent[0]["headers"])


async def nothing_said() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_so_many_imports_run_at_once_and_the_next_is_asked_to_come_again(use_cases: UseCases) -> None:
    app, rest_comes = app_of(use_cases), asyncio.Event()
    all_run = asyncio.Barrier(http_limits.IMPORTS_AT_ONCE + 1)

    async def slowly() -> Any:
        if not rest_comes.is_set():
            await all_run.wait()
        await rest_comes.wait()
        return {"type": "http.request", "body": b"email\n", "more_body": False}

    running = [
        asyncio.create_task(ask(app, "/users/import", slowly, content_type="text/csv"))
        for _ in range(http_limits.IMPORTS_AT_ONCE)
    ]
    async with asyncio.timeout(20):
        await all_run.wait()
        status, headers = await ask(app, "/users/import", slowly, content_type="text/csv")
    assert (status, headers[b"retry-after"]) == (HTTPStatus.TOO_MANY_REQUESTS, b"5")
    rest_comes.set()
    assert [status for status, _ in await asyncio.gather(*running)] == [HTTPStatus.OK] * len(running)
    assert (await ask(app, "/users/import", slowly, content_type="text/csv"))[0] == HTTPStatus.OK


async def test_an_answer_that_takes_too_long_is_given_up(
    use_cases: UseCases, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_WITHIN_S", 0.05)
    app = app_of(use_cases)
    async with service.unit_of_work():  # which every other one waits for
        status, _ = await asyncio.create_task(ask(app, f"/messages/{NO_MESSAGE}/cancel", nothing_said))
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert (await ask(app, "/users"))[0] == HTTPStatus.OK


class Stuck(MemoryUserReader):
    """Finds nobody in time."""

    __slots__ = ()

    async def get(self, user_id: UserId) -> UserView | None:
        await asyncio.Event().wait()
        raise AssertionError


def test_a_person_who_is_not_found_in_time_is_given_up(
    service: Service, state: SchedulerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_WITHIN_S", 0.05)
    with client_of(use_cases_of(service, state, users=Stuck(service.store))) as client:
        problem(client.get(f"/users/{NOBODY}"), HTTPStatus.SERVICE_UNAVAILABLE)


class Pondering(MemoryUserReader):
    """Takes a moment for every page."""

    __slots__ = ()

    async def page(self, after: UserId | None, limit: int) -> Page[UserView]:
        await asyncio.sleep(0.01)
        return await super().page(after, limit)


def test_a_file_may_take_longer_than_another_answer(
    service: Service, state: SchedulerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_WITHIN_S", 0.0)
    with client_of(use_cases_of(service, state, users=Pondering(service.store))) as client:
        problem(client.get("/users"), HTTPStatus.SERVICE_UNAVAILABLE)
        assert client.get("/users/export").text.startswith("\ufeffexternal_id,")
