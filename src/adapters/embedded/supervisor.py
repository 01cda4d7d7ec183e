"""A server's program as a child: started, waited for, started again if it dies, stopped."""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGCONT, Signals
from typing import IO, Any

import attrs
import structlog

from adapters.embedded import launcher
from adapters.embedded.data_folder import EmbeddedServerFailed

log = structlog.get_logger()

_READY_TIMEOUT_S = 120.0  # recovery after a crash may have much to do
_READY_PAUSE_S = 0.01
_ORPHAN_PAUSE_S = 0.02
_RESTART_PAUSE_LEAST_S = 0.1
_RESTART_PAUSE_MOST_S = 5.0
_STEADY_S = 10.0
_LOG_BYTES_MAX = 16 * 1024 * 1024
_LOG_LINES_SHOWN = 5
_DISK_LOW_BYTES = 64 * 1024 * 1024


@attrs.define(kw_only=True)
class Server:
    """A server's program, and what is particular to it.

    ``command`` begins with the program, an option and the folder of its data: an orphan is known by these.
    ``farewell`` is the signals that stop it, each with the seconds to wait before the next one.
    """

    name: str
    variable: str
    command: Sequence[str]
    data: Path
    pid_file: Path
    log_file: Path
    farewell: Sequence[tuple[Signals, float]]
    is_ready: Callable[[], Awaitable[bool]]
    _process: Process | None = attrs.field(default=None, init=False)

    @asynccontextmanager
    async def kept_running(self) -> AsyncIterator[None]:
        """Have the server run, and ready at first, for as long as this lasts. Raises EmbeddedServerFailed."""
        await self._start()
        keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")
        try:
            yield
        finally:
            await to_the_end(self._leave(keeper))

    async def _start(self) -> None:
        try:
            gone = await self._stop_orphan()
            with _open_log(self.log_file) as output:
                logged = output.tell()
                self._process = await launch(
                    self.command, account_for(self.data), self.farewell[0][0], output, gone
                )
        except OSError as error:
            raise EmbeddedServerFailed(f"{self.name} cannot be started: {error}.") from error
        try:
            await self._until_ready(self._process, logged)
        except BaseException:
            await to_the_end(self._stop(self._process))
            raise

    async def _until_ready(self, process: Process, logged: int) -> None:
        exited = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                while not await self.is_ready():
                    if (await asyncio.wait({exited}, timeout=_READY_PAUSE_S))[0]:
                        raise failure(
                            self.name,
                            self.variable,
                            status=exited.result(),
                            folder=self.log_file.parent,
                            last_lines=[*_lines_after(logged, self.log_file), f"(from {self.log_file})"],
                        )
        except TimeoutError:
            raise EmbeddedServerFailed(
                f"{self.name} was not ready after {_READY_TIMEOUT_S:.0f} s; its log is {self.log_file}."
            ) from None
        finally:
            exited.cancel()

    async def _keep(self) -> None:
        """Start the server again whenever it dies; a start that fails counts as another death."""
        clock = asyncio.get_running_loop().time
        pause_s = _RESTART_PAUSE_LEAST_S / 2
        while self._process is not None:
            watched_since = clock()
            status = await self._process.wait()
            is_steady = clock() - watched_since >= _STEADY_S
            pause_s = _RESTART_PAUSE_LEAST_S if is_steady else min(2 * pause_s, _RESTART_PAUSE_MOST_S)
            log.warning(
                "embedded_server_died",
                server=self.name,
                exit_status=status,
                restart_in_s=pause_s,
                log_file=str(self.log_file),
            )
            await asyncio.sleep(pause_s)
            with suppress(EmbeddedServerFailed):
                await self._start()

    async def _leave(self, keeper: "asyncio.Task[None]") -> None:
        keeper.cancel()
        await asyncio.wait({keeper})
        if self._process is not None:
            await self._stop(self._process)

    async def _stop(self, process: Process) -> None:
        for signal, patience_s in self.farewell:
            with suppress(ProcessLookupError):
                process.send_signal(signal)
                process.send_signal(SIGCONT)  # it may have been stopped, and would not hear
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience_s)
                return

    async def _stop_orphan(self) -> int | None:
        """Stop a server on our folder that another starter left behind: we have the folder's lock, it has not.

        Returns the process that the server's own file names. After this it is gone, or a stranger with its number.
        """
        try:
            pid = int(self.pid_file.read_text().split(maxsplit=1)[0])
        except (OSError, ValueError, IndexError):
            return None
        clock = asyncio.get_running_loop().time
        for signal, patience_s in self.farewell:
            if not self._is_ours(pid):
                break
            with suppress(ProcessLookupError):
                os.kill(pid, signal)
                os.kill(pid, SIGCONT)
            deadline = clock() + patience_s
            while self._is_ours(pid) and clock() < deadline:  # noqa: ASYNC110 - it is not our child: no event tells
                await asyncio.sleep(_ORPHAN_PAUSE_S)
        return pid

    def _is_ours(self, pid: int) -> bool:
        return _command_line(pid).startswith(" ".join(self.command[:3]) + " ")


async def launch(
    command: Sequence[str],
    account: tuple[int, int],
    death_signal: Signals,
    output: IO[bytes] | int,
    gone: int | None = None,
) -> Process:
    """Start a program in a session of its own, so that a terminal's Ctrl-C reaches us alone.

    On Linux it gets *death_signal* when the thread ends that called this. *gone* is a process that PostgreSQL
    must not take for itself running.
    """
    via: Sequence[str] = ()
    if sys.platform == "linux" or os.geteuid() == 0:
        numbers = map(str, (os.getpid(), int(death_signal), *account))
        via = (sys.executable, "-I", "-S", launcher.__file__, *numbers)
    environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
    if gone is not None:
        # A file may outlive its process and, after a restart of the machine or the container, name another
        # one. PostgreSQL lets the number of its 'grandparent' pass, and still looks whether anybody uses its
        # shared memory, which removing the file would have it forget.
        environment["PG_GRANDPARENT_PID"] = str(gone)
    return await asyncio.create_subprocess_exec(
        *via,
        *command,
        stdin=DEVNULL,
        stdout=output,
        stderr=STDOUT,
        cwd="/",
        env=environment,
        start_new_session=True,
    )


def account_for(folder: Path) -> tuple[int, int]:
    """Return the user and the group that shall run a server on *folder*: ourselves, but nobody instead of root.

    If root is asked to use a folder that is somebody's already, that is who: they can use it afterwards.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    with suppress(FileNotFoundError):
        found = folder.stat()
        if found.st_uid != 0:
            return found.st_uid, found.st_gid
    with suppress(KeyError):
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid
    return 0, 0  # which the launcher refuses


def failure(
    name: str, variable: str, *, status: int, folder: Path, last_lines: Sequence[str]
) -> EmbeddedServerFailed:
    """Say why a program ended that should have gone on, as far as it can be known."""
    if status == launcher.REFUSED:
        return EmbeddedServerFailed(
            f"{name} must not run as root, and root cannot become another account here: "
            f"run this as an ordinary user, or set {variable} to a server of your own."
        )
    free = shutil.disk_usage(folder).free
    space = f"; the disk has {free // 2**20} MB left" if free < _DISK_LOW_BYTES else ""
    text = f"{name} could not start (exit status {status}) on the data folder {folder}{space}."
    return EmbeddedServerFailed("\n  ".join([text, *last_lines[-_LOG_LINES_SHOWN:]]))


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish *work* even if this is cancelled meanwhile, so that no server is left half stopped."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _command_line(pid: int) -> str:
    """Return what a process was started with; nothing if it is gone, or dead and not yet collected."""
    if sys.platform == "linux":
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
        except OSError:
            return ""
    else:
        ps = ["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)]
        return os.fsdecode(subprocess.run(ps, check=False, capture_output=True).stdout)  # noqa: S603 - our own words


def _open_log(path: Path) -> IO[bytes]:
    """Open a log to append to, for our eyes only; one that has grown large is set aside first."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_BYTES_MAX:
            path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _lines_after(start: int, log_file: Path) -> Sequence[str]:
    with log_file.open("rb") as file:
        file.seek(start)
        return file.read(_LOG_BYTES_MAX).decode(errors="replace").splitlines()
