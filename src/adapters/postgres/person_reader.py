"""One person in full, in PostgreSQL."""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected
from adapters.postgres.message_rows import to_message
from adapters.postgres.tables import messages, users
from adapters.postgres.users import to_user
from application.personal_export import Held, PersonReader
from application.views import MessageView
from domain.user import UserId

_IMPORTS = text("""
    SELECT i.id, i.began_at, c.before FROM import_changes c JOIN imports i ON i.id = c.import_id
    WHERE c.user_id = :user_id ORDER BY i.id
""")
_ANSWERS = text("SELECT count(*) FROM answers WHERE about @> ARRAY[CAST(:user_id AS uuid)]")


class PostgresPersonReader(PersonReader):
    """A few statements, each by an index."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def all_held_of(self, user_id: UserId) -> Held | None:
        whose = {"user_id": user_id}
        async with connected(self._engine) as connection:
            row = (await connection.execute(select(users).where(users.c.id == user_id))).one_or_none()
            if row is None:
                return None
            ledger = await connection.execute(
                select(messages)
                .where(messages.c.user_id == user_id)
                .order_by(messages.c.occasion_on, messages.c.kind)
            )
            imports = await connection.execute(_IMPORTS, whose)
            answers = (await connection.execute(_ANSWERS, whose)).scalar_one()
            return Held(
                to_user(row),
                [MessageView.of(to_message(one)) for one in ledger],
                [{"id": str(one.id), "beganAt": one.began_at, "before": one.before} for one in imports],
                answers,
            )
