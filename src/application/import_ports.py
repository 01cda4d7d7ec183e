"""What importing many people needs of the store, inside a unit of work."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NewType, Protocol
from uuid import UUID

import attrs

from domain.user import Particulars, User, UserId

REMEMBERED = timedelta(days=30)
"""For how long an import can be undone: what people were before is kept no longer than that."""

ImportId = NewType("ImportId", UUID)


@attrs.frozen
class UserKeys:
    """By what a file may know somebody."""

    id: UserId
    email_key: str
    external_id: str | None


@attrs.frozen(kw_only=True)
class ImportChange:
    """What an import did to one person: enough to take it back, as long as nobody else has changed them.

    *version* is that of the record as the import left it; *before* is None for somebody who was new.
    """

    user_id: UserId
    version: int
    before: Particulars | None
    was_deleted: bool = False


class UserSearch(Protocol):
    """Users found other than by address; deleted ones as well where nothing else is said."""

    __slots__ = ()

    @abstractmethod
    async def by_keys(self, emails: Sequence[str], external_ids: Sequence[str]) -> Sequence[User]:
        """Return everybody who has one of these e-mail keys or external ids, locked in the order of their ids."""

    @abstractmethod
    async def live_keys(self, after: UserId | None, limit: int) -> Sequence[UserKeys]:
        """Return the keys of live users in the order of their ids, not locked."""


class ImportLog(Protocol):
    """What imports have changed. It holds what people were before, and forgets it when they are erased."""

    __slots__ = ()

    @abstractmethod
    async def begin(self, import_id: ImportId, now: datetime) -> None:
        """Remember that this import began."""

    @abstractmethod
    async def record(self, import_id: ImportId, changes: Sequence[ImportChange]) -> None:
        """Remember what the import did to people whom it has not changed before."""

    @abstractmethod
    async def take(self, import_id: ImportId, limit: int) -> Sequence[ImportChange] | None:
        """Return up to *limit* of its changes and forget them; None for an import that nobody remembers.

        Waits while another transaction takes from the same import.
        """

    @abstractmethod
    async def forget(self, import_id: ImportId) -> None:
        """Forget the import and its changes; a repeat does nothing."""

    @abstractmethod
    async def forget_before(self, instant: datetime) -> int:
        """Forget the imports that began before *instant*; return how many."""
