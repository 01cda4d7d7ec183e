"""What the demonstration looks like: a screen with keys on a terminal, a line per message elsewhere."""

import asyncio
import os
import select
import signal
import sys
import termios
import tty
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from application.explanation import why
from application.statistics import Statistics
from domain.due import SendPolicy, zone
from domain.message import Status
from domain.plan import Owed
from entrypoints.cli.demo_world import World
from entrypoints.cli.options import utc

_KEYS = "space pause   n next message   + faster   - slower   q quit"
_FIXED_ROWS = 7
"""Rows of the screen that are always there: two of the header, three rules, the totals, the keys."""
_COMING_ROWS_MAX = 8
_COUNTDOWN_WIDTH, _NAME_WIDTH = 14, 22
"""So that the columns do not move with what stands in them."""
_ESCAPE = "\x1b"


class View(Protocol):
    """Where the demonstration is shown while it is open, and where its keys come from."""

    __slots__ = ()

    @abstractmethod
    def opened(self) -> AbstractContextManager[None]:
        """Show it, and leave everything as it was."""

    @abstractmethod
    def pressed(self) -> str:
        """Return the keys that were pressed since the last call, at once."""

    @abstractmethod
    def show(self, world: World, statistics: Statistics, *, speed: float, is_paused: bool) -> None: ...


class LinesView(View):
    """A line for each message that has left: instant, local time and zone, who, what, years, why."""

    __slots__ = ("_printed",)

    def __init__(self) -> None:
        self._printed = 0

    def opened(self) -> AbstractContextManager[None]:
        return nullcontext()

    def pressed(self) -> str:
        return ""

    def show(self, world: World, statistics: Statistics, *, speed: float, is_paused: bool) -> None:  # noqa: ARG002  # a line says less
        for sent in world.sent[self._printed :]:
            one = sent.owed
            local = f"{local_of(one, sent.sent_at)} {one.user.timezone}"
            click.echo(
                "  ".join((utc(sent.sent_at), local, who_of(one), what_of(one), why_of(one, world.policy)))
            )
        self._printed = len(world.sent)


class ScreenView(View):
    """The whole terminal: what has left, what comes next, and the totals; keys are read without Enter."""

    __slots__ = ("_address", "_end", "_live", "_start", "_terminal", "_was")

    def __init__(self, console: Console, start: datetime, end: datetime, address: str) -> None:
        self._start, self._end, self._address = start, end, address
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._terminal = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._was = None if self._terminal is None else termios.tcgetattr(self._terminal)

    @contextmanager
    def opened(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        # Ctrl-Z: the shell finds the terminal as it was, and 'fg' brings the screen back.
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        try:
            self._enter()
            yield
        finally:
            self._leave()
            loop.remove_signal_handler(signal.SIGTSTP)

    def pressed(self) -> str:
        if self._terminal is None or not select.select([self._terminal], [], [], 0)[0]:
            return ""
        pressed = os.read(self._terminal, 1024).decode(errors="ignore")
        return "" if pressed.startswith(_ESCAPE) else pressed  # Arrows and the like are several characters.

    def show(self, world: World, statistics: Statistics, *, speed: float, is_paused: bool) -> None:
        height = self._live.console.height
        coming_rows = max(1, min(_COMING_ROWS_MAX, (height - _FIXED_ROWS) * 3 // 10))
        sent_rows = max(1, (height - _FIXED_ROWS - coming_rows) // 2)
        screen = Group(
            _header(world.now, speed, is_paused=is_paused),
            _bar(min((world.now - self._start) / (self._end - self._start), 1.0)),
            _heading(f"Sent  (in a browser: {self._address})"),
            _sent(world, sent_rows),
            _heading("Next"),
            _coming(world, coming_rows),
            _heading("Ledger"),
            _totals(statistics),
            Text(_KEYS, style="dim", no_wrap=True),
        )
        self._live.update(screen, refresh=True)

    def _enter(self) -> None:
        if self._terminal is not None:
            tty.setcbreak(self._terminal)
        self._live.start()

    def _leave(self) -> None:
        try:
            if self._live.is_started:
                self._live.console.clear()  # tmux keeps what stood on a screen that was resized
            self._live.stop()
        finally:
            if self._terminal is not None and self._was is not None:
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._was)

    def _suspend(self) -> None:
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()


def summary(world: World, statistics: Statistics) -> str:
    """Return what came of it all, in two lines."""
    late_s = [(sent.sent_at - sent.due_at).total_seconds() for sent in world.sent]
    early = sum(one < 0 for one in late_s)
    return (
        f"{utc(world.now)}: {len(late_s)} message{'s' * (len(late_s) != 1)} sent, {early} before their instant, "
        f"the latest {max(late_s, default=0):.0f} s after it.\n{_totals(statistics).plain}"
    )


def why_of(one: Owed, policy: SendPolicy) -> str:
    annual = one.user.annual(one.occasion.kind)
    rule = one.user.leap_day_rule or policy.leap_day_rule
    is_leap_day = annual is not None and annual.is_leap_day
    return why(one.occasion.on, one.message.wall_time, policy.send_time, rule if is_leap_day else None)


def local_of(one: Owed, instant: datetime) -> str:
    return f"{instant.astimezone(zone(one.user.timezone)):%a %d %b %H:%M}"


def who_of(one: Owed) -> str:
    return f"{one.user.first_name} {one.user.last_name}"


def what_of(one: Owed) -> str:
    years = "" if one.occasion.years is None else f" {one.occasion.years}"
    return f"{one.occasion.kind.lower()}{years}"


def _heading(text: str) -> Rule:
    return Rule(Text(text, style="bold"), align="left", style="dim", characters="─")


def _header(now: datetime, speed: float, *, is_paused: bool) -> Table:
    row = Table.grid(expand=True)
    row.add_column(no_wrap=True)
    row.add_column(justify="right", no_wrap=True)
    state = Text("paused", style="bold yellow") if is_paused else Text("running", style="bold green")
    row.add_row(
        Text(f"{now:%a} {now.day} {now:%B %Y  %H:%M} UTC", style="bold cyan"),
        Text.assemble(state, f"  {speed_of(speed)}"),
    )
    return row


def _bar(part: float) -> Table:
    row = Table.grid(expand=True)  # A bar of its own does not end its line.
    row.add_row(ProgressBar(total=1, completed=part, complete_style="cyan", finished_style="cyan"))
    return row


def speed_of(speed: float) -> str:
    """Say what passes in a second."""
    for seconds, unit in ((365 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes")):
        if speed >= seconds:
            return f"{speed / seconds:.1f} {unit} a second"
    return f"{speed:.1f} times as fast"


def _sent(world: World, count: int) -> RenderableType:
    """Show the last messages, the newest at the bottom, two rows each."""
    table = Table.grid(padding=(0, 2), expand=True)
    _add_columns(table)
    shown = world.sent[-count:]
    for _ in range(2 * (count - len(shown))):
        table.add_row()
    for sent in shown:
        one = sent.owed
        style = "bold" if sent is shown[-1] else ""
        table.add_row(
            Text(_minute(sent.sent_at)), Text(who_of(one), style=style), Text(what_of(one), style=style)
        )
        table.add_row(
            Text(local_of(one, sent.sent_at), style="dim"),
            Text(one.user.timezone, style="dim"),
            Text(why_of(one, world.policy), style="green"),
        )
    return table


def _coming(world: World, count: int) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, justify="right", min_width=_COUNTDOWN_WIDTH)
    _add_columns(table)
    shown = world.coming[:count]
    for one in shown:
        due_at = one.message.due_at
        table.add_row(
            Text(_countdown(due_at - world.now), style="cyan"), _minute(due_at), who_of(one), what_of(one)
        )
    for _ in range(count - len(shown)):
        table.add_row()
    return table


def _add_columns(table: Table) -> None:
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, min_width=_NAME_WIDTH)
    table.add_column(no_wrap=True, ratio=1)


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"


def _countdown(left: timedelta) -> str:
    hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
    if left >= timedelta(days=1):
        return f"in {left.days} d {hours % 24:02} h"
    return f"in {hours} h {minutes:02} min" if hours else f"in {minutes} min"


def _totals(statistics: Statistics) -> Text:
    """Name the statuses that there are, and how many messages are in each."""
    always: Iterable[Status] = (Status.SCHEDULED, Status.SENT)
    named = [
        f"{count} {status.lower()}"
        for status, count in statistics.counts.items()
        if count or status in always
    ]
    return Text(", ".join(named), no_wrap=True)
