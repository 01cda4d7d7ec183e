"""Rows of the ledger and messages, one made into the other."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, and_

from adapters.postgres.tables import messages
from application.deliveries import Delivery, Recipient
from domain.due import WallTime
from domain.message import Message, MessageKey, Reason, Status
from domain.occasion import Kind
from domain.user import UserId


def to_message(row: Row[Any]) -> Message:
    return Message(
        key=MessageKey(row.occasion_on, Kind(row.kind), UserId(row.user_id)),
        status=Status(row.status),
        reason=None if row.reason is None else Reason(row.reason),
        due_at=row.due_at,
        expires_at=row.expires_at,
        timezone=row.timezone,
        wall_time=WallTime(row.wall_time),
        years=row.years,
        attempt=row.attempt,
        fence=row.fence,
        retry_at=row.retry_at,
        may_have_arrived=row.may_have_arrived,
        sent_at=row.sent_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_row(message: Message) -> dict[str, Any]:
    return {
        "occasion_on": message.key.occasion_on,
        "user_id": message.key.user_id,
        "kind": str(message.key.kind),
        "status": str(message.status),
        "reason": None if message.reason is None else str(message.reason),
        "due_at": message.due_at,
        "expires_at": message.expires_at,
        "timezone": message.timezone,
        "wall_time": str(message.wall_time),
        "years": message.years,
        "attempt": message.attempt,
        "fence": message.fence,
        "retry_at": message.retry_at,
        "may_have_arrived": message.may_have_arrived,
        "sent_at": message.sent_at,
        "created_at": message.created_at,
        "updated_at": message.updated_at,
    }


_KINDS = {kind.value: kind for kind in Kind}


def read_claim(on: date, rows: Sequence[Sequence[Any]]) -> tuple[list[Delivery], list[UserId]]:
    """Return what a claim of a date brings, and who had messages that are not owed any more.

    By position, and in one go: this is done for each message that leaves.
    """
    deliveries: list[Delivery] = []
    stale: list[UserId] = []
    for (
        user_id,
        kind,
        fence,
        attempt,
        due_at,
        expires_at,
        years,
        status,
        first_name,
        last_name,
        email,
        nonce,
    ) in rows:
        if status == "SENDING":
            key = MessageKey(on, _KINDS[kind], user_id)
            recipient = Recipient(first_name, last_name, email, nonce)
            deliveries.append(Delivery(key, fence, attempt, due_at, expires_at, years, recipient))
        elif status == "STALE":
            stale.append(UserId(user_id))
    return deliveries, stale


def has_key(key: MessageKey) -> ColumnElement[bool]:
    return and_(
        messages.c.occasion_on == key.occasion_on,
        messages.c.user_id == key.user_id,
        messages.c.kind == str(key.kind),
    )
