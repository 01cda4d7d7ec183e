"""What the brake knows: how many messages are due in each hour, how many were of late, and what was confirmed."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.postgres.statements import OPEN, WANTED_AT, in_shard
from application.deliveries import Delivery
from application.ledger import ClaimTerms
from application.ports import Shard
from domain.brake import Brake, Braked, DueHour

# What an operator wants to leave counts as confirmed, and what was tried before was counted then.
_LOOK = """
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    hours AS MATERIALIZED (
        SELECT date_trunc('hour', m.due_at, 'UTC') AS due_hour, count(*) AS waiting,
            count(*) FILTER (WHERE m.attempt = 0 AND m.reason IS DISTINCT FROM 'operator') AS fresh
        FROM messages m
        WHERE {open} AND {wanted_at} <= (SELECT now FROM clock) AND m.expires_at > (SELECT now FROM clock) {shard}
        GROUP BY 1
    )
    SELECT c.was_braked, h.due_hour, h.waiting, h.fresh, h.fresh + coalesce(d.messages, 0) AS messages,
        (
            SELECT coalesce(max(greatest(CASE WHEN b.due_hour < h.due_hour THEN b.messages ELSE 0 END, b.confirmed)), 0)
            FROM due_hours b WHERE b.due_hour >= h.due_hour - CAST(:looks_back AS interval)
        ) AS busiest
    FROM (
        SELECT EXISTS (SELECT FROM channels WHERE name = :channel AND braked_at IS NOT NULL) AS was_braked
    ) c LEFT JOIN hours h ON true LEFT JOIN due_hours d ON d.due_hour = h.due_hour
"""
_BRAKE = text("""
    INSERT INTO channels AS c (name, braked_at, braked_hour, braked_messages, braked_allowed)
    VALUES (:channel, clock_timestamp(), :hour, :messages, :allowed)
    ON CONFLICT (name) DO UPDATE SET braked_at = coalesce(c.braked_at, excluded.braked_at),
        braked_hour = excluded.braked_hour, braked_messages = excluded.braked_messages,
        braked_allowed = excluded.braked_allowed
""")
_RELEASE = text("""
    UPDATE channels SET braked_at = NULL, braked_hour = NULL, braked_messages = NULL, braked_allowed = NULL
    WHERE name = :channel
""")
_COUNT = text("""
    INSERT INTO due_hours AS d (due_hour, messages)
    SELECT * FROM unnest(CAST(:hours AS timestamptz[]), CAST(:messages AS bigint[])) AS n (due_hour, messages)
    ORDER BY due_hour
    ON CONFLICT (due_hour) DO UPDATE SET messages = d.messages + excluded.messages
""")


async def look(
    connection: AsyncConnection, brake: Brake, terms: ClaimTerms, shard: Shard
) -> tuple[int, Braked | None]:
    """Return how many messages wait, and what stops the channel if anything does; all processes are told."""
    statement = _LOOK.format(open=OPEN, wanted_at=WANTED_AT, shard=in_shard(shard))
    rows = (
        await connection.execute(text(statement), {"channel": terms.channel, "looks_back": brake.looks_back})
    ).all()
    hours = [DueHour(row.due_hour, row.messages, row.busiest) for row in rows if row.fresh]
    braked = brake.stops(hours)
    if braked is not None:
        told = {"hour": braked.hour, "messages": braked.messages, "allowed": braked.allowed}
        await connection.execute(_BRAKE, {"channel": terms.channel, **told})
    elif rows[0].was_braked:
        await connection.execute(_RELEASE, {"channel": terms.channel})
    return sum(row.waiting or 0 for row in rows), braked


async def count(connection: AsyncConnection, deliveries: Sequence[Delivery]) -> None:
    """Count what was claimed for the first time."""
    hours = Counter(_hour(one.due_at) for one in deliveries if one.attempt == 1)
    if hours:
        values = {"hours": list(hours), "messages": list(hours.values())}
        await connection.execute(_COUNT, values)


def _hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
