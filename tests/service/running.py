"""The service as people run it: a process of its own, told what to do by its command line and signals."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import attrs
import httpx
from click.testing import CliRunner, Result

from entrypoints.cli.main import main

START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
COMMAND = Path(sys.executable).with_name("birthdays")
ADA = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthdayDate": "1990-12-10",
}
"""Somebody to register."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(folder: Path, port: int, **more: str) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {
        **kept,
        "PYTHONDONTWRITEBYTECODE": "",  # or each start compiles all anew, for seconds
        "BIRTHDAYS_DATA_DIR": str(folder),
        "BIRTHDAYS_PORT": str(port),
        "BIRTHDAYS_LOG_FORMAT": "json",
        **more,
    }


def run_command(
    arguments: Sequence[str], folder: Path, port: int, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a process of its own."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(folder, port, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def call_command(
    arguments: Sequence[str], folder: Path, port: int, typed: str | None = None, **more: str
) -> Result:
    """Run a command in this process: most of the time of one of its own is imports."""
    foreign: dict[str, str | None] = {name: None for name in os.environ if name.endswith("_URL")}
    told = {**foreign, **environment(folder, port, **more)}
    return CliRunner().invoke(main, arguments, env=told, input=typed, catch_exceptions=False)


@attrs.define
class RunningService:
    """A service that was started, and what one does with it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def api(self) -> httpx.Client:
        key = self.folder / "local.key"
        headers = {"Authorization": f"Bearer {key.read_text().strip()}"} if key.exists() else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20, headers=headers)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(httpx.TransportError), self.api as api:
                if api.get("/health/ready").status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready after {START_WITHIN_S} s: {self.log.read_text()}")

    def command(self, *arguments: str, typed: str | None = None) -> Result:
        return call_command(arguments, self.folder, self.port, typed)

    def servers(self) -> list[int]:
        """Return the process ids of everything that the service has started, on Linux."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.process.pid:
                continue
            with contextlib.suppress(OSError):
                if str(self.folder.resolve()).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def mails(self) -> list[str]:
        """Return the names of the delivered mails."""
        new = self.folder / "maildir" / "new"
        return sorted(entry.name for entry in new.iterdir()) if new.exists() else []

    def wait_for_mails(self, number: int, within_s: float = 30.0) -> list[str]:
        deadline = time.monotonic() + within_s
        while len(self.mails()) < number and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.mails()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)

    def kill_everything(self) -> None:
        """End the service and its servers by SIGKILL, all at once."""
        servers = self.servers()
        for pid in (self.process.pid, *servers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_WITHIN_S)


@cache
def _made_once() -> Path:
    """Return a database that has the schema and is otherwise empty: to make one takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="birthdays-made-once-"))
    atexit.register(shutil.rmtree, folder)
    done = run_command(["migrate"], folder / "var", free_port())
    assert done.returncode == 0, done.stderr
    return folder / "var" / "postgres"


def have_database(folder: Path) -> None:
    """Put a database that has the schema into a data folder, unless it has one."""
    if not (folder / "postgres").exists():
        shutil.copytree(_made_once(), folder / "postgres")


@contextlib.contextmanager
def running(folder: Path, *arguments: str, port: int | None = None, **more: str) -> Iterator[RunningService]:
    """Run a service until the end of the block, whatever happens in it.

    Its database is a copy of one that was made before, unless it has one.
    """
    if "DATABASE_URL" not in more:
        have_database(folder)
    with running_from_nothing(folder, *arguments, port=port, **more) as service:
        yield service


@contextlib.contextmanager
def running_from_nothing(
    folder: Path, *arguments: str, port: int | None = None, **more: str
) -> Iterator[RunningService]:
    """Run a service that makes its database itself, if the folder has none."""
    port = free_port() if port is None else port
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [COMMAND, "serve", *arguments],
            env=environment(folder, port, **more),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    service = RunningService(folder, port, process, log)
    try:
        service.wait_until_ready()
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                service.kill_everything()
