"""What surrounds every request: HEAD, request ids, one line in the log."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from structlog.typing import EventDict

from application.statistics import SchedulerState
from entrypoints.http.app import create_app
from entrypoints.http.edges import with_edges
from entrypoints.http.use_cases import UseCases
from tests.http.world import AS_ADMIN, NOBODY, Api, client_of, use_cases_of
from tests.use_cases.service import Service

OWN = {"x-request-id", "date", "ratelimit"}


@pytest.mark.parametrize(
    "path",
    (
        "{ada}",
        "{ada}/upcoming",
        "{message}",
        "/users",
        "/users?email=ada@example.com",
        "/users?limit=0",
        "/birthdays/today",
        "/anniversaries/today",
        "/messages?limit=1",
        "/scheduler/stats",
        "/health/live",
        "/health/ready",
        "/health/scheduler",
        "/schema",
        "/schema/openapi.json",
        "/nothing",
        f"/users/{NOBODY}",
    ),
)
def test_head_is_get_without_the_body(api: Api, ada: str, path: str) -> None:
    path = path.format(ada=ada, message=api.message_of(ada))
    got, headed = api.get(path), api("HEAD", path)
    assert headed.status_code == got.status_code
    assert headed.content == b""
    for header in got.headers.keys() - OWN:
        assert headed.headers[header] == got.headers[header]
    assert headed.headers.keys() == got.headers.keys()


def test_head_honours_conditions(api: Api, ada: str) -> None:
    answer = api("HEAD", ada, headers={"if-none-match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (HTTPStatus.NOT_MODIFIED, '"1"')


def test_a_request_keeps_its_id_if_it_is_a_plain_one(api: Api) -> None:
    assert api.get("/health/live", x_request_id="a.b_c-1").headers["x-request-id"] == "a.b_c-1"
    for other in ("", "x" * 65, "ada@example.com", "a b", "a\tb"):
        given = api.get("/health/live", x_request_id=other).headers["x-request-id"]
        assert given not in {"", other}
        assert len(given) == 32


def test_ids_of_our_own_differ(api: Api) -> None:
    assert len({api.get("/nothing").headers["x-request-id"] for _ in range(20)}) == 20


def test_a_request_is_one_line_that_names_the_route_and_not_what_was_asked(
    api: Api, logged: list[EventDict]
) -> None:
    api.get("/users?email=ada@example.com&limit=1", x_request_id="one")
    [line] = logged
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request_served",
        "log_level": "info",
        "method": "GET",
        "route": "/users",
        "status": 422,
        "request_id": "one",
    }


@pytest.mark.parametrize(
    ("asked", "route", "status"),
    (
        (f"GET /users/{NOBODY}?x=1", "/users/{id}", 422),
        (f"GET /users/{NOBODY}", "/users/{id}", 404),
        ("HEAD /health/live", "/health/live", 200),
        ("POST /messages/ada@example.com/retry", "/messages/{key}/retry", 404),
        ("GET /ada@example.com", "unknown", 404),
        ("DELETE /users?email=ada@example.com", "unknown", 405),
        ("GET /schema", "/schema", 200),
    ),
)
def test_every_request_is_logged_also_those_that_no_route_takes(
    api: Api, logged: list[EventDict], asked: str, route: str, status: int
) -> None:
    method, path = asked.split(" ")
    answer = api(method, path)
    [line] = logged
    assert (line["method"], line["route"], line["status"]) == (method, route, status)
    assert type(line["status"]) is int
    assert line["request_id"] == answer.headers["x-request-id"]


def test_the_id_of_one_request_does_not_stay_for_the_next(api: Api, logged: list[EventDict]) -> None:
    for id_ in ("one", "two"):
        api.get("/health/live", x_request_id=id_)
    assert [line["request_id"] for line in logged] == ["one", "two"]


def test_what_the_application_needs_is_opened_and_closed_with_it(use_cases: UseCases) -> None:
    course = []

    @asynccontextmanager
    async def lent(_app: Litestar) -> AsyncIterator[None]:
        course.append("opened")
        yield
        course.append("closed")

    with TestClient(with_edges(create_app(use_cases, lifespan=[lent]), use_cases)) as client:
        assert client.get("/health/live").status_code == HTTPStatus.OK
        assert course == ["opened"]
    assert course == ["opened", "closed"]


def test_two_applications_do_not_know_each_other(use_cases: UseCases, ada: str) -> None:
    other = use_cases_of(Service(), SchedulerState())
    found = []
    for app, of in ((create_app(use_cases), use_cases), (create_app(other), other)):
        assert not app.debug
        with TestClient(with_edges(app, of)) as client:
            found.append(client.get(ada, headers=AS_ADMIN).status_code)
    assert found == [HTTPStatus.OK, HTTPStatus.NOT_FOUND]


def test_what_tests_share_answers_from_what_each_of_them_brought(api: Api, ada: str) -> None:
    with client_of(use_cases_of(Service(), SchedulerState())) as other:
        assert other.get(ada).status_code == HTTPStatus.NOT_FOUND
        assert api.get(ada).status_code == HTTPStatus.OK
        # A key that is the one's alone: what the middlewares hold is each one's own as well.
        text = other.post("/keys", json={"name": "x", "scopes": ["admin"]}).json()["text"]
        assert api.get(ada, authorization=f"Bearer {text}").status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "path", ("{ada}", "/users", "/users?email=ada@example.com", "/messages", "/health/live")
)
def test_no_request_waits_for_another_thread(
    api: Api, ada: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way there and back takes longer than all the rest of an answer."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    assert api.get(path.format(ada=ada)).status_code == HTTPStatus.OK
