"""What all processes know of a channel: until when it is paused, and how many messages it takes."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from application.ledger import ClaimTerms

# Somebody may have paused it for ever, which is no number of seconds. LEAST alone would make a year of no pause.
PAUSED_UNTIL = """
    CASE WHEN c.paused_until IS NOT NULL THEN least(c.paused_until, clock_timestamp() + interval '1 year') END
"""

_SEE = text(f"""
    SELECT extract(epoch FROM ({PAUSED_UNTIL}) - clock_timestamp())::float8 FROM channels c WHERE name = :channel
""")  # noqa: S608  # the part is our own literal

# The row stays locked until the claim is committed, so that no token is taken twice. A clock that was set
# back takes none away.
_COUNT = text(f"""
    INSERT INTO channels AS c (name, tokens) VALUES (:channel, CAST(:burst AS double precision))
    ON CONFLICT (name) DO UPDATE SET
        tokens = least(
            excluded.tokens,
            coalesce(
                c.tokens + CAST(:rate_per_s AS double precision)
                    * greatest(extract(epoch FROM clock_timestamp() - c.counted_at)::float8, 0),
                excluded.tokens
            )
        ),
        counted_at = clock_timestamp()
    RETURNING extract(epoch FROM ({PAUSED_UNTIL}) - clock_timestamp())::float8 AS pause_s, c.tokens
""")  # noqa: S608  # the part is our own literal

_TAKE = text("UPDATE channels SET tokens = tokens - :taken WHERE name = :channel")

_PAUSE = text("""
    INSERT INTO channels AS c (name, paused_until) VALUES (:channel, clock_timestamp() + CAST(:pause AS interval))
    ON CONFLICT (name) DO UPDATE SET paused_until = greatest(c.paused_until, excluded.paused_until)
""")


async def allowance(
    connection: AsyncConnection, limit: int, terms: ClaimTerms
) -> tuple[int, timedelta | None]:
    """Return how many of *limit* messages the channel takes now, or none and for how long."""
    tokens = None
    if terms.rate_per_s is None:
        pause_s = await connection.scalar(_SEE, {"channel": terms.channel})
    else:
        limits = {"channel": terms.channel, "burst": terms.burst, "rate_per_s": terms.rate_per_s}
        pause_s, tokens = (await connection.execute(_COUNT, limits)).one()
    if pause_s is not None and pause_s > 0:
        return 0, timedelta(seconds=pause_s)
    if tokens is None:
        return limit, None
    return (min(limit, int(tokens)), None) if tokens >= 1 else (0, terms.pause_until_token(tokens))


async def take(connection: AsyncConnection, number: int, terms: ClaimTerms) -> None:
    """Count *number* messages as taken, where the channel has a limit."""
    if terms.rate_per_s is not None and number:
        await connection.execute(_TAKE, {"channel": terms.channel, "taken": number})


async def pause(connection: AsyncConnection, channel: str, asked: timedelta) -> None:
    await connection.execute(_PAUSE, {"channel": channel, "pause": asked})
