"""Whose an address or an id is, asked before it is stored.

A unique index would refuse it as well, but PostgreSQL writes what it refuses into its log, value and all. So who
is about to store an address or an id of another system holds a lock on it, and looks first.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from application.errors import EmailTaken, ExternalIdTaken
from domain.user import User

_LOCK = text("""
    SELECT pg_advisory_xact_lock(name) FROM (
        SELECT DISTINCT hashtextextended(name, 0) AS name FROM unnest(CAST(:names AS text[])) AS n (name) ORDER BY 1
    ) s
""")
_EMAIL_OF_ANOTHER = text("""
    SELECT EXISTS (
        SELECT FROM unnest(CAST(:ids AS uuid[]), CAST(:keys AS text[])) AS n (id, key)
        JOIN users u ON u.email_key = n.key AND u.id <> n.id WHERE u.deleted_at IS NULL
    )
""")
_EXTERNAL_ID_OF_ANOTHER = text("""
    SELECT EXISTS (
        SELECT FROM unnest(CAST(:ids AS uuid[]), CAST(:keys AS text[])) AS n (id, key)
        JOIN users u ON u.external_id = n.key AND u.id <> n.id WHERE u.deleted_at IS NULL
    )
""")


async def refuse_taken(
    connection: AsyncConnection, emails: Sequence[User], external_ids: Sequence[User]
) -> None:
    """Raise where a live user has the address, or the external id, that one of these is to have."""
    by_email = [(user.id, user.email_key) for user in emails]
    by_id = [(user.id, user.external_id) for user in external_ids if user.external_id is not None]
    names = [f"address {key}" for _, key in by_email] + [f"id {key}" for _, key in by_id]
    if not names:
        return
    await connection.execute(_LOCK, {"names": names})
    for pairs, statement, taken in (
        (by_email, _EMAIL_OF_ANOTHER, EmailTaken),
        (by_id, _EXTERNAL_ID_OF_ANOTHER, ExternalIdTaken),
    ):
        if not pairs:
            continue
        if max(Counter(key for _, key in pairs).values()) > 1:
            raise taken
        values = {"ids": [user_id for user_id, _ in pairs], "keys": [key for _, key in pairs]}
        if (await connection.execute(statement, values)).scalar_one():
            raise taken
