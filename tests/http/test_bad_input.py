"""Bad input on every route: refused as documented, without a word of it repeated, and without any effect."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import attrs
import pytest
from structlog.typing import EventDict

from application.statistics import SchedulerState
from tests.http.document import operation_at, operations
from tests.http.world import ADA, NO_MESSAGE, NOBODY, Api, client_of, problem, use_cases_of
from tests.use_cases.service import Service

SECRETS = ("ebulon", "1877", "Zürich")
"""What the table holds of a person: Zebulon, zebulon@example.com, born on 1877-07-07, in Zürich."""

RANDOM_ID = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A trace's id or a person's: one in some thousands holds the digits of the year."""

JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
Row = tuple[str, int, Mapping[str, Any]]
"""What follows the path, the status that it is refused with, and the rest of the request."""


def without_ids(text: str) -> str:
    return RANDOM_ID.sub("", text)


@attrs.frozen
class Case:
    """A row of the table, asked of an operation."""

    operation: str
    asked: str
    status: int
    rest: Mapping[str, Any]


PARTICULARS: tuple[Row, ...] = (
    ("", 422, {"json": {"firstName": "Zebulon\n", "email": "zebulon@", "birthdayDate": "1877-07-07x"}}),
    ("", 422, {"json": {"timezone": "Zürich", "leapDayRule": "Zebulon", "anniversaryDate": "--1877"}}),
    ("", 422, {"json": {"zebulon@example.com": "Zebulon", "1877-07-07": True}}),
    ("", 422, {"json": {"firstName": ["Zebulon"], "email": {"zebulon@example.com": 1877}, "timezone": 1877}}),
    ("", 422, {"json": {"email": "zebulon@example.com" * 60, "firstName": "Zebulon" * 60}}),
    (
        "",
        422,
        {"json": {"firstName": "Zebulon\x00", "lastName": "Zebulon\u2028", "birthdayDate": "2877-07-07"}},
    ),
    ("", 422, {"json": ["Zebulon"]}),
    ("", 422, {"json": "zebulon@example.com"}),
    ("", 400, {"content": b'{"firstName": "Zebulon", "born": 1877-07-07}', "headers": JSON}),
    ("", 400, {"content": b'{"firstName": "Zebulon\\ud800"}', "headers": JSON}),
    ("", 400, {"content": b'{"firstName": "Zebulon\xff"}', "headers": JSON}),
    ("", 400, {"content": b'{"email": "zebulon@example.com", "born": NaN}', "headers": JSON}),
    ("", 413, {"content": b'{"firstName": "' + b"Zebulon" * 200_000 + b'"}', "headers": JSON}),
    ("", 415, {"content": b'{"firstName": "Zebulon"}', "headers": {"content-type": "text/plain"}}),
    ("", 415, {"content": b'{"firstName": "Zebulon"}', "headers": {"content-type": "text/x-zebulon"}}),
    ("", 415, {"data": {"firstName": "Zebulon"}}),
)
CONDITIONS: tuple[Row, ...] = (
    ("", 400, {"headers": {**JSON, "if-match": "zebulon@example.com"}, "content": b"{}"}),
    ("", 412, {"headers": {**JSON, "if-match": '"zebulon@example.com"'}, "content": b"{}"}),
    ("", 412, {"headers": {**JSON, "if-match": 'W/"1"'}, "content": b"{}"}),
)
LISTS: tuple[Row, ...] = (
    ("?limit=1877-07-07", 422, {}),
    ("?after=zebulon@example.com", 422, {}),
    ("?limit=1&limit=1877", 422, {}),
)
ROWS: Mapping[str, tuple[Row, ...]] = {
    "POST /users": (*PARTICULARS, ("", 409, {"json": {**ADA, "firstName": "Zebulon"}})),
    "PUT /users/{id}": (*PARTICULARS, *CONDITIONS),
    "PATCH /users/{id}": (*PARTICULARS, *CONDITIONS),
    "DELETE /users/{id}": (*CONDITIONS, ("?erase=zebulon", 422, {}), ("?erase=true&erase=true", 422, {})),
    "GET /users/{id}": (("", 400, {"headers": {"if-none-match": "zebulon@example.com"}}),),
    "GET /users": (
        *LISTS,
        ("?email=zebulon", 422, {}),
        ("?email=zebulon@example.com", 404, {}),
        ("?email=zebulon@example.com&limit=1", 422, {}),
        ("?email=ada@example.com", 400, {"headers": {"if-none-match": "zebulon@example.com"}}),
    ),
    "POST /users/import": (
        ("?dryRun=zebulon", 422, {"content": b"email", "headers": CSV}),
        ("?dateOrder=zebulon", 422, {"content": b"email", "headers": CSV}),
        ("?encoding=zebulon", 422, {"content": b"email", "headers": CSV}),
        ("?confirm=-1877", 422, {"content": b"email", "headers": CSV}),
        ("?defaultTimezone=Z%C3%BCrich", 422, {"content": b"email", "headers": CSV}),
        ("", 422, {"content": b"Zebulon,zebulon@example.com,1877-07-07", "headers": CSV}),
        ("", 422, {"content": b'"Zebulon\n' * 3, "headers": CSV}),
        ("", 422, {"content": b"email,Zebulon\x81", "headers": CSV}),
        ("", 413, {"content": b"email\nzebulon@example.com".ljust(20 * 1024 * 1024 + 1), "headers": CSV}),
        ("", 415, {"json": {"email": "zebulon@example.com"}}),
    ),
    "GET /birthdays/today": (("", 400, {"headers": {"if-none-match": "zebulon@example.com"}}),),
    "GET /anniversaries/today": (("", 400, {"headers": {"if-none-match": "zebulon@example.com"}}),),
    "GET /users/export": (("?format=zebulon", 422, {}), ("?years=1877", 422, {})),
    "GET /messages": (
        *LISTS,
        ("?status=zebulon", 422, {}),
        ("?userId=zebulon@example.com", 422, {}),
        ("?userId=1877-07-07", 422, {}),
    ),
    "POST /messages/{key}/cancel": (("", 400, {"headers": {"idempotency-key": "zebulon" * 60}}),),
    "POST /imports/{id}/undo": (("", 400, {"headers": {"idempotency-key": "zebulon" * 60}}),),
    "POST /keys": (
        ("", 422, {"json": {"name": "Zebulon\n" * 60, "scopes": ["users:read"]}}),
        ("", 422, {"json": {"name": "Zebulon", "scopes": ["zebulon"], "expiresInDays": 1877}}),
        ("", 422, {"json": {"name": ["Zebulon"], "scopes": "zebulon", "expiresInDays": "1877-07-07"}}),
        ("", 422, {"json": {"zebulon@example.com": 1877}}),
        ("", 400, {"content": b'{"name": "Zebulon"', "headers": JSON}),
        ("", 400, {"json": {"name": "Zebulon"}, "headers": {"idempotency-key": "zebulon"}}),
        ("", 415, {"content": b'{"name": "Zebulon"}', "headers": {"content-type": "text/plain"}}),
    ),
    "POST /keys/{id}/rotate": (
        ("?overlapHours=1877", 422, {}),
        ("", 400, {"headers": {"idempotency-key": "zebulon"}}),
    ),
    "POST /feeds": (
        ("", 422, {"json": {"name": "Zebulon\n" * 60}}),
        ("", 422, {"json": {"name": "Zebulon", "tellsYears": "1877-07-07", "expiresInDays": 1e10}}),
        ("", 422, {"json": {"name": ["Zebulon"], "zebulon@example.com": 1877}}),
        ("", 400, {"content": b'{"name": "Zebulon"', "headers": JSON}),
        ("", 400, {"json": {"name": "Zebulon"}, "headers": {"idempotency-key": "zebulon"}}),
        ("", 415, {"content": b'{"name": "Zebulon"}', "headers": {"content-type": "text/plain"}}),
    ),
    "GET /templates/{kind}/preview": (
        ("?language=zebulon", 422, {}),
        ("?years=1877", 422, {}),
        ("?belated=Zebulon", 422, {}),
        ("?firstName=Zebulon", 422, {}),
    ),
    "POST /messages/{key}/retry": (("", 409, {"json": {"reason": "Zebulon"}}),),
    "POST /messages/{key}/mark-sent": (
        ("", 409, {"json": {"reason": "Zebulon"}}),
        ("", 415, {"content": b"Zebulon"}),
        ("", 422, {"json": {"reason": ["Zebulon"]}}),
        ("", 422, {"json": {"zebulon@example.com": 1877}}),
    ),
    "POST /channels/{name}/resume": (
        ("", 422, {"json": {"reason": ["Zebulon"]}}),
        ("", 422, {"json": {"reason": " ", "zebulon@example.com": 1877}}),
        ("", 400, {"content": b'{"reason": "Zebulon"', "headers": JSON}),
        ("", 415, {"content": b"Zebulon"}),
    ),
    "GET /audit": LISTS,
    "POST /channel/test": (
        ("", 422, {"json": {"email": "zebulon@"}}),
        ("", 422, {"json": {"email": ["zebulon@example.com"]}}),
        ("", 422, {"json": {"zebulon@example.com": 1877}}),
        ("", 400, {"content": b'{"email": "zebulon@example.com"', "headers": JSON}),
        (
            "",
            415,
            {"content": b'{"email": "zebulon@example.com"}', "headers": {"content-type": "text/plain"}},
        ),
    ),
}


def cases() -> Iterator[Any]:
    """Yield what is written above, and for every operation what goes wrong in the same way everywhere."""
    for operation in operations():
        name = str(operation)
        everywhere: list[Row] = [
            ("?zebulon@example.com=1877", 422, {}),
            ("?Email=zebulon@example.com&q=Zebulon", 422, {}),
        ]
        for number, (query, status, rest) in enumerate([*everywhere, *ROWS.get(name, ())]):
            yield pytest.param(Case(name, f"{name}{query}", status, rest), id=f"{name}-{number}")
        if "{" in operation.path:
            for number, id_ in enumerate(
                ("zebulon@example.com", "1877-07-07", "%00Zebulon", NOBODY, NO_MESSAGE)
            ):
                asked = re.sub(r"\{\w+\}", id_, name)
                told = {"reason": "Because."} if operation.path.startswith("/channels/") else {}
                yield pytest.param(Case(name, asked, 404, {"json": told}), id=f"{name}-nobody-{number}")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """One for the whole table, since no row of it may change anything."""
    service = Service()
    with client_of(use_cases_of(service, SchedulerState())) as client:
        yield Api(service, client)


@pytest.fixture(scope="module")
def ada(api: Api) -> str:
    return api.register()


@pytest.mark.parametrize("case", tuple(cases()))
def test_bad_input_is_refused_without_being_repeated_and_changes_nothing(
    api: Api, ada: str, logged: list[EventDict], case: Case
) -> None:
    method, path = case.asked.split(" ", 1)
    path = path.replace("/users/{id}", ada).replace("/messages/{key}", api.message_of(ada))
    path = path.replace("{kind}", "birthday")
    before = api.service.store.committed.copy()
    told_before = list(api.service.told.events)
    logged.clear()

    answer = api(method, path, **case.rest)

    problem(answer, HTTPStatus(case.status))
    operation = operation_at(*case.operation.split(" "))
    assert operation is not None
    assert str(case.status) in operation.answers
    for secret in SECRETS:
        assert secret not in without_ids(answer.text)
        assert secret not in without_ids(repr(answer.headers.raw))
        assert secret not in without_ids(repr(logged))
    assert [line["event"] for line in logged] == ["request_served"]
    assert api.service.store.committed == before
    assert api.service.told.events == told_before


def test_every_route_with_a_body_or_a_parameter_of_its_own_is_in_the_table() -> None:
    rich = {
        str(one)
        for one in operations()
        if "requestBody" in one.told or any(part["in"] != "path" for part in one.told.get("parameters", ()))
    }
    assert rich <= ROWS.keys() <= {str(one) for one in operations()}
