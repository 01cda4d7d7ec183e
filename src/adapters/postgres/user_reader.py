"""Users in PostgreSQL, as they are shown."""

from typing import Any

from sqlalchemy import Select, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected
from adapters.postgres.tables import users
from adapters.postgres.users import to_view
from application.ports import UserReader
from application.views import Page, UserView
from domain.email import email_key
from domain.user import UserId

# Of each user alone, in any order: who comes, goes or changes turns bits of the whole.
_FINGERPRINT = text("""
    SELECT count(*) AS number, bit_xor(hashtextextended(concat(id, ' ', version), 0)) AS folded
    FROM users WHERE deleted_at IS NULL
""")


def live_users() -> Select[Any]:
    return select(users).where(users.c.deleted_at.is_(None))


# Built once: SQLAlchemy takes as long to build a statement, and to find it among those it has compiled, as
# PostgreSQL takes to carry it out.
_BY_ID = live_users().where(users.c.id == bindparam("wanted"))
_BY_EMAIL = live_users().where(users.c.email_key == bindparam("wanted"))


class PostgresUserReader(UserReader):
    """Users as they are shown, each look-up a statement of its own."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, user_id: UserId) -> UserView | None:
        return await self._one(_BY_ID, user_id)

    async def find_by_email(self, email: str) -> UserView | None:
        return await self._one(_BY_EMAIL, email_key(email))

    async def page(self, after: UserId | None, limit: int) -> Page[UserView]:
        query = live_users().order_by(users.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(users.c.id > after)
        async with connected(self._engine) as connection:
            views = [to_view(row) for row in await connection.execute(query)]
        return Page(views[:limit], len(views) > limit)

    async def fingerprint(self) -> str:
        async with connected(self._engine) as connection:
            row = (await connection.execute(_FINGERPRINT)).one()
        return f"{row.number}.{row.folded}"

    async def _one(self, query: Select[Any], wanted: object) -> UserView | None:
        async with connected(self._engine) as connection:
            row = (await connection.execute(query, {"wanted": wanted})).one_or_none()
        return None if row is None else to_view(row)
