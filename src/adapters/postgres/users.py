"""Users in PostgreSQL: inside a unit of work, and as they are shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, text, union_all
from sqlalchemy.exc import IntegrityError

from adapters.postgres.answers import ERASE as ERASE_ANSWERS
from adapters.postgres.audit import FORGET_REASONS
from adapters.postgres.database import constraint_name
from adapters.postgres.greeted_addresses import REMEMBER
from adapters.postgres.tables import LIVE_EMAIL, LIVE_EXTERNAL_ID, users
from adapters.postgres.taken import refuse_taken
from adapters.postgres.transaction import Transaction
from application.errors import EmailTaken, ExternalIdTaken
from application.import_ports import UserKeys
from application.ports import Users
from application.views import UserView
from domain.events import Event, MessagesChanged, UserChanged, UserCreated, UserDeleted
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import User, UserId

_TYPES: Mapping[str, str] = {
    "id": "uuid",
    "first_name": "text",
    "last_name": "text",
    "email": "text",
    "timezone": "text",
    "birthday_year": "smallint",
    "birthday_month": "smallint",
    "birthday_day": "smallint",
    "anniversary_on": "date",
    "leap_day_rule": "text",
    "external_id": "text",
    "no_birthdays": "boolean",
    "no_anniversaries": "boolean",
    "link_nonce": "integer",
    "version": "bigint",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "birthday_known_at": "timestamptz",
    "anniversary_known_at": "timestamptz",
    "deleted_at": "timestamptz",
}
_COLUMNS = ", ".join(_TYPES)
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _TYPES.items())
# Whole arrays take less than half of the time that the same rows do one by one.
_ADD = text(f"INSERT INTO users ({_COLUMNS}) SELECT * FROM unnest({_ARRAYS})")  # noqa: S608  # our own names
_CHANGE = text(f"""
    UPDATE users SET {", ".join(f"{name} = n.{name}" for name in _TYPES if name != "id")}
    FROM unnest({_ARRAYS}) AS n ({_COLUMNS})
    WHERE users.id = n.id
""")  # noqa: S608  # the parts are our own names
_LOCKED = select(users).order_by(users.c.id).with_for_update(key_share=True, of=users)
_ERASE_MESSAGES = text("""
    WITH locked AS MATERIALIZED (
        SELECT occasion_on, kind FROM messages WHERE user_id = :user_id ORDER BY occasion_on, kind FOR UPDATE
    )
    DELETE FROM messages m USING locked l
    WHERE m.user_id = :user_id AND m.occasion_on = l.occasion_on AND m.kind = l.kind
""")
"""In the order in which everybody locks them who locks more than one: who waits has none that another waits for."""
_GONE = users.c.deleted_at.is_not(None)
_HAS_EMAIL = users.c.email_key == text("ANY(CAST(:emails AS text[]))")
_HAS_EXTERNAL_ID = users.c.external_id == text("ANY(CAST(:external_ids AS text[]))")
# An index each of the live and of the deleted: without a part for each, all users would be looked through; and
# written with OR, the parts are simplified into that again.
_BY_KEYS = _LOCKED.where(
    users.c.id.in_(
        union_all(
            *(
                select(users.c.id).where(*part)
                for part in (
                    (_HAS_EMAIL, ~_GONE),
                    (_HAS_EMAIL, _GONE),
                    (_HAS_EXTERNAL_ID, ~_GONE),
                    (_HAS_EXTERNAL_ID, _GONE, users.c.external_id.is_not(None)),
                )
            )
        )
    )
)


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
        return None if row is None else to_user(row)

    async def by_emails(self, emails: Sequence[str]) -> Mapping[str, User]:
        found: dict[str, User] = {}
        for user in await self.by_keys(emails, ()):
            known = found.get(user.email_key)
            if known is None or _is_rather(user, known):
                found[user.email_key] = user
        return {key: found[key] for key in emails if key in found}

    async def by_ids(self, user_ids: Sequence[UserId]) -> Mapping[UserId, User]:
        query = _LOCKED.where(users.c.id == text("ANY(CAST(:ids AS uuid[]))"))
        rows = await self._transaction.connection.execute(query, {"ids": list(user_ids)})
        return {user.id: user for user in map(to_user, rows)}

    async def by_keys(self, emails: Sequence[str], external_ids: Sequence[str]) -> Sequence[User]:
        rows = await self._transaction.connection.execute(
            _BY_KEYS, {"emails": list(emails), "external_ids": list(external_ids)}
        )
        return [to_user(row) for row in rows]

    async def live_keys(self, after: UserId | None, limit: int) -> Sequence[UserKeys]:
        query = select(users.c.id, users.c.email_key, users.c.external_id).where(users.c.deleted_at.is_(None))
        if after is not None:
            query = query.where(users.c.id > after)
        rows = await self._transaction.connection.execute(query.order_by(users.c.id).limit(limit))
        return [UserKeys(UserId(row.id), row.email_key, row.external_id) for row in rows]

    async def add(self, users_: Sequence[User]) -> None:
        if not users_:
            return
        live = [user for user in users_ if user.deleted_at is None]
        await refuse_taken(self._transaction.connection, live, live)
        try:
            await self._transaction.connection.execute(_ADD, _to_arrays(users_))
        except IntegrityError as error:
            raise _translated(error) from None
        self._transaction.tell(*(UserCreated(user) for user in users_))

    async def save(self, changes: Sequence[tuple[User, User]]) -> None:
        if not changes:
            return
        live = [(before, after) for before, after in changes if after.deleted_at is None]
        await refuse_taken(
            self._transaction.connection,
            [new for old, new in live if old.deleted_at is not None or old.email_key != new.email_key],
            [new for old, new in live if old.deleted_at is not None or old.external_id != new.external_id],
        )
        try:
            await self._transaction.connection.execute(_CHANGE, _to_arrays([after for _, after in changes]))
        except IntegrityError as error:
            raise _translated(error) from None
        self._transaction.tell(*(_event(before, after) for before, after in changes))

    async def deleted_before(self, instant: datetime, limit: int) -> Sequence[User]:
        query = _LOCKED.where(users.c.deleted_at < instant).limit(limit)
        return [to_user(row) for row in await self._transaction.connection.execute(query)]

    async def erase(self, user: User) -> None:
        await self._transaction.connection.execute(REMEMBER, {"user_id": user.id})
        if (await self._transaction.connection.execute(_ERASE_MESSAGES, {"user_id": user.id})).rowcount:
            self._transaction.tell(MessagesChanged())
        await self._transaction.connection.execute(delete(users).where(users.c.id == user.id))
        for statement in (ERASE_ANSWERS, FORGET_REASONS):
            await self._transaction.connection.execute(statement, {"user_id": user.id})
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
    taken: Mapping[str | None, Exception] = {LIVE_EMAIL: EmailTaken(), LIVE_EXTERNAL_ID: ExternalIdTaken()}
    return taken.get(constraint_name(error), error)


def _birthday(row: Row[Any]) -> AnnualDate | None:
    if row.birthday_month is None:
        return None
    return AnnualDate(row.birthday_month, row.birthday_day, row.birthday_year)


def _opted_out(row: Row[Any]) -> frozenset[Kind]:
    told = ((Kind.BIRTHDAY, row.no_birthdays), (Kind.ANNIVERSARY, row.no_anniversaries))
    return frozenset(kind for kind, is_declined in told if is_declined)


def to_view(row: Row[Any]) -> UserView:
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
        external_id=row.external_id,
        opted_out=tuple(sorted(_opted_out(row))),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_user(row: Row[Any]) -> User:
    return User(
        id=UserId(row.id),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        timezone=row.timezone,
        birthday=_birthday(row),
        anniversary=row.anniversary_on,
        leap_day_rule=None if row.leap_day_rule is None else LeapDayRule(row.leap_day_rule),
        external_id=row.external_id,
        opted_out=_opted_out(row),
        link_nonce=row.link_nonce,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        birthday_known_at=row.birthday_known_at,
        anniversary_known_at=row.anniversary_known_at,
        deleted_at=row.deleted_at,
    )


def _to_arrays(users_: Sequence[User]) -> Mapping[str, Sequence[Any]]:
    rows = [_to_row(user) for user in users_]
    return {name: [row[name] for row in rows] for name in _TYPES}


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
        "external_id": user.external_id,
        "no_birthdays": user.is_opted_out(Kind.BIRTHDAY),
        "no_anniversaries": user.is_opted_out(Kind.ANNIVERSARY),
        "link_nonce": user.link_nonce,
        "version": user.version,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "birthday_known_at": user.birthday_known_at,
        "anniversary_known_at": user.anniversary_known_at,
        "deleted_at": user.deleted_at,
    }
