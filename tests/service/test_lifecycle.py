"""Starting, stopping, killing: nothing is lost, nothing is left behind, and every refusal is one sentence."""

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.service.running import (
    ADA,
    RunningService,
    call_command,
    free_port,
    run_command,
    running,
    running_from_nothing,
)

pytestmark = [pytest.mark.servers, pytest.mark.slow]

AWAY = httpx.codes.SERVICE_UNAVAILABLE


def register(service: RunningService, name: str = "ada") -> str:
    with service.api as api:
        answer = api.post("/users", json={**ADA, "email": f"{name}@example.com"})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return answer.headers["Location"]


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}/stat").exists() and not is_zombie(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def is_one_sentence(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) == 1 and lines[0].startswith("Error: ") and "Traceback" not in text


def is_kept(service: RunningService, location: str) -> bool:
    with service.api as api:
        return api.get(location).status_code == httpx.codes.OK


def test_however_it_ends_its_servers_end_with_it_and_it_starts_again_with_its_data(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with running_from_nothing(folder) as service:  # told to stop
        location = register(service)
        servers = service.servers()
        assert len(servers) >= 2
        assert service.stop(signal.SIGINT) == 0
        assert gone(servers)
    assert "Traceback" not in service.log.read_text()
    with running(folder) as service:  # killed with everything
        assert is_kept(service, location)
        location = register(service, "bob")
        service.kill_everything()
    with running(folder) as service:  # killed alone
        assert is_kept(service, location)
        location = register(service, "eve")
        servers = service.servers()
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait(10)
        assert gone(servers)
    with running(folder, BIRTHDAYS_DRAIN_S="600") as service, service.api as api:
        assert is_kept(service, location)
        lose_its_database(service, api, location)
        # It drains, unless it is told twice; tests/service/test_rolling_restart.py tells it by SIGTERM.
        service.process.send_signal(signal.SIGINT)
        while api.get("/health/ready").status_code == httpx.codes.OK:
            pass
        assert api.get(location).status_code == httpx.codes.OK
        assert service.stop(signal.SIGINT) == 0


def lose_its_database(service: RunningService, api: httpx.Client, location: str) -> None:
    """Kill the database: the service answers 503, and then goes on."""
    postmaster = int((service.folder / "postgres/postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    deadline, seen = time.monotonic() + 20, [httpx.codes.OK]
    # The cache may have what is asked for by its id; it never has a list.
    while time.monotonic() < deadline and not (AWAY in seen and seen[-1] == httpx.codes.OK):
        seen.append(httpx.codes(api.get("/users").status_code))
        assert api.get(location).status_code in {httpx.codes.OK, AWAY}
        time.sleep(0.01)
    assert set(seen) == {httpx.codes.OK, AWAY}
    assert seen[-1] == httpx.codes.OK
    assert api.get(location).status_code == httpx.codes.OK
    assert api.get("/health/ready").status_code == httpx.codes.OK


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refused = run_command(["serve"], tmp_path / "var", other.getsockname()[1])
    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr)
    assert "BIRTHDAYS_PORT" in refused.stderr
    assert not (tmp_path / "var").exists(), "nothing was started"


def test_a_folder_in_use_is_one_sentence_and_a_drain_ends_by_itself(tmp_path: Path) -> None:
    with running(tmp_path / "var", BIRTHDAYS_DRAIN_S="1") as service:
        refused = run_command(["serve"], tmp_path / "var", free_port())
        assert refused.returncode == 1
        assert is_one_sentence(refused.stderr)
        assert str(service.process.pid) in refused.stderr
        with service.api as api:
            assert api.get("/health/ready").status_code == httpx.codes.OK
        told_at, servers = time.monotonic(), service.servers()
        assert service.stop() == 0
        assert time.monotonic() - told_at > 1
        assert gone(servers)


UNREACHABLE = (
    "postgresql://nobody:secret@127.0.0.1:{port}/nowhere",
    "postgresql://nobody@/nowhere?host=/no/such/folder",
    "mysql://localhost/x",
    "not a url",
)


def see_it_told(refused: str) -> None:
    assert is_one_sentence(refused)
    assert "DATABASE_URL" in refused
    assert "secret" not in refused


@pytest.mark.parametrize("url", UNREACHABLE)
def test_an_unreachable_database_is_one_sentence(tmp_path: Path, url: str) -> None:
    url = url.format(port=free_port())
    refused = call_command(["migrate"], tmp_path / "var", free_port(), DATABASE_URL=url)
    assert refused.exit_code == 1
    see_it_told(refused.stderr)


def test_an_unreachable_database_is_one_sentence_at_the_start(tmp_path: Path) -> None:
    """The service opens it as every command does, so one address is enough."""
    url = UNREACHABLE[0].format(port=free_port())
    refused = run_command(["serve"], tmp_path / "var", free_port(), DATABASE_URL=url)
    assert refused.returncode == 1
    see_it_told(refused.stderr)


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("BIRTHDAYS_PORT", "eighty"),
        ("BIRTHDAYS_PORT", "70000"),
        ("BIRTHDAYS_CHANNEL", "pigeon"),
        ("BIRTHDAYS_SEND_TIME", "9 o'clock"),
        ("BIRTHDAYS_LEAP_DAY_RULE", "feb30"),
        ("BIRTHDAYS_WINDOW_HOURS", "0"),
        ("BIRTHDAYS_LEASE_S", "-1"),
        ("BIRTHDAYS_SENDER", "me"),
        ("BIRTHDAYS_LOG_FORMAT", "xml"),
    ),
)
def test_a_wrong_setting_is_one_sentence_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    refused = call_command(["serve"], tmp_path / "var", free_port(), **{name: value})
    assert refused.exit_code == 1
    assert is_one_sentence(refused.stderr)
    assert name in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    (
        ["serve", "--clock-start", "yesterday"],
        ["serve", "--clock-start", "2027-01-03T13:59:50"],
        ["serve", "--clock-speed", "10"],
        ["serve", "--clock-start", "2027-01-03T13:59:50Z", "--clock-speed", "-1"],
        ["serve", "--port", "99999"],
        ["upcoming", "--days", "0"],
        ["plan", "--from", "2027-01-02", "--to", "2027-01-01"],
        ["plan", "--from", "2027-02-30", "--to", "2027-03-01"],
        ["plan", "--from", "2027-01-01", "--to", "2030-01-01"],
        ["simulate", "no-such-file.csv", "--from", "2027-01-01", "--to", "2027-01-02"],
        ["dance"],
    ),
)
def test_a_wrong_option_is_told_and_nothing_is_started(tmp_path: Path, arguments: list[str]) -> None:
    refused = call_command(arguments, tmp_path / "var", free_port())
    assert refused.exit_code == 2
    assert "Traceback" not in refused.stderr
    assert "Error: " in refused.stderr
    assert not (tmp_path / "var").exists()
