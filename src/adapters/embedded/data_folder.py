"""The folder in which one running instance keeps its data, and how others find that instance."""

import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

_LOCK = "lock"
_RUNNING = "running.json"
_SOCKETS_PREFIX = "birthdays-"
# A socket's path has at most 103 bytes on macOS and 107 on Linux, and goes into addresses and settings as it is.
_SUITABLE_TEMPORARY_PATH = re.compile(r"[\w./+-]{1,60}", re.ASCII)
_LOCK_PATIENCE_S = 0.2
_LOCK_PAUSE_S = 0.02


class EmbeddedServerFailed(Exception):
    """An embedded server, or the folder of its data, cannot be used; the text says why and what to do."""


class DataFolderInUse(EmbeddedServerFailed):
    """Another process has the data folder."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The data folder {path} is in use by {holder}: stop that first, "
            "or set BIRTHDAYS_DATA_DIR to another folder."
        )


@attrs.frozen(kw_only=True)
class RunningInstance:
    """The process that has a data folder, and where its servers and its API are, if it runs them."""

    pid: int
    database_url: str | None = None
    redis_url: str | None = None
    api_url: str | None = None


class DataFolder:
    """A data folder that belongs to this process, which no other process can have until it is closed.

    The kernel drops the lock when a process ends, however that was. ``sockets`` is a private folder with a
    short path, for servers to listen in: the data folder's own path may be too long for a socket.
    """

    __slots__ = ("_lock", "path", "sockets")

    def __init__(self, path: Path) -> None:
        """Make the folder if there is none, and take it. Raises DataFolderInUse, EmbeddedServerFailed."""
        with _explained(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = path.resolve()
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._take()
            except BaseException:
                os.close(self._lock)
                raise

    def publish(
        self, *, database_url: str | None = None, redis_url: str | None = None, api_url: str | None = None
    ) -> None:
        """Let other processes of this user find the servers. Said again, it replaces what was said."""
        instance = RunningInstance(
            pid=os.getpid(), database_url=database_url, redis_url=redis_url, api_url=api_url
        )
        with _explained(self.path):
            draft = self.path / f"{_RUNNING}.new"
            draft.unlink(missing_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - a mode from the first byte on
                json.dump(attrs.asdict(instance), file)
            draft.replace(self.path / _RUNNING)

    def close(self) -> None:
        """Give the folder up, after the servers on it have stopped."""
        with suppress(OSError):
            (self.path / _RUNNING).unlink(missing_ok=True)
        shutil.rmtree(self.sockets, ignore_errors=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> None:
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        # Who looks for a running instance holds the lock for a moment, if there is none.
        while not _locked(self._lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise DataFolderInUse(self.path, _holder(self.path)[0])
            time.sleep(_LOCK_PAUSE_S)
        (self.path / _RUNNING).unlink(missing_ok=True)
        _remove_sockets(_holder(self.path)[1])
        suitable = _SUITABLE_TEMPORARY_PATH.fullmatch(tempfile.gettempdir())
        self.sockets = Path(tempfile.mkdtemp(prefix=_SOCKETS_PREFIX, dir=None if suitable else "/tmp"))  # noqa: S108 - mkdtemp makes it private
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n{self.sockets}\n".encode(), 0)
        except OSError:  # the disk is full
            self.sockets.rmdir()
            raise


def running_instance(path: Path) -> RunningInstance | None:
    """Return the live instance that has the data folder *path*, once it has published where it is.

    What an instance left behind that was killed does not count: its lock went with it.
    """
    try:
        lock = os.open(path / _LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _locked(lock, fcntl.LOCK_SH):
            return None
        found = RunningInstance(**json.loads((path / _RUNNING).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    finally:
        os.close(lock)
    return found if found.pid == _holder(path)[0] else None


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> tuple[int | None, Path | None]:
    """Return the process that took the lock last, and its folder of sockets."""
    with suppress(OSError, ValueError, IndexError):
        lines = os.fsdecode((path / _LOCK).read_bytes()).splitlines()
        return int(lines[0]), Path(lines[1])
    return None, None


def _remove_sockets(left: Path | None) -> None:
    """Remove the folder that a killed instance left behind, if it is what it seems."""
    if left is None or not left.name.startswith(_SOCKETS_PREFIX):
        return
    with suppress(OSError):
        if left.lstat().st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedServerFailed(
            f"The data folder {path} cannot be used ({error.strerror or error}): make it writable, "
            "or set BIRTHDAYS_DATA_DIR to another folder."
        ) from error
