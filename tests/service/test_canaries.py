"""What is planted in every field of a person turns up in nothing that the service writes, and after erasing nowhere."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx
import pytest

from tests.service.canaries import (
    BIRTHDAY,
    CANARIES,
    LOGS,
    PERSON,
    dump,
    execute,
    held_by_valkey,
    planted,
    written,
)
from tests.service.refusing import refusing_mail_server
from tests.service.running import RunningService, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FILE = (
    "email,first_name,last_name,timezone,birthday,external_id\n"
    f"zyxw.mail@canary-domain.example,Zyxwfirst,Zyxwlast,Europe/Berlin,{BIRTHDAY},ZYXW-EXT-77\n"
    "zyxwtyped,Zyxwfirst,,Mars/Zyxwtyped,zyxwtyped,\n"
)
FORCED = {
    "23505": "UPDATE users SET email = 'zyxw.mail@canary-domain.example' WHERE email LIKE 'zyxw.mail2@%'",
    "23502": "UPDATE users SET last_name = NULL WHERE first_name = 'Zyxwfirst'",
    "23514": "UPDATE users SET leap_day_rule = 'zyxwtyped' WHERE first_name = 'Zyxwfirst'",
    "22007": "SELECT * FROM users WHERE anniversary_on = 'zyxwtyped'",
    "42703": "SELECT zyxwtyped FROM users",
    "42601": "SELECT 'Zyxwfirst' 'zyxwtyped'",
}
"""Statements with values in them which PostgreSQL refuses, by the SQLSTATE of its refusal; nobody of ours asks them."""


def tread_everywhere(service: RunningService, api: httpx.Client) -> tuple[str, list[httpx.Response]]:
    """Do all that goes well and all that goes wrong; return where the person is shown, and every refusal."""
    key = {"Idempotency-Key": "one"}
    made = api.post("/users", json=PERSON, headers=key)
    assert made.status_code == httpx.codes.CREATED, made.text
    assert api.post("/users", json=PERSON, headers=key).json() == made.json()
    where = made.headers["location"]
    bob = api.post("/users", json={**PERSON, "email": "bob@example.com", "birthdayDate": None})
    imported = api.post("/users/import", content=FILE.encode(), headers={"Content-Type": "text/csv"})
    assert imported.json()["failed"] == 1, imported.text
    for _ in range(2):
        api.get(where)
        api.get("/users", params={"email": PERSON["email"]})
    api.get("/birthdays/today")
    refused = [
        api.post("/users", json=PERSON),
        api.put(bob.headers["location"], json={"email": PERSON["email"]}),
        api.post("/users", json={**PERSON, "email": "zyxwtyped"}),
        api.post("/users", json={**PERSON, "birthdayDate": "zyxwtyped", "optedOut": ["zyxwtyped"]}),
        api.post("/users", json={**PERSON, "timezone": "Mars/Zyxwtyped", "zyxwtyped@x": 1}),
        api.post("/users", content=b'{"firstName": "Zyxwfirst'),
        api.patch(where, json={"firstName": None, "email": "zyxwtyped\u0000"}),
        api.get("/users", params={"email": "zyxwtyped@canary-domain.example"}),
        api.get("/users", params={"zyxwtyped@x": "Zyxwfirst"}),
        api.get("/users/zyxwtyped"),
        api.get("/zyxwtyped/Zyxwfirst"),
        api.get("/unsubscribe/zyxwtyped"),
        api.post("/messages/zyxwtyped/retry"),
        api.post(
            "/users",
            json={**PERSON, "lastName": "zyxwtyped"},
            headers={"Idempotency-Key": "one", "X-Request-Id": "x y"},
        ),
    ]
    assert refused[0].status_code == httpx.codes.CONFLICT
    with ThreadPoolExecutor(8) as pool:
        posts = [
            pool.submit(api.post, "/users", json={**PERSON, "email": "zyxw.mail2@canary-domain.example"})
            for _ in range(8)
        ]
        answers = [post.result() for post in posts]
    assert sorted({one.status_code for one in answers}) == [201, 409]
    refused += [one for one in answers if one.status_code != httpx.codes.CREATED]
    return where, refused


def let_it_be_refused_by_mail(service: RunningService, api: httpx.Client, where: str) -> None:
    """Let the message of the person be due now, and wait until the mail server has refused it."""
    user_id = where.rpartition("/")[2]
    due = "due_at = now() - interval '1 s'"
    execute(service, f"UPDATE messages SET {due} WHERE user_id = '{user_id}' AND status = 'SCHEDULED'")
    api.post("/users", json={**PERSON, "email": "wake@canary-domain.example"})
    deadline = time.monotonic() + 20
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline and not any(one["status"] == "FAILED" for one in found):
        time.sleep(0.1)
        found = api.get("/messages", params={"userId": user_id}).json()["items"]
    [failed] = [one for one in found if one["status"] == "FAILED"]
    assert api.post(f"/messages/{failed['key']}/retry", json={"reason": "zyxwreason"}).is_success


def be_refused_by_postgres(service: RunningService) -> None:
    for sqlstate, statement in FORCED.items():
        assert execute(service, statement) == sqlstate, statement


def erase_everybody(api: httpx.Client) -> None:
    for one in api.get("/users", params={"limit": "1000"}).json()["items"]:
        for _ in range(20):
            gone = api.delete(f"/users/{one['id']}", params={"erase": "true"})
            if gone.status_code == httpx.codes.NO_CONTENT:
                break
            time.sleep(0.2)
        assert gone.status_code == httpx.codes.NO_CONTENT, gone.text


def see_nothing_held(service: RunningService) -> None:
    assert planted(dump(service)) == []
    deadline = time.monotonic() + 10
    while planted(held_by_valkey(service)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert planted(held_by_valkey(service)) == []


def test_no_canary_is_written_anywhere_and_none_outlives_its_erasure(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with (
        refusing_mail_server(b"RCPT") as far,
        running(
            folder,
            BIRTHDAYS_CHANNEL="smtp",
            BIRTHDAYS_SENDER="birthdays@example.com",
            BIRTHDAYS_SMTP_URL=f"smtp://127.0.0.1:{far.port}?tls=none",
            BIRTHDAYS_PUBLIC_URL="https://birthdays.example.com",
        ) as service,
        service.api as api,
    ):
        where, refused = tread_everywhere(service, api)
        let_it_be_refused_by_mail(service, api, where)
        be_refused_by_postgres(service)
        before = dump(service)
        assert set(planted(before)) == {*CANARIES} - {"zyxwtyped"}, "they are there to be found"
        assert planted(held_by_valkey(service)), "and in the cache"

        # The database goes away in the middle.
        pid = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])

        os.kill(pid, SIGKILL)
        refused += [api.post("/users", json={**PERSON, "email": "zyxw.mail3@canary-domain.example"})]
        service.wait_until_ready()
        metrics = api.get("/metrics").content
        for answer in refused:
            assert answer.status_code >= httpx.codes.BAD_REQUEST
            assert planted(answer.content) == [], answer.text
            assert planted(str(answer.headers).encode()) == []
        assert planted(metrics) == []

        erase_everybody(api)
        see_nothing_held(service)
        # Whoever sends the first request again learns that it was carried out, and no more.
        again = api.post("/users", json=PERSON, headers={"Idempotency-Key": "one"})
        assert again.status_code == httpx.codes.CONFLICT
        assert planted(again.content) == []
    told = written(service)
    for name in (*LOGS, "service.log"):
        assert told[name], name
    assert {name: found for name, text in told.items() if (found := planted(text))} == {}
    with running(folder) as restarted:
        see_nothing_held(restarted)
