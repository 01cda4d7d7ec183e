"""PostgreSQL and Valkey start on a data folder, keep its data, and go on after they were killed."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from adapters.embedded import supervisor
from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from tests.embedded.running import QUICK, client, connected, pid_in, runs, until

pytestmark = pytest.mark.servers


async def test_what_was_written_is_there_at_the_next_start(tmp_path: Path) -> None:
    for start in range(2):
        with DataFolder(tmp_path / "data") as folder:
            async with embedded_postgres(folder) as database_url, embedded_valkey(folder) as redis_url:
                async with connected(database_url) as connection:
                    await connection.execute("CREATE TABLE IF NOT EXISTS starts (number int)")
                    await connection.execute("INSERT INTO starts VALUES ($1)", start)
                    assert await connection.fetchval("SELECT count(*) FROM starts") == start + 1
                async with client(redis_url) as cache:
                    assert await cache.incr("starts") == start + 1
                pids = pid_in(folder.path / "postgres/postmaster.pid"), pid_in(folder.path / "valkey.pid")
                assert all(map(runs, pids))
        assert not any(map(runs, pids))
        assert not folder.sockets.exists()


async def test_a_new_database_is_durable_checked_and_the_same_everywhere(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        async with embedded_postgres(folder) as url, connected(url) as connection:
            shown = {name: await connection.fetchval(f"SHOW {name}") for name in (
                "fsync", "synchronous_commit", "full_page_writes", "data_checksums",
                "server_encoding", "TimeZone", "listen_addresses",
            )}  # fmt: skip
            assert shown == {
                "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
                "server_encoding": "UTF8", "TimeZone": "UTC", "listen_addresses": "",
            }  # fmt: skip
            assert await connection.fetchval("SELECT upper('é ä')") == "É Ä"
            locale = (
                "SELECT datlocprovider, datlocale, current_user FROM pg_database WHERE datname = 'birthdays'"
            )
            assert tuple(await connection.fetchrow(locale) or ()) == (b"b", "C.UTF-8", "birthdays")


async def test_the_addresses_mean_the_same_whatever_the_environment_says(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGPORT": "1",
        "PGHOST": "elsewhere",
        "PGDATABASE": "other",
        "PGUSER": "other",
    }.items():
        monkeypatch.setenv(name, value)
    async with embedded_postgres(folder, settings=QUICK) as url:
        async with connected(url) as connection:
            assert await connection.fetchval("SELECT current_database()") == "birthdays"
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
        async with engine.connect() as session:
            assert await session.scalar(text("SELECT current_user")) == "birthdays"
        await engine.dispose()


async def test_a_long_path_with_spaces_and_umlauts(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "Jürgens größte Tests, 100% 'echt'" / ("n" * 120)) as folder:
        async with embedded_postgres(folder, settings=QUICK) as url, embedded_valkey(folder) as redis_url:
            async with connected(url) as connection:
                assert await connection.fetchval("SHOW data_directory") == str(folder.path / "postgres")
            async with client(redis_url) as cache:
                assert await cache.config_get("dir") == {"dir": str(folder.path / "valkey")}
        assert (folder.path / "valkey").is_dir()


@pytest.mark.parametrize("server", ("PostgreSQL", "Valkey"))
async def test_a_killed_server_comes_back_at_the_same_address_with_its_data(
    folder: DataFolder, server: str
) -> None:
    pid_file = folder.path / ("postgres/postmaster.pid" if server == "PostgreSQL" else "valkey.pid")
    async with embedded_postgres(folder) as database_url, embedded_valkey(folder) as redis_url:
        async with connected(database_url) as connection, client(redis_url) as cache:
            await connection.execute("DROP TABLE IF EXISTS kept")
            await connection.execute("CREATE TABLE kept (word text)")
            await connection.execute("INSERT INTO kept VALUES ('still here')")
            await cache.set("word", "still here")
            await cache.save()
        killed = pid_in(pid_file)
        with capture_logs() as logs:
            os.kill(killed, signal.SIGKILL)
            await until(lambda: pid_file.exists() and pid_in(pid_file) != killed)
            kept = None
            while kept is None:
                try:
                    async with connected(database_url) as connection, client(redis_url) as cache:
                        kept = await connection.fetchval("SELECT word FROM kept"), await cache.get("word")
                except (OSError, asyncpg.PostgresError, redis.exceptions.RedisError):
                    await asyncio.sleep(0.02)
        assert kept == ("still here", "still here")
        (died,) = logs
        assert died.items() >= {
            "event": "embedded_server_died", "log_level": "warning", "server": server, "exit_status": -9,
        }.items()  # fmt: skip
        pid = pid_in(pid_file)
        assert runs(pid)
    assert not runs(pid)


async def test_a_server_that_dies_again_and_again_is_started_less_often(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_RESTART_PAUSE_LEAST_S", 0.01)
    monkeypatch.setattr(supervisor, "_RESTART_PAUSE_MOST_S", 0.04)
    async with embedded_valkey(folder):
        (folder.path / "valkey").rename(folder.path / "elsewhere")
        with capture_logs() as logs:
            os.kill(pid_in(folder.path / "valkey.pid"), signal.SIGKILL)
            await until(lambda: len(logs) >= 5)
        (folder.path / "elsewhere").rename(folder.path / "valkey")
    assert [line["restart_in_s"] for line in logs][:5] == [0.01, 0.02, 0.04, 0.04, 0.04]


@pytest.mark.parametrize("how", ("raises", "is cancelled", "is cancelled twice"))
async def test_servers_are_stopped_when_the_work_ends_badly(folder: DataFolder, how: str) -> None:
    pids = []
    begun = asyncio.Event()

    async def work() -> None:
        async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
            pids.extend([pid_in(folder.path / "postgres/postmaster.pid"), pid_in(folder.path / "valkey.pid")])
            begun.set()
            if how == "raises":
                raise LookupError
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await begun.wait()
    if how != "raises":
        task.cancel()
    if how == "is cancelled twice":
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(LookupError if how == "raises" else asyncio.CancelledError):
        await task
    assert not any(map(runs, pids))
    assert (folder.path / "valkey").is_dir()


async def killed_in_a_query(url: str) -> None:
    async with connected(url) as connection:
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        query = asyncio.create_task(connection.execute("SELECT 'eve@secret.example', pg_sleep(60)"))
        await asyncio.sleep(0.1)
        os.kill(backend, signal.SIGKILL)
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await query


async def test_a_stop_is_quick_right_after_a_crash_and_for_servers_that_were_frozen(
    folder: DataFolder,
) -> None:
    log_file = folder.path / "postgres.log"
    log_file.unlink()
    async with asyncio.timeout(20):
        async with embedded_postgres(folder, settings=QUICK) as url:
            await killed_in_a_query(url)
            await until(lambda: any(line in log_file.read_text() for line in ("is off", "reinitializing")))
        async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
            os.kill(pid_in(folder.path / "postgres/postmaster.pid"), signal.SIGSTOP)
            os.kill(pid_in(folder.path / "valkey.pid"), signal.SIGSTOP)


async def test_nobodys_data_gets_into_the_log(folder: DataFolder) -> None:
    log_file = folder.path / "postgres.log"
    log_file.unlink()
    async with embedded_postgres(folder, settings=QUICK) as url:
        async with connected(url) as connection:
            await connection.execute("CREATE TABLE people (email text PRIMARY KEY, age int CHECK (age > 0))")
            add = "INSERT INTO people VALUES ($1, $2)"
            await connection.execute(add, "ada@secret.example", 36)
            for statement, values in (
                (add, ("ada@secret.example", 36)),
                (add, ("bob@secret.example", -1)),
                ("INSERT INTO people VALUES ('eve@secret.example', 1 / 0)", ()),
                ("SELECT 'eve@secret.example'::int", ()),
                ("SELECT $1::text::date", ("eve@secret.example",)),
            ):
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute(statement, *values)
        await killed_in_a_query(url)
    logged = log_file.read_text()
    assert "was terminated by signal 9" in logged
    assert "secret" not in logged


async def test_a_half_made_database_is_thrown_away(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        half = folder.path / "postgres.new-0123"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
        async with embedded_postgres(folder, settings=QUICK) as url, connected(url) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert not list(folder.path.glob("postgres.new-*"))
