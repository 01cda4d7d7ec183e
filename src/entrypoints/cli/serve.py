"""The command that runs the service: API and scheduler, on servers of its own unless told otherwise."""

import asyncio
import gc
import signal
import socket
from collections.abc import Sequence
from datetime import datetime

import attrs
import click
import structlog
import uvloop

from entrypoints.cli.listening import listening, reached_at, web_server
from entrypoints.cli.options import InstantOption, one_sentence, settings
from entrypoints.container.opening import FORESEEN, Job, OpenService, opened_service
from entrypoints.http.app import create_app
from entrypoints.logs import configure_logs
from entrypoints.request_lines import TellLine
from entrypoints.settings import Settings

log = structlog.get_logger()

STOP_WITHIN_S = 1.0
"""How long requests and the batch that is being sent may take to end once the service stops; longer by a drain."""

YOUNG_MAX = 10_000
"""How many objects may be new before the collector looks through them: dozens of requests at once have thousands."""

SPEED_MAX = 100_000.0


def spare_collector() -> None:
    """Let what the start has made stay: some request would wait each time that the collector looks through it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)


@click.command("serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Instead of BIRTHDAYS_PORT; 0 takes any free one."
)
@click.option(
    "--clock-start",
    type=InstantOption(),
    help="Let the service believe that it starts at this instant, as 2027-01-03T13:59:50Z. For demonstrations.",
)
@click.option(
    "--clock-speed",
    type=click.FloatRange(0, SPEED_MAX),
    default=1.0,
    show_default=True,
    help="How many seconds pass for the service in a real one; needs --clock-start.",
)
@one_sentence(*FORESEEN)
def serve(port: int | None, clock_start: datetime | None, clock_speed: float) -> None:
    """Run the API and the scheduler until Ctrl-C or SIGTERM.

    Without DATABASE_URL a PostgreSQL of its own is started, and without REDIS_URL a Valkey, with their data
    in BIRTHDAYS_DATA_DIR. The schema is brought up to date first. With BIRTHDAYS_DRAIN_S it serves so long
    after it is told to stop, and says that it is not ready; told twice, it stops at once.
    """
    if clock_speed != 1.0 and clock_start is None:
        raise click.UsageError("--clock-speed needs --clock-start.")
    chosen = settings()
    tell = configure_logs(chosen.log_format)
    with listening(chosen.host, chosen.port if port is None else port) as listener:
        uvloop.run(_serve(chosen, listener, tell, clock_start, clock_speed))


@attrs.define(eq=False)
class _Stop:
    """Set when the service is told to stop; *at_once* when it is told so again, or has nothing to wait for."""

    told: asyncio.Event = attrs.field(factory=asyncio.Event)
    at_once: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __call__(self) -> None:
        if self.told.is_set():
            self.at_once.set()
        self.told.set()


async def _serve(
    chosen: Settings,
    listener: socket.socket,
    tell: TellLine,
    clock_start: datetime | None,
    clock_speed: float,
) -> None:
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    address = reached_at(listener)
    async with opened_service(chosen, serves_at=address) as opened:
        if stop.told.is_set():
            return
        await opened.start_clock(clock_start, clock_speed)
        await opened.start_cache()
        scheduler = opened.service.scheduler()
        opened.adapters.announcer().subscribe(scheduler.wake)
        await scheduler.plan_now()
        door = await _door(address, opened, chosen)
        use_cases = opened.service.http()
        stop_within_s = STOP_WITHIN_S + chosen.drain_s
        server = web_server(use_cases, create_app(use_cases), stop_within_s=stop_within_s, tell=tell)
        stopping = asyncio.Event()
        spare_collector()
        jobs = asyncio.create_task(_run(opened.jobs(), stopping))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        _greet(address, opened, chosen, door)
        waiting = [asyncio.create_task(event.wait()) for event in (stop.told, stop.at_once)]
        try:
            await asyncio.wait([waiting[0], jobs, serving], return_when=asyncio.FIRST_COMPLETED)
            if stop.told.is_set() and chosen.drain_s:
                use_cases.leaving.is_leaving = True
                log.info("stop_requested", drain_s=chosen.drain_s)
                ends = [waiting[1], jobs, serving]
                await asyncio.wait(ends, timeout=chosen.drain_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.set()
            server.should_exit = True
            stop.told.set()
            stop.at_once.set()
            _, unfinished = await asyncio.wait([jobs, serving, *waiting], timeout=stop_within_s)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(jobs, serving, *waiting, return_exceptions=True)
            log.info("service_stopped", finished=not unfinished)
        for task in (jobs, serving):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error


async def _run(jobs: Sequence[Job], stopping: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as running:
        for job in jobs:
            running.create_task(job(stopping))


async def _door(address: str, opened: OpenService, chosen: Settings) -> str:
    """Make the keys that are missing, and return what whoever starts the service is to know of them."""
    if chosen.is_open:
        return "  keys      none are asked for (BIRTHDAYS_AUTH=off), so only this machine is served\n"
    first = await opened.own_key(chosen.data_dir)
    link = await opened.service.access().log_in.link()
    text = f"  browser   {address}/login?token={link}\n            (once, within an hour; 'birthdays login' prints another)\n"
    if first is not None:
        text += (
            f"  your key  {first.text}\n            (shown this once; 'birthdays keys make' makes others)\n"
        )
        text += f"Try: curl -H 'Authorization: Bearer {first.text}' {address}/users\n"
    return text


def _greet(address: str, opened: OpenService, chosen: Settings, door: str) -> None:
    where = f" into {chosen.data_dir / 'maildir'}" if chosen.channel == "maildir" else ""
    click.echo(
        f"Birthdays serves {address}\n"
        f"  database  {opened.database}\n"
        f"  messages  leave by {chosen.channel}{where}, at {chosen.policy.send_time:%H:%M} local time\n"
        f"  clock     {opened.adapters.clock().now():%Y-%m-%d %H:%M:%S} UTC\n"
        f"  page      {address}/\n"
        f"  API       {address}/schema\n"
        f"{door}"
        "Stop it with Ctrl-C."
    )
