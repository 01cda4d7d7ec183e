"""What somebody writes by hand is told by Python, or refused: one row that cannot be read would stop a whole batch."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import constraint_name, open_engine
from application.ledger import ClaimTerms
from tests.contract.adapters import TERMS, Adapters
from tests.contract.people import NINE_IN_BERLIN, born_on_pi_day, message
from tests.contract.test_postgres import postgres_adapters

pytestmark = pytest.mark.servers


@pytest.fixture
async def adapters(engine: AsyncEngine) -> Adapters:
    found = await postgres_adapters(engine)
    ada = born_on_pi_day()
    await found.add(ada)
    await found.keep(message(ada))
    return found


@pytest.mark.parametrize("value", ("infinity", "-infinity", "10000-01-01 00:00+00"))
@pytest.mark.parametrize(
    ("table", "column"),
    (
        ("messages", "due_at"),
        ("messages", "expires_at"),
        ("messages", "lease_until"),
        ("messages", "sent_at"),
        ("messages", "updated_at"),
        ("users", "birthday_known_at"),
        ("users", "anniversary_on"),
        ("users", "deleted_at"),
        ("bookmark", "planned_until"),
        ("service_clock", "origin_at"),
    ),
)
@pytest.mark.usefixtures("adapters")
async def test_an_instant_that_python_does_not_know_is_refused(
    engine: AsyncEngine, table: str, column: str, value: str
) -> None:
    with pytest.raises(IntegrityError) as refused:
        async with engine.begin() as connection:
            await connection.execute(text(f"UPDATE {table} SET {column} = '{value}'"))
    assert str(constraint_name(refused.value)).endswith("_are_near")


@pytest.mark.parametrize("until", ("infinity", "290000-01-01"))
@pytest.mark.parametrize("terms", (TERMS, attrs.evolve(TERMS, rate_per_s=10.0, burst=10)))
async def test_a_channel_that_is_paused_for_ever_is_paused_for_long(
    engine: AsyncEngine, adapters: Adapters, until: str, terms: ClaimTerms
) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO channels (name, paused_until) VALUES (:name, CAST(CAST(:until AS text) AS timestamptz))"
            ),
            {"name": terms.channel, "until": until},
        )
    async with adapters.unit_of_work() as uow:
        claim = await uow.messages.claim(10, terms)
    assert claim.deliveries == []
    assert claim.pause is not None
    assert claim.pause.days >= 364
    [paused] = await adapters.operator_reader.paused_channels()
    assert paused.pause.days >= 364


async def test_a_clock_that_was_set_back_takes_no_token_away(engine: AsyncEngine, adapters: Adapters) -> None:
    terms = attrs.evolve(TERMS, rate_per_s=10.0, burst=10)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO channels (name, tokens, counted_at) VALUES (:name, 3, clock_timestamp() + interval '5 years')"
            ),
            {"name": terms.channel},
        )
    await adapters.set_now(NINE_IN_BERLIN)
    async with adapters.unit_of_work() as uow:
        assert len((await uow.messages.claim(10, terms)).deliveries) == 1


async def test_the_scheduler_reads_and_writes_instants_as_everybody_does(engine: AsyncEngine) -> None:
    """Its connections have a codec of their own."""
    scheduler_engine = open_engine(engine.url.render_as_string(hide_password=False), by_index=True)
    instants = [
        datetime(2, 1, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2027, 3, 28, 3, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
    values = {"instants": [*instants, None]}
    for asking, asked in itertools.permutations((engine, scheduler_engine)):
        async with asking.connect() as connection, asked.connect() as other:
            written = await connection.scalar(
                text("SELECT CAST(CAST(:instants AS timestamptz[]) AS text)"), values
            )
            read = await other.scalar(
                text("SELECT CAST(CAST(:written AS text) AS timestamptz[])"), {"written": written}
            )
        assert read == [*instants, None]
        assert {one.tzinfo for one in read[:-1]} == {UTC}
    await scheduler_engine.dispose()
