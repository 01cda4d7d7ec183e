"""What somebody writes by hand is told by Python, or refused: one row that cannot be read would stop a whole batch."""

import attrs
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import constraint_name
from application.ledger import ClaimTerms
from tests.contract.adapters import TERMS, Adapters
from tests.contract.people import born_on_pi_day, message
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
