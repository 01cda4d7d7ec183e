"""Behind PgBouncer the service works, or a sentence says why it cannot."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from adapters.postgres.database import connected, migrate, open_engine
from adapters.postgres.pooler import trouble_of
from tests.postgres.pgbouncer import IS_THERE, KEEPS_STATEMENTS, VERSION, pgbouncer
from tests.servers import empty_database, fresh_database
from tests.service.running import ADA, RunningService, run_command, running

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not IS_THERE, reason="PgBouncer is not installed (apt-get install pgbouncer)"),
]
SESSION = {"pool_mode": "session"}
TRANSACTION = {"pool_mode": "transaction", "max_prepared_statements": "200"}
FORGETFUL = {"pool_mode": "transaction", **({"max_prepared_statements": "0"} if KEEPS_STATEMENTS else {})}
MODES = [
    pytest.param(SESSION, id="session"),
    pytest.param(
        TRANSACTION,
        id="transaction",
        marks=pytest.mark.skipif(
            not KEEPS_STATEMENTS,
            reason=f"PgBouncer {VERSION[0]}.{VERSION[1]} forgets prepared statements: 1.21 or newer is needed",
        ),
    ),
]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[str]:
    async with fresh_database(postgres_url) as url:
        yield url


@pytest.mark.parametrize("mode", MODES)
async def test_each_transaction_has_the_settings_of_the_service(
    database: str, tmp_path: Path, mode: dict[str, str]
) -> None:
    async with pgbouncer(database, tmp_path, **mode) as url:
        engine = open_engine(f"{url}?pgbouncer=true")
        assert await trouble_of(engine) is None
        async with engine.connect() as connection:
            for _ in range(2):
                found = await connection.execute(
                    text("SELECT current_setting('plan_cache_mode'), current_setting('TimeZone')")
                )
                assert tuple(found.one()) == ("force_custom_plan", "UTC")
                await connection.rollback()
        async with connected(engine) as connection:  # the session itself has been left as it was
            assert await connection.scalar(text("SELECT current_setting('plan_cache_mode')")) == "auto"
        await engine.dispose()


@pytest.mark.parametrize("mode", MODES)
async def test_processes_migrate_one_after_the_other(
    postgres_url: str, tmp_path: Path, mode: dict[str, str]
) -> None:
    async with empty_database(postgres_url) as empty, pgbouncer(empty, tmp_path, **mode) as url:
        engines = [open_engine(f"{url}?pgbouncer=true") for _ in range(2)]
        found = await asyncio.gather(*map(migrate, engines))
        assert [before for before, _ in found].count(None) == 1
        for one in engines:
            await one.dispose()


def sent(service: RunningService) -> list[Any]:
    """Return the messages that have left, once there are some."""
    deadline = time.monotonic() + 20
    with service.api as api:
        while time.monotonic() < deadline:
            if found := api.get("/messages?status=SENT").json()["items"]:
                return list(found)
            time.sleep(0.1)
    return []


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_the_service_runs_behind_it(database: str, tmp_path: Path, mode: dict[str, str]) -> None:
    def live(url: str) -> None:
        start = ("--clock-start", "2027-12-10T08:59:54Z")
        pooled = f"{url}?pgbouncer=true"
        with running(tmp_path / "var", *start, DATABASE_URL=pooled) as service, service.api as api:
            made = api.post("/users", json=ADA)
            assert made.status_code == httpx.codes.CREATED, made.text
            assert api.get(made.headers["Location"]).json()["email"] == "ada@example.com"
            (message,) = sent(service)
            assert message["attempt"] == 1
            assert service.stop() == 0
        assert len(service.mails()) == 1

    async with pgbouncer(database, tmp_path, **mode) as url:
        await asyncio.to_thread(live, url)


@pytest.mark.slow
async def test_where_statements_are_forgotten_the_service_does_not_start(
    database: str, tmp_path: Path
) -> None:
    async with pgbouncer(database, tmp_path, **FORGETFUL) as url:
        told = await asyncio.to_thread(
            run_command, ["serve"], tmp_path / "var", 0, DATABASE_URL=f"{url}?pgbouncer=true"
        )
        seen = await asyncio.to_thread(
            run_command, ["doctor"], tmp_path / "var", 0, DATABASE_URL=f"{url}?pgbouncer=true"
        )
    assert told.returncode == 1
    assert told.stderr == (
        "Error: PgBouncer forgets prepared statements between transactions. Set its max_prepared_statements to 200 "
        "(from version 1.21 on), or its pool_mode to session.\n"
    )
    assert "PgBouncer forgets prepared statements" in " ".join(seen.stdout.split())


@pytest.mark.slow
async def test_who_forgets_to_say_that_it_is_there_is_told(database: str, tmp_path: Path) -> None:
    async with pgbouncer(database, tmp_path, **SESSION) as url:
        told = await asyncio.to_thread(run_command, ["serve"], tmp_path / "var", 0, DATABASE_URL=url)
    assert told.returncode == 1
    assert told.stderr.startswith("Error: What answers for the database refuses how the service connects")
    assert told.stderr.count("\n") == 1


async def test_settings_that_are_ignored_are_missed(database: str, tmp_path: Path) -> None:
    ignored = "plan_cache_mode,idle_in_transaction_session_timeout,jit"
    async with pgbouncer(database, tmp_path, **SESSION, ignore_startup_parameters=ignored) as url:
        engine = open_engine(url)
        trouble = await trouble_of(engine)
        await engine.dispose()
    assert trouble is not None
    assert "keeps the service's settings" in trouble.what
