"""The OpenAPI document: complete, true, and with examples that work."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from application.statistics import SchedulerState
from entrypoints.http.app import create_app
from entrypoints.http.use_cases import UseCases
from tests.http.document import Operation, document, misfits, operation_at, operations, resolved
from tests.http.pages import pause_channel
from tests.http.world import ADA, Api, reasons

every_operation = pytest.mark.parametrize("operation", operations(), ids=str)
WITH_BODY = [one for one in operations() if "requestBody" in one.told]


def references(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        if "$ref" in told:
            yield told["$ref"]
        for value in told.values():
            yield from references(value)
    elif isinstance(told, list):
        for value in told:
            yield from references(value)


def example_of(operation: Operation) -> Any:
    content = operation.told["requestBody"]["content"]
    [media_type, *_] = content
    [example] = content[media_type]["examples"].values()
    return read(example["value"])


def read(example: Any) -> Any:
    return example if isinstance(example, str) else json.loads(bytes(example))


def test_it_is_at_schema_and_says_what_is_served(api: Api) -> None:
    answers = [api.get("/schema"), api.get("/schema/openapi.json")]
    for answer in answers:
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == answers[0].json()
        assert answer.json()["openapi"].startswith("3.1.")
    assert answers[0].json()["paths"].keys() == document()["paths"].keys()


def test_every_route_is_documented_and_nothing_else(use_cases: UseCases) -> None:
    routes = {
        (method, route.path_format)
        for route in create_app(use_cases).routes
        if isinstance(route, HTTPRoute)
        and not route.path.startswith(("/schema", "/login", "/metrics", "/page", "/unsubscribe"))  # not JSON
        and route.path != "/"
        for method in route.methods
        if method != "OPTIONS"
    }
    assert routes == {(one.method, one.path) for one in operations()}


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [one.told["operationId"] for one in operations()]
    assert len(set(names)) == len(names)


def test_names_of_schemas_are_plain() -> None:
    assert all(name.isalpha() for name in document()["components"]["schemas"])


def test_every_reference_leads_somewhere() -> None:
    found = list(references(document()))
    assert found
    for reference in found:
        resolved({"$ref": reference})


@every_operation
def test_an_operation_says_what_it_is_for(operation: Operation) -> None:
    assert operation.told["operationId"].isidentifier()
    assert operation.told["summary"]
    assert operation.told["description"]
    assert len(operation.told["tags"]) == 1


@every_operation
def test_an_operation_documents_its_parameters(operation: Operation) -> None:
    parameters = operation.told.get("parameters", [])
    named = [(one["in"], one["name"]) for one in parameters]
    assert len(set(named)) == len(named)
    in_path = [name for place, name in named if place == "path"]
    assert in_path == [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    for one in parameters:
        assert one["schema"]
        assert one["in"] == "path" or one["description"]
        assert one["required"] == (one["in"] == "path")


@every_operation
def test_an_operation_documents_its_problems(operation: Operation) -> None:
    statuses = {int(status) for status in operation.answers if status >= "400"}
    assert statuses >= {422, 500}
    assert (503 in statuses) == (operation.path != "/health/live")
    assert not ("{" in operation.path and 404 not in statuses)
    if operation in WITH_BODY:
        assert statuses >= {400, 413, 415}
    for status in statuses:
        answer = operation.answers[str(status)]
        assert answer["description"]
        [(media_type, content)] = answer["content"].items()
        assert media_type == "application/problem+json"
        [example] = content["examples"].values()
        assert example["value"]["status"] == status
        assert list(misfits(content["schema"], example["value"])) == []


@every_operation
def test_an_answer_has_examples_that_fit(operation: Operation) -> None:
    content = operation.success().get("content", {})
    assert bool(content) == ("204" not in operation.answers)
    for media_type, told in content.items():
        assert told["examples"]
        for example in told["examples"].values():
            value = read(example["value"])
            assert media_type == "application/json" or isinstance(value, str)
            assert list(misfits(told["schema"], value)) == []


def message_ready_for(api: Api, ada: str, path: str) -> str:
    """Return a message of Ada's in a state that allows what is done at *path*."""
    message = api.message_of(ada)
    if path.endswith("/retry"):
        api.post(f"{message}/cancel")
    if path.endswith("/mark-sent"):
        service = api.service
        service.channel.deduplicates = False
        service.channel.break_with(TimeoutError())
        service.at(service.clock.now() + timedelta(hours=21))
        with pytest.raises(TimeoutError):
            api.do(service.send)
        service.let_leases_run_out()
        api.do(service.keep)
    return message


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_body_has_an_example_that_is_accepted(api: Api, ada: str, operation: Operation) -> None:
    body = operation.told["requestBody"]
    assert body["required"] is not operation.path.startswith("/messages")  # where it only says why
    example = example_of(operation)
    if not isinstance(example, str):
        example = {**example, **({"email": "grace@example.com"} if "email" in example else {})}
    for media_type, content in body["content"].items():
        assert list(misfits(content["schema"], example)) == []
        data = example if isinstance(example, str) else json.dumps(example)
        path = operation.path.replace("/users/{id}", ada)
        if path.startswith("/messages"):
            path = path.replace("/messages/{key}", message_ready_for(api, ada, path))
        if path.startswith("/channels"):
            path = path.replace("{name}", "memory")
            api.do(pause_channel, api.service)
        answer = api(
            operation.method,
            path,
            content=data.encode(),
            headers={"content-type": media_type},
        )
        assert answer.is_success, answer.text
        assert not (answer.content and answer.json().get("errors"))


def test_only_those_who_write_have_a_body() -> None:
    assert [str(one) for one in sorted(WITH_BODY, key=str)] == [
        "PATCH /users/{id}",
        "POST /channel/test",
        "POST /channels/{name}/resume",
        "POST /feeds",
        "POST /keys",
        "POST /messages/{key}/cancel",
        "POST /messages/{key}/mark-sent",
        "POST /messages/{key}/retry",
        "POST /users",
        "POST /users/import",
        "PUT /users/{id}",
    ]


@pytest.mark.parametrize("name", ("POST /users", "PUT /users/{id}", "PATCH /users/{id}"))
def test_the_body_that_is_documented_is_the_one_that_is_checked(api: Api, ada: str, name: str) -> None:
    operation = operation_at(*name.split(" "))
    assert operation is not None
    path = operation.path.replace("/users/{id}", ada)
    for content in operation.told["requestBody"]["content"].values():
        schema = content["schema"]
        assert schema["additionalProperties"] is False
        numbers = dict.fromkeys(schema["properties"], 1)
        told = reasons(api(operation.method, path, json=numbers))
        assert told.pop("optedOut") == "This is to be a list of BIRTHDAY, ANNIVERSARY."
        assert set(told.values()) == {"This is to be a text."}
        assert reasons(api(operation.method, path, json=numbers)).keys() == schema["properties"].keys()
        nulls: Mapping[str, None] = dict.fromkeys(schema["properties"])
        nullable = {name for name, one in schema["properties"].items() if "null" in one["type"]}
        assert (
            reasons(api(operation.method, path, json=nulls)).keys() == schema["properties"].keys() - nullable
        )
        if name == "POST /users":
            assert reasons(api.post(path, {})).keys() == set(schema["required"])
        else:
            assert "required" not in schema
            assert api(operation.method, path, json={}).status_code == HTTPStatus.OK
        assert list(misfits(schema, ADA)) == []


def test_what_is_answered_is_what_is_documented(api: Api, state: SchedulerState) -> None:
    state.last_plan_at = state.started_at = api.service.clock.now()
    everything = {"anniversaryDate": "2019-03-14", "birthdayDate": "1992-02-29", "leapDayRule": "mar1"}
    answers = [api.post("/users", {**ADA, **everything})]
    user = answers[0].headers["location"]
    message = api.message_of(user)
    asked = [
        "GET /users",
        "GET /users?email=ada@example.com",
        f"GET {user}",
        f"GET {user}/upcoming",
        "GET /birthdays/today",
        "GET /anniversaries/today",
        "GET /messages?limit=1",
        f"GET {message}",
        f"POST {message}/cancel",
        f"POST {message}/retry",
        f"GET {user}/upcoming",
        "GET /scheduler/stats",
        "GET /templates/birthday/preview",
        "GET /health/live",
        "GET /health/ready",
        "GET /health/scheduler",
    ]
    answers += [api(*one.split(" ")) for one in asked]
    answers += [api(method, user, json={"firstName": method}) for method in ("PUT", "PATCH")]
    csv = {"content-type": "text/csv"}
    answers.append(api("POST", "/users/import", content=b"email,x\nada@example.com\nbad", headers=csv))
    for answer in answers:
        assert answer.is_success, answer.text
        operation = operation_at(answer.request.method, answer.request.url.path)
        assert operation is not None
        told = operation.success()
        assert str(answer.status_code) in operation.answers
        assert list(misfits(told["content"]["application/json"]["schema"], answer.json())) == []
        known = {name.lower() for name in told.get("headers", {})}
        assert {"etag", "x-cache", "link", "location"} & answer.headers.keys() <= known


def test_the_body_of_a_problem_is_what_is_documented(api: Api) -> None:
    for answer in (api.post("/users", {"x": 1}), api.get("/users/abc"), api.get("/users?limit=0")):
        operation = operation_at(answer.request.method, answer.request.url.path)
        assert operation is not None
        told = operation.answers[str(answer.status_code)]
        assert list(misfits(told["content"]["application/problem+json"]["schema"], answer.json())) == []


@pytest.mark.parametrize(
    "name", ("GET /users/{id}", "GET /users", "GET /birthdays/today", "GET /anniversaries/today")
)
def test_who_may_be_answered_304_is_told(name: str) -> None:
    operation = operation_at(*name.split(" "))
    assert operation is not None
    assert "304" in operation.answers
    assert "If-None-Match" in {one["name"] for one in operation.told["parameters"]}
