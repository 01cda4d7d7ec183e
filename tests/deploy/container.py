"""Build the image with an engine, run it as closed as it can be, and ask it: python -m tests.deploy.container docker.

Whatever stands behind the engine's name goes to each of its commands. BUILD_OPTIONS and RUN_OPTIONS are what this
machine needs beside that. The servers are reached by their sockets, so that the container needs no network.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs

from tests.architecture.sources import PROJECT
from tests.deploy.steps import CONTAINERFILE, health_check
from tests.servers import running_postgres, running_valkey

TAG = "localhost/birthdays:test"
READY_WITHIN_S = 60.0
CLOSED = (
    *("--read-only", "--tmpfs", "/tmp:size=64m"),  # noqa: S108  # the container's
    *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)
_ASK = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"


@attrs.frozen
class Engine:
    """Docker, or what takes the same commands."""

    command: Sequence[str]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=False)

    def must(self, *arguments: str) -> str:
        """Return what it says; whatever it cannot do ends the test."""
        done = self(*arguments)
        if done.returncode:
            sys.exit(f"{shlex.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()


def options(name: str) -> list[str]:
    return shlex.split(os.environ.get(name, ""))


def main() -> None:
    engine = Engine(sys.argv[1:] or ["docker"])
    file = ("--file", str(CONTAINERFILE), "--tag", TAG)
    engine.must("build", *options("BUILD_OPTIONS"), *file, str(PROJECT))
    with running_postgres() as database_url, running_valkey() as redis_url:
        folders = [
            opened(parse_qs(urlsplit(database_url).query)["host"][0]),
            opened(Path(urlsplit(redis_url).path).parent),
        ]
        told = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        sys.stdout.write(look_at(engine, run(engine, folders, told)))


def opened(folder: str | Path) -> str:
    """Let everybody reach the sockets in *folder*: in the container the service is nobody here."""
    Path(folder).chmod(0o755)
    for socket in Path(folder).iterdir():
        if socket.is_socket():
            socket.chmod(0o777)
    return str(folder)


def run(engine: Engine, folders: Sequence[str], told: Mapping[str, str]) -> str:
    mounts = [word for folder in folders for word in ("--volume", f"{folder}:{folder}")]
    variables = [word for name, value in told.items() for word in ("--env", f"{name}={value}")]
    said = engine.must("run", "--detach", *CLOSED, *mounts, *variables, *options("RUN_OPTIONS"), TAG)
    return said.splitlines()[-1]


def look_at(engine: Engine, container: str) -> str:
    """Return what was found, or end with what was not as it should be."""
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while engine("exec", container, "python", "-c", _ASK).returncode:
            if time.monotonic() > deadline:
                sys.exit(engine("logs", container).stdout)
            time.sleep(0.5)
        engine.must("exec", container, *health_check())
        status = engine.must("exec", container, "cat", "/proc/1/status").splitlines()
        found = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        assert found["Uid"].split() == ["10001"] * 4, found["Uid"]
        assert (int(found["CapEff"], 16), found["NoNewPrivs"]) == (0, "1")
        assert engine("exec", container, "touch", "/opt/birthdays/x").returncode, "the root can be written to"
        engine.must("exec", container, "touch", "/data/x")
        engine.must("exec", container, "birthdays", "doctor")
        engine.must("stop", "--time", "30", container)
        assert engine.must("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    finally:
        engine("rm", "--force", "--volumes", container)
    return "The image was built; the container ran as 10001, with nothing to write to but /data, healthy, and ended with 0.\n"


if __name__ == "__main__":
    main()
