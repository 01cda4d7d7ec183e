"""People come, change, leave, and are looked up; their messages follow in the same transaction."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from application.cached_reader import SourcedUserReader
from application.cached_values import Glance, Read
from application.errors import EmailTaken, UserNotFound, VersionMismatch
from application.ports import UnitOfWork, UnitOfWorkFactory, UserReader
from application.traces import carry_over
from application.views import Page, UserView
from domain.due import SendPolicy
from domain.email import email_key
from domain.errors import InvalidField, InvalidFields
from domain.occasion import Kind
from domain.plan import plan_user
from domain.telling import OPTED_OUT, tell, told
from domain.user import (
    Particulars,
    User,
    UserId,
    change,
    particulars_of,
    register,
    remove,
    restore,
)


def new_user_id(now: datetime) -> UserId:
    """Return a version 7 UUID (RFC 9562): ids grow with the time, so lists and indexes keep that order."""
    milliseconds = max(int(now.timestamp() * 1000), 0)
    number = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UserId(UUID(int=number))


async def remember_greetings(
    uow: UnitOfWork, users: Sequence[User], policy: SendPolicy, now: datetime
) -> None:
    """Let the ledger know of greetings to the new addresses of *users* while somebody had them who is erased."""
    traces = await carry_over(uow.greeted, users, policy, now)
    if traces:
        held = await uow.messages.of_users([user.id for user in users])
        keys = {message.key for messages in held.values() for message in messages}
        await uow.messages.save([trace for trace in traces if trace.key not in keys])


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
        values = tell(raw)
        particulars, opted_out = told(values), values.get(OPTED_OUT)
        async with self.unit_of_work() as uow:
            now = await uow.now()
            known = (await uow.users.by_emails([email_key(particulars.email)])).get(
                email_key(particulars.email)
            )
            if known is not None and known.deleted_at is None:
                raise EmailTaken
            user = _registered(known, particulars, opted_out, now)
            if known is None:
                await uow.users.add([user])
                await remember_greetings(uow, [user], self.policy, now)
            else:
                await uow.users.save([(known, user)])
            await replan(uow, [user], self.policy, now)
            await uow.commit()
        return UserView.of(user)


def _registered(
    known: User | None, particulars: Particulars, opted_out: frozenset[Kind] | None, now: datetime
) -> User:
    try:
        if known is None:
            return register(new_user_id(now), particulars, now, opted_out or frozenset())
        return restore(known, particulars, now, opted_out)
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
            if changed.email_key != user.email_key:
                await remember_greetings(uow, [changed], self.policy, now)
            if changed.moves_messages(user):
                await replan(uow, [changed], self.policy, now)
            await uow.commit()
        return UserView.of(changed)


def changed_user(user: User, values: Mapping[str, Any], now: datetime) -> User:
    """Return *user* with *values* merged in; raises InvalidFields."""
    try:
        told_now = {name: value for name, value in values.items() if name != OPTED_OUT}
        return change(user, attrs.evolve(particulars_of(user), **told_now), now, values.get(OPTED_OUT))
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

    async def __call__(self, user_id: UserId, glance: Glance | None = None) -> Read[UserView]:
        """Raises UserNotFound. A *glance* is one that was begun for this id, and is not repeated."""
        user = await self.reader.get(user_id, glance)
        if user.value is None:
            raise UserNotFound
        return Read(user.value, user.source)

    def begin(self, user_id: UserId) -> Glance | None:
        """Begin to look for the record without waiting; None where there is nowhere to look."""
        return self.reader.begin(user_id)

    def found(self, user_id: UserId, glance: Glance) -> Read[UserView] | None:
        """Return what a glance that has ended has found; None says nothing. Raises CacheUnavailable."""
        user = self.reader.found(user_id, glance)
        return None if user is None or user.value is None else Read(user.value, user.source)


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
