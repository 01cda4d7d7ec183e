"""The command that runs the service: API and scheduler, on servers of its own unless told otherwise."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import Iterator, Sequence
from datetime import datetime

import click
import structlog
import uvicorn
import uvloop

from entrypoints.cli.options import InstantOption, one_sentence, settings
from entrypoints.container.opening import FORESEEN, Job, OpenService, opened_service
from entrypoints.http.app import create_app, with_edges
from entrypoints.http.slow_clients import ImpatientProtocol
from entrypoints.logs import configure_logs
from entrypoints.settings import Settings

log = structlog.get_logger()

STOP_WITHIN_S = 1.0
"""How long requests and the batch that is being sent may take to end once the service is told to stop."""

SPEED_MAX = 100_000.0


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
    in BIRTHDAYS_DATA_DIR. The schema is brought up to date first.
    """
    if clock_speed != 1.0 and clock_start is None:
        raise click.UsageError("--clock-speed needs --clock-start.")
    chosen = settings()
    configure_logs(chosen.log_format)
    with _listening(chosen.host, chosen.port if port is None else port) as listener:
        uvloop.run(_serve(chosen, listener, clock_start, clock_speed))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything is started, so that a taken one is told at once."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            text = f"Port {port} is taken by another program; choose one with BIRTHDAYS_PORT or --port."
        else:
            text = f"Cannot listen on {host} port {port}: {error.strerror}."
        raise click.ClickException(text) from None
    with listener:
        yield listener


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the service has one place that says when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(
    chosen: Settings, listener: socket.socket, clock_start: datetime | None, clock_speed: float
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    async with opened_service(chosen, serves_at=address) as opened:
        if stopping.is_set():
            return
        await opened.start_clock(clock_start, clock_speed)
        await opened.start_cache()
        scheduler = opened.service.scheduler()
        opened.adapters.announcer().subscribe(scheduler.wake)
        await scheduler.plan_now()
        door = await _door(address, opened, chosen)
        server = _Server(
            uvicorn.Config(
                with_edges(create_app(opened.service.http()), opened.service.http()),
                http=ImpatientProtocol,
                ws="none",
                access_log=False,
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )
        # What the start has made stays: some request would have to wait each time that the collector looks through it.
        gc.collect()
        gc.freeze()
        jobs = asyncio.create_task(_run(opened.jobs(), stopping))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        _greet(address, opened, chosen, door)
        try:
            waiting = asyncio.create_task(stopping.wait())
            await asyncio.wait([waiting, jobs, serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.set()
            server.should_exit = True
            _, unfinished = await asyncio.wait([jobs, serving, waiting], timeout=STOP_WITHIN_S)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(jobs, serving, waiting, return_exceptions=True)
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
