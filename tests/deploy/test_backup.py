"""What docs/backup.md tells to do is done: the copy is whole, nobody is greeted twice, and the cache is not believed."""

import asyncio
import os
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from domain.message import Status
from tests.architecture.sources import PROJECT
from tests.deploy.programs import postgres_programs
from tests.servers import empty_database, fresh_database, running_valkey
from tests.service.running import COMMAND, RunningService, environment, free_port, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ADA = {"firstName": "Ada", "lastName": "L", "email": "ada@example.com", "timezone": "UTC"}
_SOMEBODY = """
    INSERT INTO users (
        id, first_name, last_name, email, timezone, birthday_month, birthday_day, version,
        created_at, updated_at, birthday_known_at, anniversary_known_at
    )
    SELECT gen_random_uuid(), $1, 'L', $1 || '@example.com', 'UTC',
        extract(month FROM now() AT TIME ZONE 'UTC'), extract(day FROM now() AT TIME ZONE 'UTC'), 1,
        now(), now(), now() - interval '2 days', now()
    RETURNING id
"""
_DUE_NOW = """
    INSERT INTO messages (
        occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time, created_at, updated_at
    )
    VALUES (
        (now() AT TIME ZONE 'UTC')::date, $1, 'BIRTHDAY', 'SCHEDULED',
        now(), now() + interval '1 day', 'UTC', 'exact', now(), now()
    )
"""


def told(block: str) -> str:
    """Return the commands that the page gives under that name."""
    text = (PROJECT / "docs" / "backup.md").read_text(encoding="utf-8")
    [commands] = re.findall(rf"^```sh {block}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(commands)


def do(block: str, folder: Path, database: str) -> None:
    path = os.pathsep.join((str(postgres_programs()), str(COMMAND.parent), os.environ["PATH"]))
    more = {"DATABASE_URL": database, "PATH": path, "BACKUP_ON": f"{datetime.now(UTC):%F}"}
    done = subprocess.run(
        ["bash", "-euc", told(block)],
        env={**environment(folder, 0, BIRTHDAYS_SEND_TIME="00:00"), **more},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def statuses(database: str) -> dict[str, Status]:
    """Return what the ledger says of each person's message."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(
            "SELECT first_name, status FROM messages m JOIN users u ON u.id = m.user_id"
        )
    finally:
        await connection.close()
    return {row["first_name"]: Status(row["status"]) for row in rows}


def read(service: RunningService, user: str) -> httpx.Response:
    with service.api as api:
        answer = api.get(user)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer


def read_from_the_cache(service: RunningService, user: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = read(service, user)
        if answer.headers["x-cache"] == "HIT":
            return str(answer.json()["firstName"])
        time.sleep(0.05)
    raise AssertionError("the cache is not believed again")


async def lose(database: str, folder: Path, told: dict[str, str]) -> str:
    """Make a backup, let messages leave and a person change after it, and return where the person is shown."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(_SOMEBODY, "sent")
        with running(folder, port=free_port(), **told) as service, service.api as api:
            assert len(service.wait_for_mails(1)) == 1
            user = str(api.post("/users", json=ADA).headers["location"])
            assert read_from_the_cache(service, user) == "Ada"
            await connection.execute(_SOMEBODY, "unplanned")
            await connection.execute(_DUE_NOW, await connection.fetchval(_SOMEBODY, "between"))
            do("backup", folder, database)
            assert len(service.mails()) == 1
            # Of what was written by hand the scheduler hears with the next change that is not.
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            later = {**ADA, "email": "later@example.com", "birthdayDate": f"{tomorrow:--%m-%d}"}
            assert api.post("/users", json=later).status_code == httpx.codes.CREATED
            assert len(service.wait_for_mails(2)) == 2
            assert api.patch(user, json={"firstName": "Grace"}).status_code == httpx.codes.OK
            assert read_from_the_cache(service, user) == "Grace"
    finally:
        await connection.close()
    return user


async def test_a_restored_backup_greets_nobody_twice_and_is_read_as_it_is(
    postgres_url: str, tmp_path: Path
) -> None:
    lost, restored = tmp_path / "lost", tmp_path / "restored"
    restored.mkdir()
    told = {"BIRTHDAYS_SEND_TIME": "00:00", "BIRTHDAYS_CHANNEL": "maildir"}
    with running_valkey() as redis_url:
        told["REDIS_URL"] = redis_url
        async with fresh_database(postgres_url) as database:
            user = await lose(database, lost, {**told, "DATABASE_URL": database})
        (lost / "birthdays.dump").rename(restored / "birthdays.dump")
        async with empty_database(postgres_url) as database:
            do("restore", restored, database)
            do("hold", restored, database)
            with (
                running(restored, port=free_port(), **told, DATABASE_URL=database) as service,
                service.api as api,
            ):
                assert read(service, user).json()["firstName"] == "Ada"
                assert read_from_the_cache(service, user) == "Ada"
                assert "watermark_gap_found" in service.log.read_text()
                held = {"sent": Status.SENT, "between": Status.UNKNOWN, "unplanned": Status.UNKNOWN}
                assert await statuses(database) == held
                counts = api.get("/scheduler/stats").json()["counts"]
                assert {status: n for status, n in counts.items() if n} == {"SENT": 1, "UNKNOWN": 2}
                unknown = api.get("/messages?status=UNKNOWN").json()["items"]
                for message in unknown:
                    assert api.post(f"/messages/{message['key']}/mark-sent").status_code == httpx.codes.OK
                # Long enough for a message that is due to have left.
                await asyncio.sleep(2)
                assert service.mails() == []
