"""A PostgreSQL, or the way to it, that falls silent without closing a connection holds nobody up for ever."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import open_engine
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from application.announcer import Announcer
from application.retention import ForgetWhatIsOld
from application.statistics import SchedulerState
from entrypoints.http import limits
from entrypoints.scheduler import bounds, upkeep
from entrypoints.scheduler.upkeep import RetentionUpkeep
from tests.contract.adapters import POLICY
from tests.http.test_limits import ask
from tests.http.world import NOBODY, app_of, use_cases_of
from tests.redis.proxy import Mode, Proxy
from tests.servers import fresh_database
from tests.use_cases.service import Service

pytestmark = [pytest.mark.servers, pytest.mark.slow]

GIVEN_UP_WITHIN_S = 5.0
"""A connection that nobody answers on is thrown away, which takes two seconds more."""


@asynccontextmanager
async def through(url: str) -> AsyncIterator[tuple[Proxy, URL]]:
    """Lend what stands before the server at *url*, and the address of that."""
    parsed = make_url(url)
    far = f"{parsed.query['host']}/.s.PGSQL.{parsed.port or 5432}"
    proxy = Proxy(far)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield proxy, parsed.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        proxy.cut_all()


@pytest.fixture
async def silent(postgres_url: str) -> AsyncIterator[tuple[Proxy, AsyncEngine]]:
    """An engine whose connections were good until now."""
    async with fresh_database(postgres_url) as database, through(database) as (proxy, url):
        engine = open_engine(url.render_as_string(hide_password=False))
        await PostgresUserReader(engine).page(None, 1)
        proxy.mode = Mode.HANG
        yield proxy, engine
        proxy.mode = Mode.PASS
        await engine.dispose()


async def test_a_request_is_given_up_and_the_next_one_is_served_once_it_is_back(
    silent: tuple[Proxy, AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, engine = silent
    monkeypatch.setattr(limits, "ANSWER_WITHIN_S", 0.2)
    app = app_of(use_cases_of(Service(), SchedulerState(), users=PostgresUserReader(engine)))
    started = time.monotonic()
    async with asyncio.timeout(GIVEN_UP_WITHIN_S):
        assert (await ask(app, "/users"))[0] == HTTPStatus.SERVICE_UNAVAILABLE
        assert (await ask(app, f"/users/{NOBODY}"))[0] == HTTPStatus.SERVICE_UNAVAILABLE
    assert time.monotonic() - started > 0.3
    proxy.mode = Mode.PASS
    async with asyncio.timeout(GIVEN_UP_WITHIN_S):
        assert (await ask(app, "/users"))[0] == HTTPStatus.OK


async def test_a_job_is_given_up_and_done_once_it_is_back(
    silent: tuple[Proxy, AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, engine = silent
    monkeypatch.setattr(bounds, "JOB_WITHIN_S", 0.2)
    monkeypatch.setattr(upkeep, "FORGET_EVERY_S", 0.1)
    done = asyncio.Event()

    class Told(PostgresUnitOfWork):
        async def commit(self) -> None:
            await super().commit()
            done.set()

    forget = ForgetWhatIsOld(partial(Told, engine, Announcer()), POLICY, POLICY.greeted_guard)
    stopping = asyncio.Event()
    running = asyncio.create_task(RetentionUpkeep(forget).run(stopping))
    await asyncio.sleep(1)
    assert not done.is_set()
    proxy.mode = Mode.PASS
    async with asyncio.timeout(2 * GIVEN_UP_WITHIN_S):
        await done.wait()
    stopping.set()
    await running
