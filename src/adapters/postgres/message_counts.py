"""How many messages there are by status, in PostgreSQL: triggers keep the counts, here they are read and folded."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected
from application.counting import MessageCounts

# No look at the messages. What is of a partition that was detached or dropped does not count, although nobody
# may have noticed yet.
COUNTS = text("""
    WITH gone AS MATERIALIZED (
        SELECT p.first_on, p.until_on FROM counted_partitions p
        WHERE NOT EXISTS (SELECT FROM attached_partitions a WHERE a.partition = p.partition)
    )
    SELECT c.status, CAST(sum(c.messages) AS bigint)
    FROM (SELECT * FROM message_counts UNION ALL SELECT * FROM message_count_changes) c
    WHERE NOT EXISTS (SELECT FROM gone g WHERE c.occasion_on >= g.first_on AND c.occasion_on < g.until_on)
    GROUP BY c.status HAVING sum(c.messages) <> 0
""")
# Looks for partitions that have come or gone as well, and counts their messages.
_FOLD = text("SELECT fold_message_counts(:limit)")


class PostgresMessageCounts(MessageCounts):
    """Each fold is a transaction of its own."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def fold(self, limit: int) -> int:
        async with connected(self._engine) as connection:
            folded: int = (await connection.execute(_FOLD, {"limit": limit})).scalar_one()
        return folded
