"""PostgreSQL and Valkey start on a data folder, keep its data, and go on after they were killed."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from adapters.embedded import launcher, servers, supervisor
from adapters.embedded.data_folder import DataFolder, EmbeddedServerFailed
from adapters.embedded.servers import embedded_postgres, embedded_valkey

pytestmark = pytest.mark.servers

SOURCES = str(Path(launcher.__file__).parents[2])
QUICK = {"fsync": "off"}
NOBODY = pwd.getpwnam("nobody")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped PostgreSQL, to copy."""

    async def make() -> Path:
        with DataFolder(tmp_path_factory.mktemp("cluster")) as folder:
            async with embedded_postgres(folder, settings=QUICK):
                return folder.path / "postgres"

    return asyncio.run(make())


@pytest.fixture
def folder(tmp_path: Path, cluster: Path) -> Iterator[DataFolder]:
    """A data folder in which PostgreSQL was before; for root, its files are root's, as after a backup."""
    with DataFolder(tmp_path / "data") as folder:
        shutil.copytree(cluster, folder.path / "postgres")
        yield folder


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    connection = redis.asyncio.from_url(url, decode_responses=True)
    try:
        yield connection
    finally:
        await connection.aclose()


def pid_in(file: Path) -> int:
    return int(file.read_text().split()[0])


def runs(pid: int) -> bool:
    return supervisor._command_line(pid) != ""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - files and processes send no events
            await asyncio.sleep(0.02)


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


async def test_a_long_path_with_spaces_and_umlauts(tmp_path: Path, cluster: Path) -> None:
    with DataFolder(tmp_path / "Jürgens größte Tests, 100% 'echt'" / ("n" * 120)) as folder:
        shutil.copytree(cluster, folder.path / "postgres")
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
    async with asyncio.timeout(5):
        async with embedded_postgres(folder, settings=QUICK) as url:
            await killed_in_a_query(url)
        async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
            os.kill(pid_in(folder.path / "postgres/postmaster.pid"), signal.SIGSTOP)
            os.kill(pid_in(folder.path / "valkey.pid"), signal.SIGSTOP)


async def test_nobodys_data_gets_into_the_log(folder: DataFolder) -> None:
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
    logged = (folder.path / "postgres.log").read_text()
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


async def test_the_database_of_another_version_is_not_touched(folder: DataFolder) -> None:
    (folder.path / "postgres/PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerFailed, match=r"was made by PostgreSQL 17, and this is PostgreSQL 18: "):
        async with embedded_postgres(folder):
            pass
    assert (folder.path / "postgres/PG_VERSION").read_text() == "17\n"


async def test_a_server_that_cannot_start_says_why(folder: DataFolder) -> None:
    with pytest.raises(EmbeddedServerFailed) as failed:
        async with embedded_postgres(folder, settings={"shared_buffers": "many"}):
            pass
    assert "invalid value for parameter" in str(failed.value)
    assert str(folder.path / "postgres.log") in str(failed.value)
    with pytest.raises(EmbeddedServerFailed, match=r"(?s)Valkey could not start .*maxmemory"):
        async with embedded_valkey(folder, settings={"maxmemory": "many"}):
            pass


async def test_an_initdb_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_NAME", "pg_forbidden")
    with DataFolder(tmp_path / "data") as folder:
        with pytest.raises(
            EmbeddedServerFailed, match=r'(?s)initdb could not start .*cannot begin with "pg_"'
        ):
            async with embedded_postgres(folder):
                pass
        assert sorted(each.name for each in folder.path.iterdir()) == ["lock"]


async def test_a_folder_that_something_else_fills_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        for name in ("postgres", "valkey"):
            (folder.path / name).write_text("not a folder")
        with pytest.raises(EmbeddedServerFailed, match=r"postgres cannot be used: Not a directory\.$"):
            async with embedded_postgres(folder, settings=QUICK):
                pass
        with pytest.raises(EmbeddedServerFailed, match=r"valkey cannot be used: File exists\.$"):
            async with embedded_valkey(folder):
                pass


async def test_missing_programs_are_explained(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EmbeddedServerFailed, match="set REDIS_URL to a server of your own"):
        async with embedded_valkey(folder):
            pass


def launched(*command: str | Path) -> "subprocess.Popen[bytes]":
    """Start a program under the servers' account that stays when its starter goes."""
    folder = Path(command[2]) if len(command) > 2 else Path(os.devnull)
    numbers = map(str, (os.getpid(), 0, *supervisor.account_for(folder)))
    return subprocess.Popen(
        [sys.executable, launcher.__file__, *numbers, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def test_a_server_that_outlived_its_starter_is_stopped_first(folder: DataFolder) -> None:
    data, valkey_data = folder.path / "postgres", folder.path / "valkey"
    valkey_data.mkdir()
    servers._give_away(data)
    orphans = [
        launched(servers._postgres_program("postgres"), "-D", data, "-c", "listen_addresses=", "-k", folder.sockets),
        launched(servers._valkey_program(), "--dir", valkey_data, "--port", "0",
                 "--unixsocket", folder.sockets / "old.sock", "--pidfile", folder.path / "valkey.pid",
                 "--set-proc-title", "no"),
    ]  # fmt: skip
    await until(lambda: (data / "postmaster.pid").exists() and (folder.path / "valkey.pid").exists())
    async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
        assert [orphan.wait(1) for orphan in orphans] == [0, 0]


async def test_a_stranger_with_the_number_of_a_dead_server_is_left_alone(folder: DataFolder) -> None:
    sleeper = launched("/bin/sleep", "60")
    try:
        await until(lambda: supervisor._command_line(sleeper.pid).startswith("/bin/sleep"))
        data = folder.path / "postgres"
        (data / "postmaster.pid").write_text(f"{sleeper.pid}\n{data}\n1\n5432\n/tmp\n\n")
        (folder.path / "valkey.pid").write_text(f"{sleeper.pid}\n")
        async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
            assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def access_to(path: Path) -> list[tuple[int, int]]:
    return [(each.stat().st_mode, each.stat().st_uid) for each in (path, *path.parents)]


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


@needs_root
async def test_root_uses_a_folder_below_its_own_without_opening_it(
    folder: DataFolder, tmp_path: Path
) -> None:
    before = access_to(tmp_path)
    assert stat.S_IMODE(before[0][0]) == 0o700
    async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
        for file in (folder.path / "postgres/postmaster.pid", folder.path / "valkey.pid"):
            status = status_of(pid_in(file))
            assert f"Uid:\t{NOBODY.pw_uid}\t{NOBODY.pw_uid}\t" in status
            assert "CapPrm:\t0000000000000002\n" in status  # to pass by files' permissions, nothing else
    assert (folder.path / "postgres/base").stat().st_uid == NOBODY.pw_uid
    assert access_to(tmp_path) == before


@needs_root
async def test_root_leaves_a_folder_to_the_user_whose_it_is(folder: DataFolder) -> None:
    for each in (folder.path / "postgres", *(folder.path / "postgres").rglob("*")):
        os.chown(each, 4711, 4711)
    async with embedded_postgres(folder, settings=QUICK):
        assert (folder.path / "postgres/postmaster.pid").stat().st_uid == 4711


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv takes root's capabilities away")
@pytest.mark.parametrize("right", ("dac_override", "setuid", "kill"))
def test_root_without_its_rights_is_told_what_to_do(tmp_path: Path, right: str) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_valkey
async def main():
    with DataFolder(Path(sys.argv[1])) as folder:
        async with embedded_valkey(folder):
            pass
asyncio.run(main())
"""
    ended = subprocess.run(
        ["setpriv", f"--bounding-set=-{right}", sys.executable, "-c", script, tmp_path / "data"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": SOURCES},
    )  # fmt: skip
    assert ended.stderr.rstrip().endswith(
        "Valkey must not run as root, and root cannot become another account here: "
        "run this as an ordinary user, or set REDIS_URL to a server of your own."
    )
