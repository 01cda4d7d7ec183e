"""What cannot start says why in a sentence, and what others left behind is dealt with."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.embedded import launcher, servers, supervisor
from adapters.embedded.data_folder import DataFolder, EmbeddedServerFailed
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from tests.embedded.running import QUICK, environment, pid_in, until

pytestmark = pytest.mark.servers

NOBODY = pwd.getpwnam("nobody")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


async def test_the_database_of_another_version_is_not_touched(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        (folder.path / "postgres").mkdir()
        (folder.path / "postgres/PG_VERSION").write_text("17\n")
        with pytest.raises(
            EmbeddedServerFailed, match=r"was made by PostgreSQL 17, and this is PostgreSQL 18: "
        ):
            async with embedded_postgres(folder):
                pass
        assert [each.name for each in (folder.path / "postgres").iterdir()] == ["PG_VERSION"]


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
    with pytest.raises(EmbeddedServerFailed, match="set DATABASE_URL to a server of your own"):
        async with embedded_postgres(folder):
            pass
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
    valkey_data.mkdir(exist_ok=True)
    orphans = [
        launched(servers._postgres_program("postgres"), "-D", data, "-c", "listen_addresses=", "-k", folder.sockets),
        launched(servers._valkey_program(), "--dir", valkey_data, "--port", "0",
                 "--unixsocket", folder.sockets / "old.sock", "--pidfile", folder.path / "valkey.pid",
                 "--set-proc-title", "no"),
    ]  # fmt: skip
    try:
        await until(lambda: (data / "postmaster.pid").exists() and (folder.path / "valkey.pid").exists())
        async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
            assert [orphan.wait(1) for orphan in orphans] == [0, 0]
    finally:
        for orphan in orphans:
            orphan.kill()
            orphan.wait()


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


def give(path: Path, uid: int, gid: int) -> None:
    for each in (path, *path.rglob("*")):
        os.chown(each, uid, gid)


@needs_root
async def test_root_uses_a_folder_below_its_own_without_opening_it(folder: DataFolder) -> None:
    give(folder.path / "postgres", 0, 0)  # as after a backup was put back
    before = access_to(folder.path)
    assert [stat.S_IMODE(mode) for mode, _ in before[:2]] == [0o700, 0o700]
    async with embedded_postgres(folder, settings=QUICK), embedded_valkey(folder):
        for file in (folder.path / "postgres/postmaster.pid", folder.path / "valkey.pid"):
            status = status_of(pid_in(file))
            assert f"Uid:\t{NOBODY.pw_uid}\t{NOBODY.pw_uid}\t" in status
            assert "CapPrm:\t0000000000000002\n" in status  # to pass by files' permissions, nothing else
    assert (folder.path / "postgres/base").stat().st_uid == NOBODY.pw_uid
    assert access_to(folder.path) == before


@needs_root
async def test_root_leaves_a_folder_to_the_user_whose_it_is(folder: DataFolder) -> None:
    data = folder.path / "postgres"
    give(data, 4711, 4711)
    try:
        async with embedded_postgres(folder, settings=QUICK):
            assert (data / "postmaster.pid").stat().st_uid == 4711
    finally:
        give(data, NOBODY.pw_uid, NOBODY.pw_gid)


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
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    assert ended.stderr.rstrip().endswith(
        "Valkey must not run as root, and root cannot become another account here: "
        "run this as an ordinary user, or set REDIS_URL to a server of your own."
    )
