"""People through the cache: by id, and by the reference from their address."""

from abc import abstractmethod
from typing import Protocol
from uuid import UUID

import attrs

from application.cache_ports import CacheUnavailable
from application.cached_values import CachedValues, Glance, Load, Read
from application.invalidation import USER_PREFIX, email_reference_key, user_key
from application.observing import Bypass, CacheObserver, Source
from application.ports import UserReader
from application.views import UserView
from domain.email import email_key
from domain.user import UserId


class SourcedUserReader(Protocol):
    """Finds live people, and says where the answer came from."""

    __slots__ = ()

    @abstractmethod
    async def get(self, user_id: UserId, glance: Glance | None = None) -> Read[UserView | None]:
        """Return who this is; the *glance* is one that was begun for them."""

    @abstractmethod
    def begin(self, user_id: UserId) -> Glance | None:
        """Begin to look for somebody without waiting; None where there is nowhere to look."""

    @abstractmethod
    def found(self, user_id: UserId, glance: Glance) -> Read[UserView | None] | None:
        """Return who was found by a glance that has ended; None says nothing. Raises CacheUnavailable."""

    @abstractmethod
    async def find_by_email(self, email: str) -> Read[UserView | None]:
        """Return who has this address, in whatever case it is written."""


@attrs.frozen
class CachedUserReader(SourcedUserReader):
    """A UserReader behind the cache. It reads with sessions of its own, and never inside a unit of work."""

    reader: UserReader
    users: CachedValues[UserView]
    references: CachedValues[UUID]
    observer: CacheObserver

    async def get(self, user_id: UserId, glance: Glance | None = None) -> Read[UserView | None]:
        return await self.users.read(user_key(user_id), lambda: self.reader.get(user_id), glance)

    def begin(self, user_id: UserId) -> Glance | None:
        return self.users.begin(user_key(user_id))

    def found(self, user_id: UserId, glance: Glance) -> Read[UserView | None] | None:
        return self.users.found(glance, lambda: self.reader.get(user_id))

    async def find_by_email(self, email: str) -> Read[UserView | None]:
        found: UserView | None = None

        async def load() -> UUID | None:
            nonlocal found
            found = await self.reader.find_by_email(email)
            return None if found is None else found.id

        key = email_reference_key(email)
        try:
            followed = await self._follow(key, email, load)
        except CacheUnavailable:
            value = await self.reader.find_by_email(email)
            self.observer.value_read(Source.BYPASS, Bypass.UNAVAILABLE)
            return Read(value, Source.BYPASS)
        if followed is not None:
            return followed
        reference = await self.references.read(key, load)
        if found is not None or reference.value is None:
            return Read(found, reference.source)
        user = await self.get(UserId(reference.value))
        if user.value is not None and email_key(user.value.email) == email_key(email):
            return user if reference.source is Source.HIT else Read(user.value, reference.source)
        # The reference leads to somebody who is gone or has another address: only the store knows whose it is.
        value = await self.reader.find_by_email(email)
        self.observer.value_read(Source.BYPASS, Bypass.REFERENCE)
        return Read(value, Source.BYPASS)

    async def _follow(self, key: str, email: str, load: Load[UUID]) -> Read[UserView | None] | None:
        """Return who the reference leads to, in one round trip; None unless that is right in every respect."""
        followed = await self.references.follow(key, USER_PREFIX)
        if followed is None:
            return None
        place, reference, leads_to = followed
        user_id = self.references.judge(key, place, reference)
        if user_id is None or leads_to is None:
            return None
        user = self.users.judge(user_key(user_id), place, leads_to)
        if user is None or email_key(user.email) != email_key(email):
            return None
        self.references.hit(key, user_id, load)
        return self.users.hit(user_key(user_id), user, lambda: self.reader.get(UserId(user_id)))


@attrs.frozen
class UncachedUserReader(SourcedUserReader):
    """A UserReader where no cache is configured."""

    reader: UserReader

    async def get(self, user_id: UserId, glance: Glance | None = None) -> Read[UserView | None]:  # noqa: ARG002  # there is none
        return Read(await self.reader.get(user_id), Source.BYPASS)

    def begin(self, user_id: UserId) -> None:  # noqa: ARG002  # there is nowhere to look
        return None

    def found(self, user_id: UserId, glance: Glance) -> None:  # noqa: ARG002  # the same
        return None

    async def find_by_email(self, email: str) -> Read[UserView | None]:
        return Read(await self.reader.find_by_email(email), Source.BYPASS)
