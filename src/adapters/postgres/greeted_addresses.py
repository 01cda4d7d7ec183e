"""What is remembered of who is erased, in PostgreSQL, which hashes by itself."""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected
from adapters.postgres.transaction import Transaction
from application.traces import Greeted, GreetedAddresses
from domain.occasion import Kind

REMEMBER = text("""
    INSERT INTO greeted_addresses (digest, occasion_on)
    SELECT greeting_digest(u.email_key, m.kind), m.occasion_on
    FROM messages m JOIN users u ON u.id = m.user_id
    WHERE m.user_id = :user_id AND (m.status IN ('SENT', 'UNKNOWN', 'SENDING') OR m.may_have_arrived)
    ON CONFLICT DO NOTHING
""")
"""Run before the messages of a person are erased."""
_OF = text("""
    SELECT e.email_key, k.kind, g.occasion_on
    FROM unnest(CAST(:emails AS text[])) AS e (email_key)
    CROSS JOIN unnest(CAST(:kinds AS text[])) AS k (kind)
    JOIN greeted_addresses g ON g.digest = greeting_digest(e.email_key, k.kind)
    ORDER BY k.kind, g.occasion_on
""")
_FORGET = text("DELETE FROM greeted_addresses WHERE occasion_on < :day RETURNING occasion_on")


class PostgresGreetedAddresses(GreetedAddresses):
    """The memory of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def of(self, emails: Sequence[str]) -> Mapping[str, Sequence[Greeted]]:
        if not emails:
            return {}
        rows = await self._transaction.connection.execute(
            _OF, {"emails": sorted(set(emails)), "kinds": [kind.value for kind in Kind]}
        )
        found: dict[str, list[Greeted]] = {}
        for row in rows:
            found.setdefault(row.email_key, []).append(Greeted(Kind(row.kind), row.occasion_on))
        return {email: sorted(greeted) for email, greeted in found.items()}

    async def forget_before(self, day: date) -> int:
        return len((await self._transaction.connection.execute(_FORGET, {"day": day})).all())


async def read_secret(engine: AsyncEngine) -> bytes:
    """Return the service's own secret, which the migrations made."""
    async with connected(engine) as connection:
        key: bytes = (await connection.execute(text("SELECT key FROM service_secret"))).scalar_one()
    return bytes(key)
