"""Users in memory: inside a unit of work, and as they are shown."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from adapters.memory.store import MemoryStore, Transaction
from application.errors import EmailTaken, ExternalIdTaken
from application.import_ports import UserKeys
from application.ports import UserReader, Users
from application.views import Page, UserView
from domain.email import email_key
from domain.events import Event, UserChanged, UserCreated, UserDeleted
from domain.message import MessageKey
from domain.user import User, UserId


class MemoryUsers(Users):
    """The users of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, user_id: UserId) -> User | None:
        return self._transaction.state.users.get(user_id)

    async def by_ids(self, user_ids: Sequence[UserId]) -> Mapping[UserId, User]:
        stored = self._transaction.state.users
        return {user_id: stored[user_id] for user_id in sorted(set(user_ids)) if user_id in stored}

    async def by_emails(self, emails: Sequence[str]) -> Mapping[str, User]:
        wanted = frozenset(emails)
        found: dict[str, User] = {}
        for user in self._transaction.state.users.values():
            key = user.email_key
            if key in wanted and (key not in found or _is_rather(user, found[key])):
                found[key] = user
        return found

    async def by_keys(self, emails: Sequence[str], external_ids: Sequence[str]) -> Sequence[User]:
        wanted_emails, wanted_ids = frozenset(emails), frozenset(external_ids)
        found = [
            user
            for user in self._transaction.state.users.values()
            if user.email_key in wanted_emails or user.external_id in wanted_ids
        ]
        return sorted(found, key=lambda user: user.id)

    async def live_keys(self, after: UserId | None, limit: int) -> Sequence[UserKeys]:
        live = [
            user for user in _live(self._transaction.state.users.values()) if after is None or user.id > after
        ]
        live.sort(key=lambda user: user.id)
        return [UserKeys(user.id, user.email_key, user.external_id) for user in live[:limit]]

    async def add(self, users: Sequence[User]) -> None:
        stored = self._transaction.state.users
        if any(user.id in stored for user in users):
            raise RuntimeError("A new user has an id that is taken.")
        self._refuse_taken(users)
        stored.update((user.id, user) for user in users)
        for user in users:
            self._transaction.tell(UserCreated(user))

    async def save(self, changes: Sequence[tuple[User, User]]) -> None:
        stored = self._transaction.state.users
        if any(stored.get(after.id) != before for before, after in changes):
            raise RuntimeError("A user is stored over a value that was not read in this unit of work.")
        self._refuse_taken([after for _, after in changes])
        for before, after in changes:
            stored[after.id] = after
            self._transaction.tell(_event(before, after))

    async def erase(self, user: User) -> None:
        state = self._transaction.state
        for key in [key for key in state.messages if key.user_id == user.id]:
            self._transaction.drop(key)
        del state.users[user.id]
        for changed in [changed for changed in state.import_changes if changed[1] == user.id]:
            del state.import_changes[changed]
        state.decisions = tuple(
            one
            for one in state.decisions
            if not isinstance(one.about, MessageKey) or one.about.user_id != user.id
        )
        self._transaction.tell(UserDeleted(user, erased=True))

    def _refuse_taken(self, users: Sequence[User]) -> None:
        # An address that its owner gives up in the same call counts as taken too: a unique index, which is
        # checked row by row, may refuse it.
        owners: dict[tuple[str, str | None], set[UserId]] = {}
        for user in _live([*self._transaction.state.users.values(), *users]):
            owners.setdefault(("email", user.email_key), set()).add(user.id)
            owners.setdefault(("external_id", user.external_id), set()).add(user.id)
        for user in _live(users):
            if len(owners["email", user.email_key]) > 1:
                self._transaction.fail()
                raise EmailTaken
            if user.external_id is not None and len(owners["external_id", user.external_id]) > 1:
                self._transaction.fail()
                raise ExternalIdTaken


def _live(users: Iterable[User]) -> Iterable[User]:
    return (user for user in users if user.deleted_at is None)


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


class MemoryUserReader(UserReader):
    """Users as they are shown: the live ones of the committed state."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, user_id: UserId) -> UserView | None:
        user = self._store.committed.users.get(user_id)
        return None if user is None or user.deleted_at is not None else UserView.of(user)

    async def find_by_email(self, email: str) -> UserView | None:
        key = email_key(email)
        for user in _live(self._store.committed.users.values()):
            if user.email_key == key:
                return UserView.of(user)
        return None

    async def page(self, after: UserId | None, limit: int) -> Page[UserView]:
        users = sorted(
            (
                user
                for user in _live(self._store.committed.users.values())
                if after is None or user.id > after
            ),
            key=lambda user: user.id,
        )
        return Page([UserView.of(user) for user in users[:limit]], len(users) > limit)

    async def fingerprint(self) -> str:
        live = sorted((user.id, user.version) for user in _live(self._store.committed.users.values()))
        return sha256(repr(live).encode()).hexdigest()
