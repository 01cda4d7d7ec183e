"""A person whose every field is a canary, and all places where one might turn up."""

import asyncio
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

import redis
from adapters.embedded.data_folder import running_instance
from adapters.embedded.servers import _postgres_program
from tests.service.running import RunningService

TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
BIRTHDAY = f"1931-{TOMORROW:%m-%d}" if (TOMORROW.month, TOMORROW.day) != (2, 29) else "1931-02-28"
CANARIES = (
    "Zyxwfirst",
    "Zyxwlast",
    "zyxw.mail",
    "canary-domain",
    "ZYXW-EXT-77",
    BIRTHDAY,
    f"1931, {int(BIRTHDAY[5:7])}, {int(BIRTHDAY[8:])}",  # as the table has it
    "2011-01-31",
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
QUOTED = f"zyxw.mail@canary-domain.example: no such person as Zyxwfirst Zyxwlast, born on {BIRTHDAY}".encode()
"""What a far side may say of who it refuses."""
LOGS = {"postgres.log", "valkey.log"}
_OF_PEOPLE = {"users", "imports", "import_changes", "answers"}


def planted(text: bytes) -> list[str]:
    """Return the canaries that are in *text*, as they are or in hexadecimal."""
    lower = text.lower()
    return [
        canary
        for canary in CANARIES
        if canary.lower().encode() in lower
        or canary.encode().hex().encode() in lower
        or canary.lower().encode().hex().encode() in lower
    ]


def database_url(service: RunningService) -> str:
    running_now = running_instance(service.folder)
    assert running_now is not None
    assert running_now.database_url is not None
    return running_now.database_url


async def _execute(url: str, statement: str) -> str | None:
    """Carry the statement out; return the SQLSTATE of what PostgreSQL has against it."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    finally:
        await connection.close()
    return None


def execute(service: RunningService, statement: str) -> str | None:
    return asyncio.run(_execute(database_url(service), statement))


def dump(service: RunningService) -> bytes:
    """Return the whole database as text: every table of every schema."""
    done = subprocess.run(
        [_postgres_program("pg_dump"), "--inserts", f"--dbname={database_url(service)}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def dumped_beside_people(service: RunningService) -> bytes:
    """Return what the dump holds of all tables but those in which people stand."""
    lines = dump(service).splitlines()
    told = [(re.match(rb"INSERT INTO public\.(\w+)", line), line) for line in lines]
    return b"\n".join(line for found, line in told if found and found[1].decode() not in _OF_PEOPLE)


def held_by_valkey(service: RunningService) -> bytes:
    """Return all keys and all values; one that is no text fails."""
    running_now = running_instance(service.folder)
    assert running_now is not None
    client: Any = redis.Redis.from_url(running_now.redis_url or "")
    keys = list(client.scan_iter(count=1000))
    held = b"\n".join([*keys, *(client.get(key) or b"" for key in keys)])
    client.close()
    return held


def written(service: RunningService) -> Mapping[str, bytes]:
    """Return all files of a service that has stopped, but for PostgreSQL's own and the mails."""
    folder = service.folder
    files = [
        file
        for file in folder.rglob("*")
        if file.is_file() and file.relative_to(folder).parts[0] not in {"postgres", "maildir"}
    ]
    told = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    assert told.keys() >= LOGS
    return {**told, "service.log": Path(service.log).read_bytes()}
