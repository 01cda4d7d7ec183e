"""The PostgreSQL adapters keep the contract."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import attrs
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.audit import PostgresAuditReader
from adapters.postgres.database import open_engine, set_clock
from adapters.postgres.joined_users import JoinedUserReader
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.operator_reader import PostgresOperatorReader
from adapters.postgres.person_reader import PostgresPersonReader
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from tests.contract.adapters import START, Adapters, Recorder
from tests.contract.audit import AuditContract
from tests.contract.brake import BrakeContract
from tests.contract.channel_limits import ChannelLimitsContract
from tests.contract.claim import ClaimContract
from tests.contract.claim_truth import ClaimTruthContract
from tests.contract.events import EventsContract
from tests.contract.imports import ImportsContract
from tests.contract.leases import LeaseContract
from tests.contract.ledger_machine import LedgerMachine
from tests.contract.next_due import NextDueContract
from tests.contract.operator import OperatorContract
from tests.contract.plan import PlanContract
from tests.contract.plan_at_once import PlanAtOnceContract
from tests.contract.readers import ReadersContract
from tests.contract.rights import RightsContract
from tests.contract.settle import SettleContract
from tests.contract.stored_messages import StoredMessagesContract
from tests.contract.test_ledger_machine import memory_world
from tests.contract.todays_lists import TodaysListsContract
from tests.contract.unit_of_work import UnitOfWorkContract
from tests.contract.unwanted import UnwantedContract
from tests.contract.upkeep import UpkeepContract
from tests.contract.users import UsersContract
from tests.servers import fresh_engine

pytestmark = pytest.mark.servers


async def postgres_adapters(engine: AsyncEngine) -> Adapters:
    """Bundle the adapters over an empty database whose clock stands at START."""

    async def expire_leases() -> None:
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE messages SET lease_until = clock_timestamp() - interval '1 s' WHERE status = 'SENDING'"
                )
            )

    async def let_pass(seconds: float) -> None:
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE channels SET paused_until = paused_until - CAST(:passed AS interval),"
                    " counted_at = counted_at - CAST(:passed AS interval)"
                ),
                {"passed": timedelta(seconds=seconds)},
            )

    told = Recorder()
    await set_clock(engine, START, speed=0)
    return Adapters(
        unit_of_work=lambda: PostgresUnitOfWork(engine, told),
        user_reader=PostgresUserReader(engine),
        message_reader=PostgresMessageReader(engine),
        operator_reader=PostgresOperatorReader(engine),
        audit_reader=PostgresAuditReader(engine),
        person_reader=PostgresPersonReader(engine),
        set_now=lambda instant: set_clock(engine, instant, speed=0),
        expire_leases=expire_leases,
        let_pass=let_pass,
        told=told,
    )


class OnPostgres:
    """Binds a contract to the PostgreSQL adapters."""

    @pytest.fixture
    async def adapters(self, engine: AsyncEngine) -> Adapters:
        return await postgres_adapters(engine)


class TestUnitOfWork(OnPostgres, UnitOfWorkContract):
    pass


class TestEvents(OnPostgres, EventsContract):
    pass


class TestUsers(OnPostgres, UsersContract):
    pass


class TestImports(OnPostgres, ImportsContract):
    pass


class TestPlan(OnPostgres, PlanContract):
    pass


class TestPlanAtOnce(OnPostgres, PlanAtOnceContract):
    pass


class TestClaim(OnPostgres, ClaimContract):
    pass


class TestClaimTruth(OnPostgres, ClaimTruthContract):
    pass


class TestBrake(OnPostgres, BrakeContract):
    pass


class TestRights(OnPostgres, RightsContract):
    pass


class TestUnwanted(OnPostgres, UnwantedContract):
    pass


class TestChannelLimits(OnPostgres, ChannelLimitsContract):
    pass


class TestUpkeep(OnPostgres, UpkeepContract):
    pass


class TestNextDue(OnPostgres, NextDueContract):
    pass


class TestSettle(OnPostgres, SettleContract):
    pass


class TestLeases(OnPostgres, LeaseContract):
    pass


class OnTheSchedulersConnections:
    """Binds a contract to connections that plan as the scheduler's do."""

    @pytest.fixture
    async def adapters(self, engine: AsyncEngine) -> AsyncIterator[Adapters]:
        by_index = open_engine(engine.url.render_as_string(hide_password=False), pool_size=8, by_index=True)
        yield await postgres_adapters(by_index)
        await by_index.dispose()


class TestClaimByIndex(OnTheSchedulersConnections, ClaimContract):
    pass


class TestSettleByIndex(OnTheSchedulersConnections, SettleContract):
    pass


class TestLeasesByIndex(OnTheSchedulersConnections, LeaseContract):
    pass


class TestStoredMessages(OnPostgres, StoredMessagesContract):
    pass


class TestReaders(OnPostgres, ReadersContract):
    pass


class TestJoinedReaders(OnPostgres, ReadersContract):
    @pytest.fixture
    async def adapters(self, engine: AsyncEngine) -> Adapters:
        joined = JoinedUserReader(engine, asyncio.Semaphore(1))
        return attrs.evolve(await postgres_adapters(engine), user_reader=joined)


class TestOperator(OnPostgres, OperatorContract):
    pass


class TestAudit(OnPostgres, AuditContract):
    pass


class TestTodaysLists(OnPostgres, TodaysListsContract):
    pass


def test_the_ledger_in_postgresql_lives_the_same_life_as_the_one_in_memory(postgres_url: str) -> None:
    @asynccontextmanager
    async def postgres_world() -> AsyncIterator[Adapters]:
        async with fresh_engine(postgres_url) as engine:
            yield await postgres_adapters(engine)

    class TwoLedgersMachine(LedgerMachine):
        worlds = (memory_world, postgres_world)

    run_state_machine_as_test(TwoLedgersMachine, settings=settings(max_examples=15, stateful_step_count=40))
