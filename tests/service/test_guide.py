"""The commands of the README and the guide are run as they stand there, beside a service.

A block whose language is followed by a word is not run here; each of them is listed, with who runs it or why nobody can.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.architecture.pages import Block, blocks, name_of, pages
from tests.service.running import COMMAND, RunningService, environment, running

NOT_RUN_HERE = {
    ("README.md", "make run"): "the service itself: tests/service/test_lifecycle.py starts it",
    (
        "README.md",
        ".venv/bin/birthdays demo",
    ): "takes a minute: tests/cli/test_demo.py, tests/browser/test_demo.py",
    ("docs/backup.md", "pg_dump"): "tests/deploy/test_backup.py",
    ("docs/backup.md", "pg_restore"): "tests/deploy/test_backup.py",
    ("docs/backup.md", "birthdays plan"): "tests/deploy/test_backup.py",
    (
        "docs/deployment.md",
        "docker build",
    ): "needs an engine: make container-test; tests/deploy/test_definitions.py looks at the files",
    (
        "docs/deployment.md",
        "docker compose",
    ): "needs the images of the servers; tests/deploy/test_definitions.py looks at the file",
    ("docs/deployment.md", "python3 -m venv"): "needs root and systemd; tests/deploy/test_definitions.py",
    (
        "docs/operating.md",
        "birthdays mark-sent",
    ): "needs a message that is UNKNOWN: tests/features, tests/http",
}
PLACES = {
    "id": ("/users", "id"),
    "message": ("/messages?status=SCHEDULED", "key"),
    "key": ("/keys", "id"),
    "feed": ("/feeds", "id"),
}
PEOPLE = (
    "email,first_name,last_name,timezone,birthday,work_anniversary,external_id\n"
    "grace@example.com,Grace,Hopper,America/New_York,--12-11,2019-02-28,17\n"
)


def not_run(page: Path) -> Iterator[tuple[str, str]]:
    for block in blocks(page):
        if block.language == "sh" and block.mark:
            beginnings = [start for name, start in NOT_RUN_HERE if block.text.startswith(start)]
            yield name_of(page), max(beginnings, key=len, default=block.first_line)


def test_what_is_not_run_here_is_listed_and_nothing_else() -> None:
    assert sorted(found for page in pages() for found in not_run(page)) == sorted(NOT_RUN_HERE)


def test_a_block_is_in_a_language_that_this_test_knows() -> None:
    known = {"sh", "text", "text printed", "jinja", "json webhook", "python webhook"}
    for page in pages():
        for block in blocks(page):
            assert block.language == "sh" or f"{block.language} {block.mark}".strip() in known, name_of(page)


def commands(block: Block) -> Iterator[str]:
    """Yield the block's commands; one goes on while a quote is open."""
    command = ""
    for line in block.text.splitlines():
        command += f"{line}\n"
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            continue
        if words:
            yield command
        command = ""
    assert not command, f"{command!r} does not end"


@attrs.define
class Terminal:
    """Somebody who types what the pages say, in a folder as that of the project."""

    service: RunningService
    folder: Path
    variables: str = ""
    printed: str = ""
    known: dict[str, str] = attrs.field(factory=dict)

    def filled_in(self, command: str) -> str:
        """Put what the service has said in the place of ``<words>``, as a reader does."""
        command = command.replace("127.0.0.1:8000", f"127.0.0.1:{self.service.port}")
        return re.sub(r"<([a-z ]+)>", lambda found: self.looked_up(found[1]), command)

    def looked_up(self, name: str) -> str:
        if name == "import id":
            return str(re.findall(r"undo ([0-9a-f-]{36})", self.printed)[-1])
        if name not in self.known:
            path, kept = PLACES[name]
            with self.service.api as api:
                items = api.get(path).json()["items"]
            self.known[name] = str(
                next(one[kept] for one in items if one.get("name", "payroll") in {"payroll", "team"})
            )
        return self.known[name]

    def type(self, command: str) -> None:
        command = self.filled_in(command)
        if re.match(r"[A-Z]+=", command):
            self.variables += command
            return
        words = shlex.split(command, comments=True)
        alone = Path(words[0]).name == COMMAND.name and not set(command) & set("|<>$&;")
        code, self.printed = self.called(words[1:]) if alone else self.run(command)
        assert code == 0, f"{command}{self.printed}"

    def called(self, arguments: list[str]) -> tuple[int, str]:
        with contextlib.chdir(self.folder):
            done = self.service.command(*arguments)
        return done.exit_code, done.stdout + done.stderr

    def run(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.variables + command],
            cwd=self.folder,
            env={
                **environment(self.service.folder, self.service.port),
                "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
                "CURL_HOME": str(self.folder),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.mark.servers
@pytest.mark.slow
def test_the_commands_of_the_pages_do_what_they_say(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("There is no curl on this machine; on Debian, apt-get install curl brings it.")
    (tmp_path / ".venv").symlink_to(COMMAND.parent.parent)
    (tmp_path / ".curlrc").write_text("fail\nshow-error\n", encoding="utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    with running(tmp_path / "var", "--clock-start", "2026-12-09T08:00:00Z") as service:
        labels = re.findall(r"^  (\w+(?: key)?)  ", service.log.read_text(), re.MULTILINE)
        assert labels == [
            label
            for block in blocks(pages()[0])
            if block.text.startswith("Birthdays serves")
            for label in re.findall(r"^  (\w+(?: key)?)  ", block.text, re.MULTILINE)
        ]
        for page in pages():
            terminal = Terminal(service, tmp_path)
            for block in blocks(page):
                if (block.language, block.mark) == ("sh", ""):
                    for command in commands(block):
                        terminal.type(command)
                elif block.mark == "printed":
                    assert terminal.printed == block.text, name_of(page)
