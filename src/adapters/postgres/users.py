"""Users in PostgreSQL: inside a unit of work, and as they are shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.answers import ERASE as ERASE_ANSWERS
from adapters.postgres.database import connected, constraint_name
from adapters.postgres.tables import LIVE_EMAIL, messages, users
from adapters.postgres.transaction import Transaction
from application.errors import EmailTaken
from application.ports import UserReader, Users
from application.views import Page, UserView
from domain.events import Event, MessagesChanged, UserChanged, UserCreated, UserDeleted
from domain.occasion import AnnualDate, LeapDayRule
from domain.user import User, UserId, email_key

_CHANGE = text("""
    UPDATE users SET
        first_name = n.first_name, last_name = n.last_name, email = n.email, timezone = n.timezone,
        birthday_year = n.birthday_year, birthday_month = n.birthday_month, birthday_day = n.birthday_day,
        anniversary_on = n.anniversary_on, leap_day_rule = n.leap_day_rule, version = n.version,
        created_at = n.created_at, updated_at = n.updated_at, birthday_known_at = n.birthday_known_at,
        anniversary_known_at = n.anniversary_known_at, deleted_at = n.deleted_at
    FROM unnest(
        CAST(:id AS uuid[]), CAST(:first_name AS text[]), CAST(:last_name AS text[]), CAST(:email AS text[]),
        CAST(:timezone AS text[]), CAST(:birthday_year AS smallint[]), CAST(:birthday_month AS smallint[]),
        CAST(:birthday_day AS smallint[]), CAST(:anniversary_on AS date[]), CAST(:leap_day_rule AS text[]),
        CAST(:version AS bigint[]), CAST(:created_at AS timestamptz[]), CAST(:updated_at AS timestamptz[]),
        CAST(:birthday_known_at AS timestamptz[]), CAST(:anniversary_known_at AS timestamptz[]),
        CAST(:deleted_at AS timestamptz[])
    ) AS n (
        id, first_name, last_name, email, timezone, birthday_year, birthday_month, birthday_day,
        anniversary_on, leap_day_rule, version, created_at, updated_at, birthday_known_at,
        anniversary_known_at, deleted_at
    )
    WHERE users.id = n.id
""")


class PostgresUsers(Users):
    """The users of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, user_id: UserId) -> User | None:
        rows = await self._transaction.connection.execute(
            select(users).where(users.c.id == user_id).with_for_update(key_share=True)
        )
        row = rows.one_or_none()
        return None if row is None else _to_user(row)

    async def by_emails(self, emails: Sequence[str]) -> Mapping[str, User]:
        rows = await self._transaction.connection.execute(
            select(users)
            .where(users.c.email_key == text("ANY(CAST(:emails AS text[]))"))
            .order_by(users.c.id)
            .with_for_update(key_share=True),
            {"emails": list(emails)},
        )
        found: dict[str, User] = {}
        for user in map(_to_user, rows):
            known = found.get(user.email_key)
            if known is None or _is_rather(user, known):
                found[user.email_key] = user
        return found

    async def add(self, users_: Sequence[User]) -> None:
        if not users_:
            return
        try:
            await self._transaction.connection.execute(insert(users), [_to_row(user) for user in users_])
        except IntegrityError as error:
            raise _translated(error) from None
        self._transaction.tell(*(UserCreated(user) for user in users_))

    async def save(self, changes: Sequence[tuple[User, User]]) -> None:
        if not changes:
            return
        rows = [_to_row(after) for _, after in changes]
        try:
            await self._transaction.connection.execute(
                _CHANGE, {name: [row[name] for row in rows] for name in rows[0]}
            )
        except IntegrityError as error:
            raise _translated(error) from None
        self._transaction.tell(*(_event(before, after) for before, after in changes))

    async def erase(self, user: User) -> None:
        gone = await self._transaction.connection.execute(
            delete(messages).where(messages.c.user_id == user.id).returning(messages.c.kind)
        )
        if gone.first() is not None:
            self._transaction.tell(MessagesChanged())
        await self._transaction.connection.execute(delete(users).where(users.c.id == user.id))
        await self._transaction.connection.execute(ERASE_ANSWERS, {"user_id": user.id})
        self._transaction.tell(UserDeleted(user, erased=True))


def _is_rather(user: User, known: User) -> bool:
    if known.deleted_at is None or user.deleted_at is None:
        return user.deleted_at is None
    return user.deleted_at > known.deleted_at


def _event(before: User, after: User) -> Event:
    if before.deleted_at is None and after.deleted_at is not None:
        return UserDeleted(before)
    if before.deleted_at is not None and after.deleted_at is None:
        return UserCreated(after)
    return UserChanged(before, after)


def _translated(error: IntegrityError) -> Exception:
    # Without the vendor's error as its cause: that one quotes the address.
    return EmailTaken() if constraint_name(error) == LIVE_EMAIL else error


class PostgresUserReader(UserReader):
    """Users as they are shown, each look-up a statement of its own."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, user_id: UserId) -> UserView | None:
        return await self._one(_live().where(users.c.id == user_id))

    async def find_by_email(self, email: str) -> UserView | None:
        return await self._one(_live().where(users.c.email_key == email_key(email)))

    async def page(self, after: UserId | None, limit: int) -> Page[UserView]:
        query = _live().order_by(users.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(users.c.id > after)
        async with connected(self._engine) as connection:
            views = [_to_view(row) for row in await connection.execute(query)]
        return Page(views[:limit], len(views) > limit)

    async def _one(self, query: Select[Any]) -> UserView | None:
        async with connected(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _to_view(row)


def _live() -> Select[Any]:
    return select(users).where(users.c.deleted_at.is_(None))


def _birthday(row: Row[Any]) -> AnnualDate | None:
    if row.birthday_month is None:
        return None
    return AnnualDate(row.birthday_month, row.birthday_day, row.birthday_year)


def _to_view(row: Row[Any]) -> UserView:
    # Not by way of a User: a row that somebody wrote by hand is shown as it is, and validating costs time.
    birthday = _birthday(row)
    return UserView(
        id=row.id,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        timezone=row.timezone,
        birthday=None if birthday is None else str(birthday),
        anniversary=None if row.anniversary_on is None else row.anniversary_on.isoformat(),
        leap_day_rule=row.leap_day_rule,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _to_user(row: Row[Any]) -> User:
    return User(
        id=UserId(row.id),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        timezone=row.timezone,
        birthday=_birthday(row),
        anniversary=row.anniversary_on,
        leap_day_rule=None if row.leap_day_rule is None else LeapDayRule(row.leap_day_rule),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        birthday_known_at=row.birthday_known_at,
        anniversary_known_at=row.anniversary_known_at,
        deleted_at=row.deleted_at,
    )


def _to_row(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "timezone": user.timezone,
        "birthday_year": None if user.birthday is None else user.birthday.year,
        "birthday_month": None if user.birthday is None else user.birthday.month,
        "birthday_day": None if user.birthday is None else user.birthday.day,
        "anniversary_on": user.anniversary,
        "leap_day_rule": None if user.leap_day_rule is None else str(user.leap_day_rule),
        "version": user.version,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "birthday_known_at": user.birthday_known_at,
        "anniversary_known_at": user.anniversary_known_at,
        "deleted_at": user.deleted_at,
    }
