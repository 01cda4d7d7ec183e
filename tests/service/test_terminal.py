"""An import at a terminal: what would change is told first, then asked, and a bar shows how far it is."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import httpx
import pytest

from tests.service.running import COMMAND, RunningService, environment, running

pytestmark = pytest.mark.servers

HEADER = "email,first_name,last_name,timezone\n"
ROWS = 2000
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("terminal") / "var") as service:
        yield service


@attrs.define
class Terminal:
    """A terminal with a command in it, and all that it has written."""

    process: "subprocess.Popen[bytes]"
    master: int
    written: str = ""

    def wait_for(self, pattern: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not re.search(pattern, self.written):
            assert time.monotonic() < deadline, self.written
            assert self.process.poll() is None or self._read(), self.written
            self._read()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ends_with(self, code: int) -> None:
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.written
            self._read()
        while self._read():
            pass
        assert self.process.returncode == code, self.written

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        try:
            data = os.read(self.master, 65_536)
        except OSError:  # on Linux, what a terminal says once its program has ended
            return False
        self.written += data.decode(errors="replace")
        return bool(data)


@contextlib.contextmanager
def terminal(service: RunningService, *arguments: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment(service.folder, service.port), "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_an_import_is_tried_then_asked_about_then_done_before_ones_eyes(
    service: RunningService, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    rows = "".join(f"p{number}@example.com,Jo,Doe,UTC\n" for number in range(ROWS))
    file.write_text(f"{HEADER}no-address,Jo,Doe,UTC\n{rows}", encoding="utf-8")
    with terminal(service, "import", str(file)) as screen:
        screen.wait_for(r"Import them\?")
        assert "read as: csv, plain, utf-8, commas" in screen.written
        assert "line 2: email: " in screen.written
        assert "2,001 rows: would be 2000 created, 0 updated, 0 unchanged, 1 left out" in screen.written
        screen.type("y\n")
        screen.ends_with(3)
    asked, done = screen.written.split("Import them?")
    assert re.search(r"importing .*\d+/2001.* rows", done), done
    assert "2,001 rows: 2000 created, 0 updated, 0 unchanged, 1 left out" in done
    assert "birthdays undo" in done
    assert "birthdays undo" not in asked
    assert "line 2" not in done, "told once"


def test_who_says_no_changes_nothing(service: RunningService, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"{HEADER}nobody@example.com,Jo,Doe,UTC\n", encoding="utf-8")
    with terminal(service, "import", str(file)) as screen:
        screen.wait_for(r"Import them\?")
        screen.type("n\n")
        screen.ends_with(1)
    with service.api as api:
        answer = api.get("/users", params={"email": "nobody@example.com"})
    assert answer.status_code == httpx.codes.NOT_FOUND
