"""People come, change, leave, and are looked up; their messages follow in the same transaction."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from application.cached_reader import SourcedUserReader
from application.cached_values import Read
from application.errors import EmailTaken, UserNotFound, VersionMismatch
from application.explanation import why
from application.ports import Clock, MessageReader, UnitOfWork, UnitOfWorkFactory, UserReader
from application.views import MessageView, Page, UserView, user_of
from domain.due import SendPolicy, WallTime
from domain.email import email_key
from domain.errors import InvalidField, InvalidFields
from domain.message import OPEN, MessageKey
from domain.occasion import LeapDayRule
from domain.plan import Owed, owed, plan_user
from domain.user import (
    Particulars,
    User,
    UserId,
    change,
    particulars_of,
    register,
    remove,
    restore,
    tell,
    told,
)

_NEXT_WITHIN = timedelta(days=8 * 366 + 4)
"""The longest wait for an occasion: from 29 February 1896 or 2096 to the next one, eight years later."""

_HISTORY_MAX = 100
"""How many messages of one person are looked at, the newest first: two kinds a year, for decades."""


def new_user_id(now: datetime) -> UserId:
    """Return a version 7 UUID (RFC 9562): ids grow with the time, so lists and indexes keep that order."""
    milliseconds = max(int(now.timestamp() * 1000), 0)
    number = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UserId(UUID(int=number))


async def replan(uow: UnitOfWork, users: Sequence[User], policy: SendPolicy, now: datetime) -> int:
    """Bring the messages of *users* in line with what they are owed now; return how many changed."""
    history = await uow.messages.of_users([user.id for user in users])
    changed = [
        message for user in users for message in plan_user(user, history.get(user.id, ()), policy, now)
    ]
    if changed:
        await uow.messages.save(changed)
    return len(changed)


@attrs.frozen
class RegisterUser:
    """A new person is registered, and what falls into the planning window is planned with them.

    Somebody who was deleted and comes back with the same address is the same person again.
    """

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(self, raw: Mapping[str, str | None]) -> UserView:
        """Raises InvalidFields, EmailTaken."""
        particulars = told(tell(raw))
        async with self.unit_of_work() as uow:
            now = await uow.now()
            known = (await uow.users.by_emails([email_key(particulars.email)])).get(
                email_key(particulars.email)
            )
            if known is not None and known.deleted_at is None:
                raise EmailTaken
            user = _registered(known, particulars, now)
            if known is None:
                await uow.users.add([user])
            else:
                await uow.users.save([(known, user)])
            await replan(uow, [user], self.policy, now)
            await uow.commit()
        return UserView.of(user)


def _registered(known: User | None, particulars: Particulars, now: datetime) -> User:
    try:
        if known is None:
            return register(new_user_id(now), particulars, now)
        return restore(known, particulars, now)
    except InvalidField as problem:
        raise InvalidFields([problem]) from problem


@attrs.frozen
class ChangeUser:
    """A person's record takes over the values given, and open messages move with it."""

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(
        self, user_id: UserId, raw: Mapping[str, str | None], versions: Sequence[int] | None = None
    ) -> UserView:
        """Change only if the record has one of *versions*, where given.

        Raises InvalidFields, UserNotFound, VersionMismatch, EmailTaken.
        """
        values = tell(raw)
        async with self.unit_of_work() as uow:
            now = await uow.now()
            user = await _live(uow, user_id, versions)
            changed = changed_user(user, values, now)
            if changed is user:
                return UserView.of(user)
            await uow.users.save([(user, changed)])
            if changed.moves_messages(user):
                await replan(uow, [changed], self.policy, now)
            await uow.commit()
        return UserView.of(changed)


def changed_user(user: User, values: Mapping[str, Any], now: datetime) -> User:
    """Return *user* with *values* merged in; raises InvalidFields."""
    try:
        return change(user, attrs.evolve(particulars_of(user), **values), now)
    except InvalidField as problem:
        raise InvalidFields([problem]) from problem


@attrs.frozen
class RemoveUser:
    """A person leaves: nothing is sent any more; with *erase* nothing is kept of them either."""

    unit_of_work: UnitOfWorkFactory
    policy: SendPolicy

    async def __call__(
        self, user_id: UserId, *, erase: bool = False, versions: Sequence[int] | None = None
    ) -> None:
        """Raises UserNotFound, VersionMismatch. Somebody deleted before can still be erased."""
        async with self.unit_of_work() as uow:
            now = await uow.now()
            if erase:
                user = await uow.users.get(user_id)
                if user is None:
                    raise UserNotFound
                _match(user, versions)
                await uow.users.erase(user)
            else:
                user = await _live(uow, user_id, versions)
                removed = remove(user, now)
                await uow.users.save([(user, removed)])
                await replan(uow, [removed], self.policy, now)
            await uow.commit()


async def _live(uow: UnitOfWork, user_id: UserId, versions: Sequence[int] | None) -> User:
    user = await uow.users.get(user_id)
    if user is None or user.deleted_at is not None:
        raise UserNotFound
    _match(user, versions)
    return user


def _match(user: User, versions: Sequence[int] | None) -> None:
    if versions is not None and user.version not in versions:
        raise VersionMismatch


@attrs.frozen
class GetUser:
    """A person's record, as it is shown; it may come from the cache."""

    reader: SourcedUserReader

    async def __call__(self, user_id: UserId) -> Read[UserView]:
        user = await self.reader.get(user_id)
        if user.value is None:
            raise UserNotFound
        return Read(user.value, user.source)


@attrs.frozen
class FindUserByEmail:
    """The person who has an address; it may come from the cache."""

    reader: SourcedUserReader

    async def __call__(self, email: str) -> Read[UserView]:
        user = await self.reader.find_by_email(email)
        if user.value is None:
            raise UserNotFound
        return Read(user.value, user.source)


@attrs.frozen
class ListUsers:
    """A page of people in the order of their registration."""

    reader: UserReader

    async def __call__(self, after: UserId | None, limit: int) -> Page[UserView]:
        return await self.reader.page(after, limit)


@attrs.frozen(kw_only=True)
class UpcomingMessage:
    """A message that a person is to get: when, in both times, and why then.

    *status* is None while the ledger does not hold it yet. *leap_day_rule* is set where it chose the day.
    """

    key: MessageKey
    years: int | None
    due_at: datetime
    timezone: str
    wall_time: WallTime
    leap_day_rule: LeapDayRule | None
    why: str
    status: str | None


@attrs.frozen
class Upcoming:
    """What a person will get next, and what happened to the last messages."""

    user: UserView
    upcoming: Sequence[UpcomingMessage]
    past: Sequence[MessageView]


@attrs.frozen
class UpcomingOfUser:
    """When a person's next messages go out, which rule applied, and what happened to the last ones.

    Read without a transaction: who only looks does not keep a message from leaving.
    """

    users: UserReader
    messages: MessageReader
    policy: SendPolicy
    clock: Clock

    async def __call__(self, user_id: UserId, days: int = 366) -> Upcoming:
        """Look *days* ahead, and for each kind as far as its next message. Raises UserNotFound."""
        view = await self.users.get(user_id)
        if view is None:
            raise UserNotFound
        now = self.clock.now()
        page = await self.messages.page(after=None, limit=_HISTORY_MAX, user_id=user_id)
        held = {message.key: message for message in page.items}
        first, soon = (now - timedelta(days=2)).date(), (now + timedelta(days=days)).date()
        upcoming: list[UpcomingMessage] = []
        for one in owed(user_of(view), self.policy, first, first + _NEXT_WITHIN, now):
            message = held.get(str(one.message.key))
            if message is None:
                if one.message.due_at < now:
                    continue
            elif message.status not in OPEN:
                continue
            is_next = all(told.key.kind is not one.occasion.kind for told in upcoming)
            if is_next or one.occasion.on <= soon:
                upcoming.append(self._told(one, message))
        past = [message for message in page.items if message.status not in OPEN]
        return Upcoming(view, upcoming, past[:20])

    def _told(self, one: Owed, message: MessageView | None) -> UpcomingMessage:
        annual = one.user.annual(one.occasion.kind)
        is_leap_day = annual is not None and annual.is_leap_day
        rule = (one.user.leap_day_rule or self.policy.leap_day_rule) if is_leap_day else None
        wall_time = one.message.wall_time if message is None else WallTime(message.wall_time)
        return UpcomingMessage(
            key=one.message.key,
            years=one.occasion.years,
            due_at=one.message.due_at if message is None else message.due_at,
            timezone=one.user.timezone,
            wall_time=wall_time,
            leap_day_rule=rule,
            why=why(one.occasion.on, wall_time, self.policy.send_time, rule),
            status=None if message is None else message.status,
        )
