"""What is read, cached and shown: plain values, no domain types to convert."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import attrs

from domain.message import Message
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import User, UserId

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """A part of a list; *more* tells whether anything comes after it."""

    items: Sequence[T]
    more: bool


@attrs.frozen(kw_only=True)
class UserView:
    """A user as the API shows it; dates are ISO 8601, a birthday without its year is ``--02-28``."""

    id: UUID
    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday: str | None
    anniversary: str | None
    leap_day_rule: str | None
    external_id: str | None = None
    opted_out: tuple[str, ...] = ()
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user: User) -> "UserView":
        return cls(
            id=user.id,
            first_name=user.first_name,
            last_name=user.last_name,
            email=user.email,
            timezone=user.timezone,
            birthday=None if user.birthday is None else str(user.birthday),
            anniversary=None if user.anniversary is None else user.anniversary.isoformat(),
            leap_day_rule=user.leap_day_rule,
            external_id=user.external_id,
            opted_out=tuple(sorted(user.opted_out)),
            version=user.version,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


@attrs.frozen(kw_only=True)
class MessageView:
    """A message as the API shows it."""

    key: str
    user_id: UUID
    kind: str
    occasion_date: str
    status: str
    reason: str | None
    due_at: datetime
    expires_at: datetime
    timezone: str
    wall_time: str
    years: int | None
    attempt: int
    retry_at: datetime | None
    sent_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, message: Message) -> "MessageView":
        return cls(
            key=str(message.key),
            user_id=message.key.user_id,
            kind=message.key.kind,
            occasion_date=message.key.occasion_on.isoformat(),
            status=message.status,
            reason=message.reason,
            due_at=message.due_at,
            expires_at=message.expires_at,
            timezone=message.timezone,
            wall_time=message.wall_time,
            years=message.years,
            attempt=message.attempt,
            retry_at=message.retry_at,
            sent_at=message.sent_at,
            created_at=message.created_at,
            updated_at=message.updated_at,
        )


def user_of(view: UserView) -> User:
    """Return what the calendar needs to know of a person; when their dates became known is not told."""
    return User(
        id=UserId(view.id),
        first_name=view.first_name,
        last_name=view.last_name,
        email=view.email,
        timezone=view.timezone,
        birthday=None if view.birthday is None else AnnualDate.parse(view.birthday),
        anniversary=None if view.anniversary is None else AnnualDate.parse(view.anniversary).full_date(),
        leap_day_rule=None if view.leap_day_rule is None else LeapDayRule(view.leap_day_rule),
        opted_out=frozenset(Kind(kind) for kind in view.opted_out),
        version=view.version,
        created_at=view.created_at,
        updated_at=view.updated_at,
        # Enough for what is still to come: that is due after any date became known.
        birthday_known_at=view.created_at,
        anniversary_known_at=view.created_at,
    )
