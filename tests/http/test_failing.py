"""What the API answers, and logs, when something behind it fails, or nothing is there."""

from http import HTTPStatus

import pytest
from structlog.typing import EventDict

from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from application.errors import ApplicationError, CommitOutcomeUnknown
from application.statistics import SchedulerState
from application.views import UserView
from domain.user import UserId
from tests.http.world import ADA, NO_MESSAGE, NOBODY, Api, client_of, problem, use_cases_of
from tests.use_cases.service import Service

NEEDS_THE_STORE = (
    ("POST", "/users", ADA),
    ("GET", "/users", None),
    ("GET", "/users?email=ada@example.com", None),
    ("GET", f"/users/{NOBODY}", None),
    ("PUT", f"/users/{NOBODY}", {"firstName": "Ada"}),
    ("PATCH", f"/users/{NOBODY}", {"firstName": "Ada"}),
    ("DELETE", f"/users/{NOBODY}", None),
    ("GET", f"/users/{NOBODY}/upcoming", None),
    ("GET", "/messages", None),
    ("GET", f"/messages/{NO_MESSAGE}", None),
    ("POST", f"/messages/{NO_MESSAGE}/retry", None),
    ("POST", f"/messages/{NO_MESSAGE}/cancel", None),
    ("POST", f"/messages/{NO_MESSAGE}/mark-sent", None),
    ("GET", "/scheduler/stats", None),
    ("GET", "/health/ready", None),
)


@pytest.mark.parametrize(("method", "path", "body"), NEEDS_THE_STORE)
def test_a_database_that_is_away_is_told_and_when_to_try_again(
    api: Api, method: str, path: str, body: object, logged: list[EventDict]
) -> None:
    api.service.store.is_reachable = False
    answer = api(method, path, json=body)
    found = problem(answer, HTTPStatus.SERVICE_UNAVAILABLE)
    assert found["detail"] == "The database cannot be reached or is too busy. Nothing was changed; try again."
    assert answer.headers["retry-after"] == "2"
    assert [line["event"] for line in logged] == ["request_served"]


class UnknownOutcome(MemoryUnitOfWork):
    """Its commits may or may not have happened."""

    async def commit(self) -> None:
        await super().commit()
        raise CommitOutcomeUnknown


def test_a_commit_of_unknown_outcome_asks_to_look_first(service: Service, state: SchedulerState) -> None:
    use_cases = use_cases_of(service, state, unit_of_work=lambda: UnknownOutcome(service.store))
    with client_of(use_cases) as client:
        answer = client.post("/users", json=dict(ADA))
    found = problem(answer, HTTPStatus.SERVICE_UNAVAILABLE)
    assert "Read the record before you repeat the change." in found["detail"]
    assert "retry-after" not in answer.headers


class Defective(MemoryUserReader):
    """A reader with a bug, which puts the person's data into its errors."""

    async def get(self, user_id: UserId) -> UserView | None:
        raise RuntimeError("Ada Lovelace, born 1990-03-14") from LookupError("ada@example.com")

    async def find_by_email(self, email: str) -> UserView | None:
        raise ApplicationError(f"A kind of error that nobody has heard of: {email}")


def test_what_nobody_foresaw_is_a_problem_too_and_logged_once_without_what_was_asked(
    service: Service, state: SchedulerState, logged: list[EventDict]
) -> None:
    with client_of(use_cases_of(service, state, users=Defective(service.store))) as client:
        answers = [
            client.get(f"/users/{NOBODY}", headers={"x-request-id": "one"}),
            client.get("/users?email=ada@example.com", headers={"x-request-id": "two"}),
        ]
    for answer in answers:
        found = problem(answer, HTTPStatus.INTERNAL_SERVER_ERROR)
        assert found["detail"] == "Something went wrong here. It is logged."
    assert [(line["event"], line["request_id"]) for line in logged] == [
        ("request_failed", "one"),
        ("request_served", "one"),
        ("request_failed", "two"),
        ("request_served", "two"),
    ]
    failed = logged[0]
    assert failed.keys() == {"event", "log_level", "method", "error", "traceback", "request_id"}
    assert (failed["method"], failed["error"]) == ("GET", "builtins.RuntimeError")
    course = failed["traceback"]
    assert [line for line in course if not line.startswith(" ")] == [
        "builtins.RuntimeError",
        "builtins.LookupError",
    ]
    assert course[-2].endswith("in get")
    told = repr([(answer.text, answer.headers.raw) for answer in answers]) + repr(logged)
    for secret in ("ada", "Ada", "Lovelace", "1990"):
        assert secret not in told


@pytest.mark.parametrize(
    "path",
    (
        "/page",
        "/nothing",
        "/page/nothing",
        "/users/x/y/z",
        "/health",
        "/schema/redoc",
        "/schema/swagger.json",
        "/ada@example.com",
        f"/users/{NOBODY}/nothing",
        "/%00",
        "/%ff",
        "/..%2f..%2fetc",
    ),
)
def test_an_address_where_nothing_is_says_so_and_does_not_repeat_it(api: Api, path: str) -> None:
    found = problem(api.get(path), HTTPStatus.NOT_FOUND)
    assert found == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this address.",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    (
        ("DELETE", "/users", "GET, HEAD, OPTIONS, POST"),
        ("POST", f"/users/{NOBODY}", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("PUT", "/health/live", "GET, HEAD, OPTIONS"),
        ("POST", "/schema", "GET, HEAD, OPTIONS"),
        ("GET", "/users/import", "OPTIONS, POST"),
        ("HEAD", f"/messages/{NO_MESSAGE}/retry", "OPTIONS, POST"),
        ("TRACE", "/messages", "GET, HEAD, OPTIONS"),
        ("BREW", "/messages", "GET, HEAD, OPTIONS"),
    ),
)
def test_a_method_that_an_address_does_not_know_is_told_which_ones_it_does(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = api(method, path)
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        problem(answer, HTTPStatus.METHOD_NOT_ALLOWED)
        assert api("OPTIONS", path).headers["allow"] == allowed
