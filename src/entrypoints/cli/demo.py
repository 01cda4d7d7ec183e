"""The command that shows a year in a minute, on the memory adapters and the real scheduler."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs
import click
import structlog
from rich.console import Console

from domain.occasion import LeapDayRule
from entrypoints.cli.demo_pace import SPEED_MAX, SPEED_MIN, Pace
from entrypoints.cli.demo_page import served
from entrypoints.cli.demo_view import LinesView, ScreenView, View, summary
from entrypoints.cli.demo_world import World
from entrypoints.cli.listening import listening
from entrypoints.cli.options import InstantOption, settings
from entrypoints.settings import Settings

A_YEAR_A_MINUTE = 365.0 * 24 * 60

_FRAME_S = 1 / 12
_ADVANCE_MAX_S = 0.25
"""How long the clock may be moved on at a stretch, before keys are read and the view is drawn again."""


@click.command("demo")
@click.option(
    "--start",
    type=InstantOption(),
    default="2028-01-01T00:00:00Z",
    show_default=True,
    help="Where time begins.",
)
@click.option("--until", type=InstantOption(), help="Where it ends.  [default: a year after --start]")
@click.option(
    "--speed",
    type=click.FloatRange(SPEED_MIN, SPEED_MAX),
    default=A_YEAR_A_MINUTE,
    show_default="a year a minute",
    help="How many seconds pass in a real one, at most.",
)
@click.option(
    "--leap-day-rule",
    type=click.Choice([rule.value for rule in LeapDayRule]),
    help="When a 29 February is kept in other years.  [default: as BIRTHDAYS_LEAP_DAY_RULE says]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where the pages are, on this machine alone; 0 takes any free one.  [default: BIRTHDAYS_PORT, or any free "
    "one; without a terminal there are none unless it is given]",
)
def demo(
    start: datetime, until: datetime | None, speed: float, leap_day_rule: str | None, port: int | None
) -> None:
    """Watch a year of messages to thirty well-known people go out in a minute.

    The scheduler is the real one; database, channel and clock are in memory, nothing is kept and nobody
    gets anything. In a browser there are the operator's page and an outbox, where the clock can be paused,
    hurried and moved on; with them, time stands still at the end instead of ending the demonstration.
    Without a terminal, a line is printed for every message.
    """
    end = _a_year_after(start) if until is None else until
    if end <= start:
        raise click.BadParameter("it must come after --start.", param_hint="--until")
    # Whoever may open the pages may do everything: so they are for this machine.
    chosen = attrs.evolve(settings(), is_open=True, host="127.0.0.1")
    if leap_day_rule is not None:
        rule = LeapDayRule(leap_day_rule)
        chosen = attrs.evolve(chosen, policy=attrs.evolve(chosen.policy, leap_day_rule=rule))
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with contextlib.ExitStack() as stack:
        listener = None
        if port is not None or _is_screen(Console()):
            wanted = chosen.port if port is None else port
            listener = stack.enter_context(listening(chosen.host, wanted, or_any=port is None))
        asyncio.run(_demonstrate(chosen, start, end, Pace(speed), listener))


def _is_screen(console: Console) -> bool:
    return sys.stdout.isatty() and not console.is_dumb_terminal


def _a_year_after(start: datetime) -> datetime:
    try:
        return start.replace(year=start.year + 1)
    except ValueError:
        return start.replace(year=start.year + 1, month=3, day=1)


async def _demonstrate(
    chosen: Settings, start: datetime, end: datetime, pace: Pace, listener: socket.socket | None
) -> None:
    world = World.starting(start, chosen)
    for problem in await world.populate():
        click.echo(f"Left out, line {problem.line} of the people: {problem.reason}", err=True)
    stopping = asyncio.Event()
    console = Console()
    async with contextlib.AsyncExitStack() as stack:
        address = ""
        if listener is not None:
            address = await stack.enter_async_context(served(world, pace, listener))
            click.echo(f"In a browser: {address}", err=True)
        is_screen = _is_screen(console)
        view = ScreenView(console, start, end, address) if is_screen else LinesView()
        scheduling = asyncio.create_task(world.run(stopping))
        scheduling.add_done_callback(lambda _task: pace.quit())
        try:
            with _signals(pace), view.opened():
                await _play(world, end, pace, view, stays=listener is not None)
        finally:
            stopping.set()
            await scheduling
    click.echo(summary(world, await world.statistics()), err=not is_screen)


@contextlib.contextmanager
def _signals(pace: Pace) -> Iterator[None]:
    """Let whoever ends the program find the terminal as it was."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, pace.quit)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _play(world: World, end: datetime, pace: Pace, view: View, *, stays: bool) -> None:
    """Go on frame by frame to *end*, or until the pace is over; with *stays* time stands still there."""
    last_s = time.monotonic()
    stops_at = end
    while not pace.is_over:
        frame_s = time.monotonic()
        for key in view.pressed():
            pace.press(key)
        goal = _goal(world, pace, min(frame_s - last_s, _ADVANCE_MAX_S))
        until = (
            goal if stays and pace.is_paused else min(goal, stops_at)
        )  # who steps or jumps may pass the end
        await world.advance(until, _ADVANCE_MAX_S, is_over=lambda: pace.is_over)
        if world.now >= goal:
            pace.arrive()
        view.show(world, await world.statistics(), speed=pace.speed, is_paused=pace.is_paused)
        if world.now >= stops_at:
            if not stays:
                return
            if not pace.is_paused:
                pace.stand()
            stops_at = _a_year_after(stops_at)
        last_s = frame_s
        await asyncio.sleep(max(frame_s + _FRAME_S - time.monotonic(), 0))


def _goal(world: World, pace: Pace, passed_s: float) -> datetime:
    """Return how far the clock may go in this frame."""
    if pace.jumps_to is not None:
        return pace.jumps_to
    if pace.is_stepping and world.coming:
        return world.coming[0].message.due_at
    if pace.is_paused:
        return world.now
    return world.now + timedelta(seconds=passed_s * pace.speed)
