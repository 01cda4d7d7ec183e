"""What is planted in every field of a person turns up in nothing that the service writes, and after erasing nowhere."""

import asyncio
import contextlib
import os
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL
from typing import Any

import asyncpg
import httpx
import pytest

import redis
from adapters.embedded.data_folder import running_instance
from adapters.embedded.servers import _postgres_program
from tests.service.running import RunningService, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
BIRTHDAY = f"1931-{TOMORROW:%m-%d}" if (TOMORROW.month, TOMORROW.day) != (2, 29) else "1931-02-28"
CANARIES = (
    "Zyxwfirst",
    "Zyxwlast",
    "zyxw.mail",
    "canary-domain",
    "ZYXW-EXT-77",
    BIRTHDAY,
    "zyxwtyped",
    "zyxwreason",
)
PERSON: Mapping[str, Any] = {
    "firstName": "Zyxwfirst",
    "lastName": "Zyxwlast",
    "email": "zyxw.mail@canary-domain.example",
    "timezone": "Europe/Berlin",
    "birthdayDate": BIRTHDAY,
    "anniversaryDate": "2011-01-31",
}
FILE = (
    "email,first_name,last_name,timezone,birthday,external_id\n"
    f"zyxw.mail@canary-domain.example,Zyxwfirst,Zyxwlast,Europe/Berlin,{BIRTHDAY},ZYXW-EXT-77\n"
    "zyxwtyped,Zyxwfirst,,Mars/Zyxwtyped,zyxwtyped,\n"
)


class _Refusing(socketserver.StreamRequestHandler):
    """A mail server that refuses everybody, and says whom."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            if line.upper().startswith(b"RCPT"):
                self.wfile.write(b"550 5.1.1 %b: no such person as Zyxwfirst Zyxwlast\r\n" % line.strip())
            else:
                self.wfile.write(b"250 ok\r\n")


@contextlib.contextmanager
def refusing_mail_server() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusing) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def planted(text: bytes) -> list[str]:
    """Return the canaries that are in *text*, as they are or in hexadecimal."""
    lower = text.lower()
    return [
        canary
        for canary in CANARIES
        if canary.lower().encode() in lower or canary.encode().hex().encode() in lower
    ]


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def database_url(service: RunningService) -> str:
    running_now = running_instance(service.folder)
    assert running_now is not None
    assert running_now.database_url is not None
    return running_now.database_url


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
    asyncio.run(
        _execute(
            database_url(service),
            f"UPDATE messages SET due_at = now() - interval '1 s' WHERE user_id = '{user_id}' AND status = 'SCHEDULED'",
        )
    )
    api.post("/users", json={**PERSON, "email": "wake@canary-domain.example"})
    deadline = time.monotonic() + 20
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline and not any(one["status"] == "FAILED" for one in found):
        time.sleep(0.1)
        found = api.get("/messages", params={"userId": user_id}).json()["items"]
    [failed] = [one for one in found if one["status"] == "FAILED"]
    api.post(f"/messages/{failed['key']}/retry")


def written(folder: Path, log: Path) -> dict[str, bytes]:
    return {
        "service": log.read_bytes(),
        "PostgreSQL": (folder / "postgres.log").read_bytes(),
        "Valkey": (folder / "valkey.log").read_bytes(),
    }


def dump(url: str) -> bytes:
    done = subprocess.run(
        [_postgres_program("pg_dump"), "--inserts", f"--dbname={url}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def held_by_valkey(service: RunningService) -> bytes:
    running_now = running_instance(service.folder)
    assert running_now is not None
    client: Any = redis.Redis.from_url(running_now.redis_url or "")
    keys = list(client.scan_iter(count=1000))
    held = b"\n".join([*keys, *(client.get(key) or b"" for key in keys)])
    client.close()
    return held


def test_no_canary_is_written_anywhere_and_none_outlives_its_erasure(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with (
        refusing_mail_server() as port,
        running(
            folder,
            BIRTHDAYS_CHANNEL="smtp",
            BIRTHDAYS_SENDER="birthdays@example.com",
            BIRTHDAYS_SMTP_URL=f"smtp://127.0.0.1:{port}?tls=none",
            BIRTHDAYS_PUBLIC_URL="https://birthdays.example.com",
        ) as service,
        service.api as api,
    ):
        where, refused = tread_everywhere(service, api)
        let_it_be_refused_by_mail(service, api, where)
        before = dump(database_url(service))
        assert set(planted(before)) >= {"Zyxwfirst", "zyxw.mail", "ZYXW-EXT-77"}, "they are there to be found"
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

        page = api.get("/users", params={"limit": "1000"}).json()["items"]
        for one in page:
            for _ in range(20):
                gone = api.delete(f"/users/{one['id']}", params={"erase": "true"})
                if gone.status_code == httpx.codes.NO_CONTENT:
                    break
                time.sleep(0.2)
            assert gone.status_code == httpx.codes.NO_CONTENT, gone.text
        assert planted(dump(database_url(service))) == []
        deadline = time.monotonic() + 10
        while planted(held_by_valkey(service)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert planted(held_by_valkey(service)) == []
        # Whoever sends the first request again learns that it was carried out, and no more.
        again = api.post("/users", json=PERSON, headers={"Idempotency-Key": "one"})
        assert again.status_code == httpx.codes.CONFLICT
        assert planted(again.content) == []
    for name, text in written(folder, service.log).items():
        assert text, name
        assert planted(text) == [], name
