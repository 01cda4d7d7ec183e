"""The demonstration sends what the calendar owes, obeys its keys, and leaves the terminal as it was."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources

import attrs
import pytest
import structlog
from click.testing import CliRunner, Result

from application.explanation import why
from application.people_file import read_people
from application.people_rows import PeopleFile, Row
from application.simulation import simulate
from domain.due import SendPolicy, WallTime, zone
from domain.occasion import LeapDayRule
from domain.plan import Owed
from entrypoints.cli.demo import demo
from entrypoints.cli.demo_pace import SPEED_MAX, SPEED_MIN, Pace
from entrypoints.cli.options import utc

START = datetime(2027, 1, 1, tzinfo=UTC)
A_YEAR_LATER = datetime(2028, 1, 1, tzinfo=UTC)
LEFT_SCREEN = b"\x1b[?1049l"
SHOWN_CURSOR = b"\x1b[?25h"


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def people() -> PeopleFile:
    file = resources.files("entrypoints.cli").joinpath("people_of_the_demo.csv")
    return read_people(file.read_bytes())


def zones() -> frozenset[str]:
    """Return where they live. The hourly plan reckons every zone of the world; with these alone a year takes a second."""
    return frozenset(str(row.values["timezone"]) for row in people().rows() if isinstance(row, Row))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(demo, [*arguments, "--speed", f"{SPEED_MAX}"], catch_exceptions=False)


class TestPeople:
    def test_every_row_can_be_used(self) -> None:
        found = simulate(people(), SendPolicy(), START.date(), A_YEAR_LATER.date())
        assert not found.problems
        assert not people().recognised.ignored_columns
        assert 24 <= people().lines <= 30

    def test_they_live_in_many_zones_and_some_were_born_on_a_leap_day(self) -> None:
        rows = [row.values for row in people().rows() if isinstance(row, Row)]
        assert len({row["timezone"] for row in rows}) >= 12
        assert sum(row["birthday"].is_leap_day for row in rows) >= 2
        assert sum(row["birthday"].year is None for row in rows) == 1


class TestYear:
    @pytest.fixture(autouse=True)
    def _zones_of_the_people(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = zones()
        monkeypatch.setattr("domain.due.zone_names", lambda: found)

    @pytest.mark.slow
    def test_everyone_gets_what_the_calendar_owes_once_and_at_its_instant(self) -> None:
        result = run("--start", utc(START), "--leap-day-rule", LeapDayRule.MAR1.value)
        policy = SendPolicy(leap_day_rule=LeapDayRule.MAR1)
        owed = simulate(people(), policy, START.date() - timedelta(1), A_YEAR_LATER.date() + timedelta(1))
        expected = [line(one, policy) for one in owed.messages if START <= one.message.due_at <= A_YEAR_LATER]
        assert result.exit_code == 0
        assert result.stdout.splitlines() == expected
        assert (
            f"{utc(A_YEAR_LATER)}: {len(expected)} messages sent, 0 before their instant, the latest 0 s after it."
            in result.stderr
        )
        assert "29 Feb kept on 1 Mar (rule mar1)" in result.stdout

    def test_a_message_that_is_due_at_the_first_or_the_last_instant_is_sent(self) -> None:
        at = "2028-01-05T00:00:00Z"  # nine in the morning in Tokyo
        assert "Hayao Miyazaki" in run("--start", at, "--until", "2028-01-05T01:00:00Z").stdout
        assert "Hayao Miyazaki" in run("--start", "2028-01-04T23:00:00Z", "--until", at).stdout

    def test_nobody_is_greeted_before_they_are_born(self) -> None:
        result = run("--start", "1976-12-01T00:00:00Z", "--until", "1976-12-02T00:00:00Z")
        assert result.exit_code == 0
        assert result.stderr.count("A birthday may not lie in the future.") == 1  # Maryam Mirzakhani


def line(one: Owed, policy: SendPolicy) -> str:
    """Return what the demonstration prints for a message that left at the instant it was due."""
    annual = one.user.annual(one.occasion.kind)
    local = one.message.due_at.astimezone(zone(one.user.timezone))
    return "  ".join(
        (
            utc(one.message.due_at),
            f"{local:%a %d %b %H:%M} {one.user.timezone}",
            f"{one.user.first_name} {one.user.last_name}",
            f"{one.occasion.kind.lower()} {one.occasion.years or ''}".strip(),
            why(
                one.occasion.on,
                one.message.wall_time,
                policy.send_time,
                policy.leap_day_rule if annual is not None and annual.is_leap_day else None,
            ),
        )
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    (
        (["--start", "tomorrow"], "write the instant with its offset"),
        (["--start", "1969-12-31T23:59:59Z"], "from 1970 to 2200"),
        (["--until", "2027-12-31T00:00:00Z"], "it must come after --start"),
        (["--speed", "0"], "is not in the range"),
        (["--leap-day-rule", "feb30"], "is not one of"),
    ),
)
def test_a_wrong_option_is_told_in_a_sentence(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(demo, arguments)
    assert result.exit_code == 2
    assert text in result.stderr


@pytest.mark.parametrize(
    ("on", "wall_time", "rule", "sentence"),
    (
        (date(2027, 3, 14), WallTime.EXACT, None, "09:00 there"),
        (date(2027, 3, 14), WallTime.GAP, None, "clocks went forward over 09:00"),
        (date(2027, 3, 14), WallTime.REPEATED, None, "09:00 comes twice, this is the first"),
        (date(2011, 12, 30), WallTime.SKIPPED_DAY, None, "09:00 of the next day, 30 Dec was left out"),
        (date(2027, 2, 28), WallTime.EXACT, LeapDayRule.FEB28, "29 Feb kept on 28 Feb (rule feb28)"),
        (date(2027, 3, 1), WallTime.EXACT, LeapDayRule.MAR1, "29 Feb kept on 1 Mar (rule mar1)"),
        (date(2028, 2, 29), WallTime.EXACT, LeapDayRule.FEB28, "29 Feb of a leap year"),
        (
            date(2028, 2, 29),
            WallTime.GAP,
            LeapDayRule.LEAP_YEARS_ONLY,
            "29 Feb of a leap year, clocks went forward over 09:00",
        ),
    ),
)
def test_why_is_said(on: date, wall_time: WallTime, rule: LeapDayRule | None, sentence: str) -> None:
    assert why(on, wall_time, SendPolicy().send_time, rule) == sentence


class TestKeys:
    def test_space_pauses_and_resumes(self) -> None:
        pace = Pace(1000)
        pace.press(" ")
        assert pace.is_paused
        pace.press(" ")
        assert not pace.is_paused

    def test_n_goes_on_to_the_next_message_and_stops_there(self) -> None:
        pace = Pace(1000)
        pace.press("n")
        assert pace.is_stepping
        assert pace.is_paused

    def test_space_ends_a_step(self) -> None:
        pace = Pace(1000)
        pace.press("n")
        pace.press(" ")
        assert not pace.is_stepping
        assert not pace.is_paused

    @pytest.mark.parametrize(
        ("key", "speed"), (("+", 2000), ("=", 2000), ("-", 500), ("_", 500), ("x", 1000))
    )
    def test_plus_and_minus_change_the_speed(self, key: str, speed: float) -> None:
        pace = Pace(1000)
        pace.press(key)
        assert pace == Pace(speed)

    def test_the_speed_has_bounds(self) -> None:
        fast, slow = Pace(SPEED_MAX), Pace(SPEED_MIN)
        fast.press("+")
        slow.press("-")
        assert (fast.speed, slow.speed) == (SPEED_MAX, SPEED_MIN)

    def test_q_quits(self) -> None:
        pace = Pace(1000)
        pace.press("q")
        assert pace.is_over


@attrs.define
class Terminal:
    """A pseudo-terminal with the demonstration in it, and all that it has written."""

    process: "subprocess.Popen[bytes]"
    master: int
    slave: int
    mode: list[object]
    written: bytes = b""

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

    def wait_for(self, pattern: bytes, timeout_s: float = 20) -> None:
        """Read until *pattern* has come since the last call."""
        seen = len(self.written)
        deadline_s = time.monotonic() + timeout_s
        while not re.search(pattern, self.written[seen:]):
            assert time.monotonic() < deadline_s, f"{pattern!r} did not come in {self.written[seen:]!r}"
            self._read(0.1)

    def ends_with(self, exit_code: int) -> None:
        deadline_s = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, "it does not end"
            self._read(0.05)
        self._read(0)
        assert self.process.returncode == exit_code
        assert termios.tcgetattr(self.slave) == self.mode
        assert self.written.rfind(LEFT_SCREEN) > self.written.rfind(b"\x1b[?1049h") > -1
        assert self.written.rfind(SHOWN_CURSOR) > self.written.rfind(b"\x1b[?25l") > -1

    def _read(self, timeout_s: float) -> None:
        if select.select([self.master], [], [], timeout_s)[0]:
            self.written += os.read(self.master, 65536)


@contextlib.contextmanager
def terminal(before: str = "") -> Iterator[Terminal]:
    """Start the demonstration in a terminal of 80 by 24, after the statements *before*."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    mode = termios.tcgetattr(slave)
    reckoned = f"domain.due.zone_names = lambda: {zones()!r}"
    code = (
        f"import domain.due\nfrom entrypoints.cli import demo, demo_view\n{reckoned}\n{before}\ndemo.demo()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color"},
    )
    try:
        yield Terminal(process, master, slave, mode)
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


@pytest.mark.slow
class TestTerminal:
    def test_keys_are_obeyed_and_the_terminal_is_as_it_was(self) -> None:
        with terminal() as screen:
            screen.wait_for(rb"running")
            assert termios.tcgetattr(screen.slave) != screen.mode
            screen.press(" ")
            screen.wait_for(rb"paused")
            screen.press("n")
            screen.wait_for(rb"1 sent")
            screen.press("q")
            screen.ends_with(0)
        assert b"1 message sent, 0 before their instant" in screen.written
        assert b"Hayao Miyazaki" in screen.written

    def test_ctrl_c_quits_too(self) -> None:
        with terminal() as screen:
            screen.wait_for(rb"running")
            screen.process.send_signal(2)
            screen.ends_with(0)

    def test_an_error_leaves_the_terminal_as_it_was(self) -> None:
        with terminal(before="demo_view.ScreenView.pressed = lambda self: 1 / 0") as screen:
            screen.ends_with(1)
        assert b"ZeroDivisionError" in screen.written
