"""Whatever is killed, nothing is left running and the next start has the data."""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from adapters.embedded import launcher, supervisor
from adapters.embedded.data_folder import running_instance
from tests.embedded.running import environment

pytestmark = pytest.mark.servers

SERVICE = """
import asyncio, json, os, signal, sys
from pathlib import Path
import asyncpg
import redis.asyncio
from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres, embedded_valkey

async def main():
    with DataFolder(Path(sys.argv[1])) as folder:
        async with embedded_postgres(folder) as database_url, embedded_valkey(folder) as redis_url:
            connection = await asyncpg.connect(database_url)
            await connection.execute("CREATE TABLE IF NOT EXISTS starts (number int)")
            await connection.execute("INSERT INTO starts VALUES (1)")
            starts = await connection.fetchval("SELECT count(*) FROM starts")
            cache = redis.asyncio.from_url(redis_url)
            await cache.incr("starts")
            cached = int(await cache.get("starts"))
            folder.publish(database_url=database_url, redis_url=redis_url)
            pids = [int(Path(folder.path / name).read_text().split()[0])
                    for name in ("postgres/postmaster.pid", "valkey.pid")]
            print(json.dumps({"uid": os.geteuid(), "starts": starts, "cached": cached, "pids": pids}), flush=True)
            if len(sys.argv) == 2:
                await asyncio.sleep(60)
            await connection.close()
            await cache.aclose()

# Whoever is started in the background of a script inherits that SIGINT is ignored, and so would what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


@attrs.frozen
class Service:
    """A process with both servers, what it counted, and the servers' processes."""

    process: "subprocess.Popen[str]"
    uid: int
    starts: int
    cached: int
    pids: list[int]


@pytest.fixture
def start() -> Iterator[Callable[..., Service]]:
    started: list[subprocess.Popen[str]] = []

    def begin(data: Path, *before: str) -> Service:
        process = subprocess.Popen(
            [*before, sys.executable, "-c", SERVICE, data],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment(),
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        return Service(process=process, **json.loads(line))

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def await_gone(pids: list[int], limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while left := [pid for pid in pids if supervisor._command_line(pid)]:
        assert time.monotonic() < deadline, f"{left} still run"
        time.sleep(0.02)


def test_servers_go_with_a_killed_service_and_start_again_with_their_data(
    start: Callable[..., Service], used_path: Path
) -> None:
    first = start(used_path)
    found = running_instance(used_path)
    assert found is not None
    assert found.pid == first.process.pid
    first.process.kill()
    first.process.wait()
    await_gone(first.pids)
    assert running_instance(used_path) is None
    second = start(used_path)
    assert (second.starts, second.cached) == (first.starts + 1, first.cached + 1)


def test_a_start_right_after_the_kill_waits_for_the_old_servers(
    start: Callable[..., Service], used_path: Path
) -> None:
    first = start(used_path)
    first.process.kill()
    second = start(used_path)
    assert second.starts == first.starts + 1
    assert not set(first.pids) & set(second.pids)


def test_what_was_committed_survives_when_all_are_killed(
    start: Callable[..., Service], used_path: Path
) -> None:
    first = start(used_path)
    for pid in (first.process.pid, *first.pids):
        os.kill(pid, signal.SIGKILL)
    first.process.wait()
    assert start(used_path).starts == first.starts + 1


def test_an_interrupted_initdb_is_begun_anew(start: Callable[..., Service], tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", SERVICE, data], env=environment())
    while not list(data.glob("postgres.new-*/base")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (data / "postgres").exists()
    assert start(data).starts == 1
    assert not list(data.glob("postgres.new-*"))


def test_an_interrupt_from_the_terminal_stops_servers_in_order(
    start: Callable[..., Service], used_path: Path
) -> None:
    service = start(used_path)
    assert not {os.getsid(pid) for pid in service.pids} & {os.getsid(service.process.pid)}
    os.killpg(service.process.pid, signal.SIGINT)
    service.process.wait(10)
    await_gone(service.pids, limit_s=0)
    assert "database system is shut down" in (used_path / "postgres.log").read_text()
    assert (used_path / "valkey/dump.rdb").exists()
    assert running_instance(used_path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user; others are one")
def test_an_ordinary_user(start: Callable[..., Service], tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    data = tmp_path / "data"
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    numbers = map(str, (os.getpid(), 0, nobody.pw_uid, nobody.pw_gid))
    ordinary = (sys.executable, launcher.__file__, *numbers)
    first = start(data, *ordinary)
    assert first.uid == nobody.pw_uid
    first.process.kill()
    first.process.wait()
    await_gone(first.pids)
    assert start(data, *ordinary).starts == 2
