"""``Idempotency-Key``: a POST that is sent again has its effect once."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import attrs
import httpx
import pytest
from structlog.typing import EventDict

from adapters.memory.answers import MemoryAnswers
from application.access_ports import Answer, Claimed, Repeatable
from application.errors import StoreUnavailable
from domain.access import Scope
from entrypoints.http.use_cases import UseCases
from tests.http.world import ADA, AS_ADMIN, Api, app_of, client_of, problem
from tests.use_cases.service import Service

KEY = {"Idempotency_Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def same(first: httpx.Response, second: httpx.Response) -> bool:
    kept = ("location", "etag", "content-type")
    return (
        (first.status_code, first.content) == (second.status_code, second.content)
        and all(first.headers.get(name) == second.headers.get(name) for name in kept)
        and "idempotent-replayed" not in first.headers
        and second.headers["idempotent-replayed"] == "true"
    )


def test_the_same_request_is_answered_as_it_was_and_done_once(api: Api) -> None:
    first = api.post("/users", dict(ADA), **KEY)
    assert first.status_code == HTTPStatus.CREATED
    second = api.post("/users", dict(ADA), **KEY)
    assert same(first, second)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert "ratelimit" in second.headers
    assert len(api.service.store.committed.users) == 1


def test_another_request_under_the_key_is_refused_and_does_nothing(api: Api) -> None:
    api.post("/users", dict(ADA), **KEY)
    other = api.post("/users", {**ADA, "email": "grace@example.com"}, **KEY)
    assert "Idempotency-Key" in problem(other, HTTPStatus.UNPROCESSABLE_ENTITY)["detail"]
    problem(
        api(
            "POST",
            "/users/import",
            content=b"email\n",
            headers={"content-type": "text/csv", "idempotency-key": KEY["Idempotency_Key"]},
        ),
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    assert len(api.service.store.committed.users) == 1


def test_what_was_refused_may_be_mended_and_sent_under_the_same_key(api: Api) -> None:
    problem(api.post("/users", {**ADA, "timezone": "Mars"}, **KEY), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert api.post("/users", dict(ADA), **KEY).status_code == HTTPStatus.CREATED


def test_what_an_operator_does_is_repeated_too(api: Api, ada: str) -> None:
    message = api.message_of(ada)
    first, second = (api.post(f"{message}/cancel", **KEY) for _ in range(2))
    assert first.json()["status"] == "CANCELLED"
    assert same(first, second)
    problem(api.post(f"{message}/cancel"), HTTPStatus.CONFLICT)


def test_an_import_is_repeated_too_and_a_stream_runs_again(api: Api) -> None:
    headers = {"content-type": "text/csv", "idempotency-key": "a"}
    data = b"email,first_name,last_name,timezone\nada@example.com,Ada,Lovelace,UTC\n"
    first, second = (api("POST", "/users/import", content=data, headers=headers) for _ in range(2))
    assert first.json()["created"] == 1
    assert same(first, second)
    streamed = {**headers, "idempotency-key": "b", "accept": "application/x-ndjson"}
    for _ in range(2):
        lines = api("POST", "/users/import", content=data, headers=streamed).text.splitlines()
        assert json.loads(lines[-1])["unchanged"] == 1


def test_keys_of_two_callers_do_not_meet(api: Api, use_cases: UseCases) -> None:
    api.post("/users", dict(ADA), **KEY)
    other = api.do(use_cases.access.make_key, "other", {Scope.USERS_WRITE})
    answer = api.post("/users", dict(ADA), Authorization=f"Bearer {other.text}", **KEY)
    problem(answer, HTTPStatus.CONFLICT)


def test_what_is_kept_of_a_person_goes_with_them_and_they_do_not_come_back(api: Api) -> None:
    user = api.post("/users", dict(ADA), **KEY).headers["location"]
    assert api.delete(f"{user}?erase=true").status_code == HTTPStatus.NO_CONTENT
    problem(api.post("/users", dict(ADA), **KEY), HTTPStatus.CONFLICT)
    assert not api.service.store.committed.users
    assert "ada@example.com" not in repr(api.service.store.answers)


def test_secrets_are_not_kept_for_a_repetition(api: Api) -> None:
    problem(api.post("/keys", {"name": "x", "scopes": ["admin"]}, **KEY), HTTPStatus.BAD_REQUEST)
    assert len(api.get("/keys").json()["items"]) == 1


@pytest.mark.parametrize("key", ("", '""', "a b", '"a"b"', "x" * 256, '"é"'))
def test_a_key_is_one_text(api: Api, key: str) -> None:
    answer = api("POST", "/users", json=dict(ADA), headers=[(b"Idempotency-Key", key.encode())])
    problem(answer, HTTPStatus.BAD_REQUEST)
    twice = [(b"Idempotency-Key", b"a"), (b"Idempotency-Key", b"b")]
    problem(api("POST", "/users", json=dict(ADA), headers=twice), HTTPStatus.BAD_REQUEST)


def test_a_key_may_be_written_with_quotes_and_without(api: Api) -> None:
    first = api.post("/users", dict(ADA), Idempotency_Key="abc")
    assert same(first, api.post("/users", dict(ADA), Idempotency_Key='"abc"'))


def test_methods_that_can_be_repeated_anyway_take_no_notice(api: Api, ada: str) -> None:
    for name in ("Bob", "Eve"):
        assert api.put(ada, {"firstName": name}, **KEY).json()["firstName"] == name


async def post(app: Any, body: bytes, key: str) -> tuple[int, bytes]:
    sent: list[Any] = []
    to_come: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if to_come:
            return to_come.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    told = {**AS_ADMIN, "Content-Type": "application/json", "Idempotency-Key": key}
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/users",
        "raw_path": b"/users",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in told.items()],
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:])


async def test_of_many_at_once_one_is_carried_out(use_cases: UseCases, service: Service) -> None:
    app, body = app_of(use_cases), json.dumps(dict(ADA)).encode()
    async with service.unit_of_work():  # which the first one waits for, so that all others come meanwhile
        posts = [asyncio.create_task(post(app, body, "k")) for _ in range(20)]
        await asyncio.sleep(0.05)
    answers = await asyncio.gather(*posts)
    assert sorted(status for status, _ in answers) == [HTTPStatus.CREATED, *[HTTPStatus.CONFLICT] * 19]
    created = next(body for status, body in answers if status == HTTPStatus.CREATED)
    assert await post(app, body, "k") == (HTTPStatus.CREATED, created)
    assert len(service.store.committed.users) == 1


class Forgetful(MemoryAnswers):
    """Loses the database between the effect and the answer."""

    async def keep(self, request: Repeatable, claimed: Claimed, answer: Answer) -> None:
        raise StoreUnavailable


def test_an_answer_that_cannot_be_kept_is_told_all_the_same(
    service: Service, use_cases: UseCases, logged: list[EventDict]
) -> None:
    with client_of(attrs.evolve(use_cases, answers=Forgetful(service.store))) as client:
        api = Api(service, client)
        assert api.post("/users", dict(ADA), **KEY).status_code == HTTPStatus.CREATED
        assert "answer_not_kept" in {line["event"] for line in logged}
        problem(api.post("/users", dict(ADA), **KEY), HTTPStatus.CONFLICT)
