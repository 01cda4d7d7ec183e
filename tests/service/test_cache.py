"""What is read again comes from the cache, says so, and is right at once after every change."""

import asyncio
import time
from http import HTTPStatus
from pathlib import Path

import asyncpg
import httpx
import pytest

from adapters.embedded.data_folder import running_instance
from application.trust import OVERDUE_S, TRUSTED_FOR_S
from tests.service.running import RunningService, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ADA = {"firstName": "Ada", "lastName": "L", "email": "ada@example.com", "timezone": "Europe/Berlin"}
HIT_WITHIN_S = 10.0


def read(api: httpx.Client, path: str, source: str, name: str, **headers: str) -> httpx.Response:
    """Read until the answer comes from *source*; every one on the way has to be right as well."""
    deadline = time.monotonic() + HIT_WITHIN_S
    while True:
        answer = api.get(path, headers=headers)
        if answer.status_code == HTTPStatus.OK:
            assert answer.json()["firstName"] == name
        if answer.headers["x-cache"] == source:
            return answer
        assert time.monotonic() < deadline, answer.headers["x-cache"]


def change_by_hand(service: RunningService) -> None:
    instance = running_instance(service.folder)
    assert instance is not None
    assert instance.database_url is not None
    url = instance.database_url

    async def change() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("UPDATE users SET first_name = 'Grace'")
        finally:
            await connection.close()

    asyncio.run(change())


def test_answers_come_from_the_cache_until_they_are_wrong(tmp_path: Path) -> None:
    with running(tmp_path / "var") as service, service.api as api:
        where = api.post("/users", json=ADA).headers["location"]
        by_address = "/users?email=ADA@example.com"
        for path in (where, by_address):
            shown = read(api, path, "HIT", "Ada")
            again = read(api, path, "HIT", "Ada", **{"If-None-Match": shown.headers["etag"]})
            assert (again.status_code, again.content) == (HTTPStatus.NOT_MODIFIED, b"")
            assert again.headers["etag"] == shown.headers["etag"]

        changed = api.put(where, json={"firstName": "Augusta"})
        after = api.get(where)
        assert (after.json()["firstName"], after.headers["etag"]) == ("Augusta", changed.headers["etag"])
        assert after.headers["x-cache"] != "HIT"
        for path in (where, by_address):
            etag = read(api, path, "HIT", "Augusta").headers["etag"]

        change_by_hand(service)
        time.sleep(OVERDUE_S + TRUSTED_FOR_S)
        for path in (where, by_address):
            answer = api.get(path, headers={"If-None-Match": etag})
            assert (answer.status_code, answer.json()["firstName"]) == (HTTPStatus.OK, "Grace")
            read(api, path, "HIT", "Grace")

        head = api.head(where)
        assert (head.status_code, head.content) == (HTTPStatus.OK, b"")
        assert head.headers["x-cache"] == "HIT"

        told = api.get("/metrics").text
        assert "ada@" not in told
        assert where.rpartition("/")[2] not in told

        assert api.delete(where).status_code == HTTPStatus.NO_CONTENT
        assert {api.get(path).status_code for path in (where, by_address)} == {HTTPStatus.NOT_FOUND}
