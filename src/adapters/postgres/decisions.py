"""What operators have decided, in PostgreSQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from adapters.postgres.transaction import Transaction
from application.operator_ports import DecisionLog
from domain.decision import Decision
from domain.message import MessageKey
from domain.occasion import Kind
from domain.user import UserId

_NOTE = text("""
    INSERT INTO decisions (decided_at, action, reason, channel, occasion_on, user_id, kind)
    VALUES (:decided_at, :action, :reason, :channel, :occasion_on, :user_id, :kind)
""")
_RESUME = text("""
    UPDATE channels SET paused_until = NULL
    WHERE name = :channel AND paused_until > clock_timestamp() RETURNING name
""")


class PostgresDecisionLog(DecisionLog):
    """The decisions of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def note(self, decision: Decision) -> None:
        key = decision.about if isinstance(decision.about, MessageKey) else None
        await self._transaction.connection.execute(
            _NOTE,
            {
                "decided_at": decision.decided_at,
                "action": str(decision.action),
                "reason": decision.reason,
                "channel": str(decision.about) if key is None else None,
                "occasion_on": None if key is None else key.occasion_on,
                "user_id": None if key is None else key.user_id,
                "kind": None if key is None else str(key.kind),
            },
        )

    async def forget_before(self, instant: datetime) -> int:
        gone = await self._transaction.connection.execute(
            text("DELETE FROM decisions WHERE decided_at < :instant RETURNING id"), {"instant": instant}
        )
        return len(gone.all())

    async def resume(self, channel: str) -> bool:
        resumed = await self._transaction.connection.scalars(_RESUME, {"channel": channel})
        return resumed.first() is not None


def to_decision(row: Row[Any]) -> Decision:
    about: MessageKey | str = row.channel
    if row.channel is None:
        about = MessageKey(row.occasion_on, Kind(row.kind), UserId(row.user_id))
    return Decision(about=about, action=row.action, reason=row.reason, decided_at=row.decided_at)
