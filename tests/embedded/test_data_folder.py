"""A data folder belongs to one process at a time, and others find that process only while it lives."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.data_folder import (
    DataFolder,
    DataFolderInUse,
    EmbeddedServerFailed,
    RunningInstance,
    running_instance,
)
from tests.embedded.running import environment

HOLDER = """
import sys, time
from pathlib import Path
from adapters.embedded.data_folder import DataFolder
folder = DataFolder(Path(sys.argv[1]))
folder.publish(database_url="postgresql://here", api_url="http://here")
print(folder.sockets, flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the folder and has said so."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        yield process
        process.kill()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_private(path: Path) -> None:
    with DataFolder(path / "below") as folder:
        assert mode(folder.path) == mode(folder.sockets) == 0o700


def test_a_folder_in_use_is_refused_with_its_name_and_its_process(
    path: Path, holder: "subprocess.Popen[str]"
) -> None:
    first_line(holder)
    with pytest.raises(DataFolderInUse) as refused:
        DataFolder(path)
    assert str(path) in str(refused.value)
    assert f"process {holder.pid}:" in str(refused.value)


def test_a_closed_folder_can_be_taken_again(path: Path) -> None:
    for _ in range(2):
        with DataFolder(path), pytest.raises(DataFolderInUse):
            DataFolder(path)


def test_another_process_finds_what_was_published(path: Path, holder: "subprocess.Popen[str]") -> None:
    first_line(holder)
    assert running_instance(path) == RunningInstance(
        pid=holder.pid, database_url="postgresql://here", api_url="http://here"
    )
    assert mode(path / "running.json") == 0o600


def test_what_is_published_again_replaces_the_first(path: Path) -> None:
    with DataFolder(path) as folder:
        assert running_instance(path) is None
        folder.publish(database_url="postgresql://here")
        folder.publish(database_url="postgresql://here", redis_url="unix:///here")
        assert running_instance(path) == RunningInstance(
            pid=os.getpid(), database_url="postgresql://here", redis_url="unix:///here"
        )
    assert running_instance(path) is None
    assert not (path / "running.json").exists()


def test_what_a_killed_process_published_does_not_count(path: Path, holder: "subprocess.Popen[str]") -> None:
    sockets = Path(first_line(holder))
    holder.kill()
    holder.wait()
    assert (path / "running.json").exists()
    assert running_instance(path) is None
    with DataFolder(path):
        assert running_instance(path) is None  # the next one has not published yet
    assert not sockets.exists()


def test_a_file_put_beside_the_lock_of_another_process_does_not_count(path: Path) -> None:
    with DataFolder(path):
        (path / "running.json").write_text('{"pid": 1, "database_url": "postgresql://elsewhere"}')
        assert running_instance(path) is None
        (path / "running.json").write_text("{")
        assert running_instance(path) is None


def test_no_folder_has_no_instance(path: Path) -> None:
    assert running_instance(path) is None
    assert not path.exists()


def test_looking_for_an_instance_hinders_none_to_start(path: Path) -> None:
    stopping = threading.Event()

    def look() -> None:
        while not stopping.is_set():
            running_instance(path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(50):
            DataFolder(path).close()
    finally:
        stopping.set()
        looker.join()


@pytest.mark.parametrize("name", ("n" * 100, "with spaces", "Köln", "a,b"))
def test_sockets_have_a_short_and_plain_path(
    path: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    with DataFolder(path) as folder:
        assert len(os.fsencode(folder.sockets / ".s.PGSQL.5432")) < 104
        assert name not in str(folder.sockets)
    assert not folder.sockets.exists()


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        EmbeddedServerFailed, match=r"^The data folder .*/file/data cannot be used \(Not a dir.*\.$"
    ):
        DataFolder(tmp_path / "file" / "data")
