"""Two processes are restarted one after the other, under load, and nobody notices."""

import asyncio
import contextlib
import json
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from domain.access import Scope
from entrypoints.container.opening import opened_service
from entrypoints.settings import Settings
from tests.delivery.certificates import authority
from tests.delivery.web_server import Inbox, web_server
from tests.servers import fresh_database
from tests.service.rolling import Balancer, Load, balancing
from tests.service.running import RunningService, free_port, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DRAIN_S = 15
"""For as long as nobody has noticed that a process is to stop: on a slow machine that takes seconds."""
CLIENTS = 2
PAUSE_S = 0.1
DUE_EVERY_S = 1.0
_SOME_ARE_DUE = """
    WITH people AS (
        INSERT INTO users (
            id, first_name, last_name, email, timezone, birthday_month, birthday_day, version,
            created_at, updated_at, birthday_known_at, anniversary_known_at
        )
        SELECT id, 'Ada', 'L', id || '@example.com', 'UTC',
            extract(month FROM now() AT TIME ZONE 'UTC'), extract(day FROM now() AT TIME ZONE 'UTC'), 1,
            now(), now(), now(), now()
        FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 10)) ids
        RETURNING id
    )
    INSERT INTO messages (
        occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time, created_at, updated_at
    )
    SELECT (now() AT TIME ZONE 'UTC')::date, id, 'BIRTHDAY', 'SCHEDULED',
        now() + interval '2 s' + random() * interval '1 s', now() + interval '1 day', 'UTC', 'exact', now(), now()
    FROM people
"""


async def prepare(database: str, told: dict[str, str]) -> str:
    """Have a schema and a plan, and return a key of the API."""
    async with opened_service(Settings.from_environment({"DATABASE_URL": database, **told})) as opened:
        await opened.service.scheduler().plan_now()
        made = await opened.service.access().make_key("load", {Scope.USERS_READ, Scope.USERS_WRITE})
    return made.text


async def keep_due(database: str, stopping: asyncio.Event) -> int:
    """Let some messages fall due again and again until *stopping* is set; return how many."""
    connection = await asyncpg.connect(database)
    try:
        while not stopping.is_set():
            await connection.execute(_SOME_ARE_DUE)
            await asyncio.sleep(DUE_EVERY_S)
        number: int = await connection.fetchval("SELECT count(*) FROM messages")
        return number
    finally:
        await connection.close()


def events(service: RunningService) -> list[str]:
    lines = [line for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [json.loads(line)["event"] for line in lines]


async def restart(
    service: RunningService, balancer: Balancer, starts: contextlib.ExitStack, told: dict[str, str]
) -> RunningService:
    """Tell the process to stop, and to stop at once when nobody asks it any more; start it again where it was."""
    service.process.terminate()
    await balancer.left(service.port)
    assert await asyncio.to_thread(service.stop) == 0
    again = running(service.folder, port=service.port, **told)
    return await asyncio.to_thread(starts.enter_context, again)


async def until(balancer: Balancer, ports: set[int]) -> None:
    async with asyncio.timeout(30):
        while balancer.ready != ports:  # noqa: ASYNC110  # it looks at them by itself
            await asyncio.sleep(0.02)


async def settled(inbox: Inbox, number: int) -> None:
    # Less than a lease: who is told to stop leaves no message behind for which another would have to wait so long.
    async with asyncio.timeout(30):
        while len(inbox.accepted) < number:  # noqa: ASYNC110  # what comes in is nobody's event
            await asyncio.sleep(0.05)


async def test_no_request_fails_and_no_message_is_repeated(
    postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    certificate = tmp_path / "authority.pem"
    authority("known").cert_pem.write_to_path(str(certificate))
    async with web_server() as inbox, fresh_database(postgres_url) as database:
        told = {
            "DATABASE_URL": database,
            "REDIS_URL": valkey_url,
            "BIRTHDAYS_CHANNEL": "webhook",
            "BIRTHDAYS_WEBHOOK_URL": inbox.url,
            "BIRTHDAYS_WEBHOOK_SECRET": "whsec_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz",
            "BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE": "true",
            "BIRTHDAYS_SEND_TIME": "00:00",
            "BIRTHDAYS_BRAKE": "off",  # the slower the machine, the more fall due before all is done
            "BIRTHDAYS_DRAIN_S": str(DRAIN_S),
            "SSL_CERT_FILE": str(certificate),
        }
        key = await prepare(database, told)
        ports, stopping = {free_port(), free_port()}, asyncio.Event()
        falling_due = asyncio.create_task(keep_due(database, stopping))
        with contextlib.ExitStack() as starts:
            services = [
                await asyncio.to_thread(
                    starts.enter_context, running(tmp_path / str(port), port=port, **told)
                )
                for port in ports
            ]
            restarted: list[RunningService] = []
            async with balancing(sorted(ports)) as balancer:
                await until(balancer, ports)
                load = Load(f"http://127.0.0.1:{balancer.port}", {"Authorization": f"Bearer {key}"})
                clients = [asyncio.create_task(load.run(stopping, PAUSE_S)) for _ in range(CLIENTS)]
                for service in services:
                    before = len(inbox.posts)
                    restarted.append(await restart(service, balancer, starts, told))
                    assert len(inbox.posts) > before, "messages were due meanwhile"
                    await until(balancer, ports)
                stopping.set()
                await asyncio.gather(*clients)
            due = await falling_due
            await settled(inbox, due)
            for service in restarted:
                service.process.terminate()  # and again by whoever has started it
        assert load.failures == []
        assert all(load.answers[method] > 20 for method in ("POST", "GET", "PATCH"))
        assert all(balancer.led[port] > 1 for port in ports)
        posted = Counter(post.headers["idempotency-key"] for post in inbox.posts)
        assert [key for key, times in posted.items() if times > 1] == []
        assert len(posted) == due
        for service in services:
            log = events(service)
            assert log.index("stop_requested") < log.index("service_stopped")
            assert "tick_failed" not in log
