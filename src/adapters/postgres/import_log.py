"""What imports have changed, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import attrs
import msgspec
from sqlalchemy import text

from adapters.postgres.transaction import Transaction
from application.import_ports import ImportChange, ImportId, ImportLog
from domain.occasion import AnnualDate, LeapDayRule
from domain.user import Particulars, UserId

_RECORD = text("""
    INSERT INTO import_changes (import_id, user_id, version, before, was_deleted)
    SELECT :import_id, n.* FROM unnest(
        CAST(:user_id AS uuid[]), CAST(:version AS bigint[]), CAST(:before AS jsonb[]),
        CAST(:was_deleted AS boolean[])
    ) AS n
""")
_NEXT = text("""
    SELECT user_id, version, before, was_deleted FROM import_changes
    WHERE import_id = :import_id ORDER BY user_id LIMIT :limit
""")
# By a list, not by the query above inside this one: of an import that began just now the planner expects a row
# or none, and then compares each with each.
_DROP = text(
    "DELETE FROM import_changes WHERE import_id = :import_id AND user_id = ANY(CAST(:ids AS uuid[]))"
)


class PostgresImportLog(ImportLog):
    """The imports of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def begin(self, import_id: ImportId, now: datetime) -> None:
        await self._transaction.connection.execute(
            text("INSERT INTO imports (id, began_at) VALUES (:id, :now)"), {"id": import_id, "now": now}
        )

    async def record(self, import_id: ImportId, changes: Sequence[ImportChange]) -> None:
        if changes:
            await self._transaction.connection.execute(
                _RECORD,
                {
                    "import_id": import_id,
                    "user_id": [change.user_id for change in changes],
                    "version": [change.version for change in changes],
                    "before": [_to_json(change.before) for change in changes],
                    "was_deleted": [change.was_deleted for change in changes],
                },
            )

    async def take(self, import_id: ImportId, limit: int) -> Sequence[ImportChange] | None:
        connection = self._transaction.connection
        known = await connection.execute(
            text("SELECT id FROM imports WHERE id = :id FOR UPDATE"), {"id": import_id}
        )
        if known.first() is None:
            return None
        rows = (await connection.execute(_NEXT, {"import_id": import_id, "limit": limit})).all()
        await connection.execute(_DROP, {"import_id": import_id, "ids": [row.user_id for row in rows]})
        return [
            ImportChange(
                user_id=UserId(row.user_id),
                version=row.version,
                before=None if row.before is None else _particulars(row.before),
                was_deleted=row.was_deleted,
            )
            for row in rows
        ]

    async def forget(self, import_id: ImportId) -> None:
        await self._transaction.connection.execute(
            text("DELETE FROM imports WHERE id = :id"), {"id": import_id}
        )

    async def forget_before(self, instant: datetime) -> int:
        gone = await self._transaction.connection.execute(
            text("DELETE FROM imports WHERE began_at < :instant RETURNING id"), {"instant": instant}
        )
        return len(gone.all())


def _to_json(before: Particulars | None) -> str | None:
    if before is None:
        return None
    told = {
        name: None if value is None else str(value)
        for name, value in attrs.asdict(before, recurse=False).items()
    }
    return msgspec.json.encode(told).decode()


def _particulars(told: Mapping[str, Any]) -> Particulars:
    birthday, anniversary, rule = told["birthday"], told["anniversary"], told["leap_day_rule"]
    return Particulars(
        **{
            **told,
            "birthday": None if birthday is None else AnnualDate.parse(birthday),
            "anniversary": None if anniversary is None else date.fromisoformat(anniversary),
            "leap_day_rule": None if rule is None else LeapDayRule(rule),
        }
    )
