"""What the upkeep of the ledger needs of the world, specified method by method."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

import attrs

from domain.user import UserId


@attrs.frozen
class Bookmark:
    """How far the plan has come: the last local date, and the rules by which open messages were reckoned."""

    planned_until: date | None = None
    reckoned_with: str | None = None


class Upkeep(Protocol):
    """The care of the ledger, inside a unit of work."""

    __slots__ = ()

    @abstractmethod
    async def bookmark(self) -> Bookmark:
        """Return what was noted last."""

    @abstractmethod
    async def note(self, bookmark: Bookmark) -> None:
        """Take over what *bookmark* tells, None left out; a date that is not later than the known one too."""

    @abstractmethod
    async def users_with_open_messages(self, after: UserId | None, limit: int) -> Sequence[UserId]:
        """Return up to *limit* users, in the order of their ids."""

    @abstractmethod
    async def drop_months_before(self, day: date) -> int:
        """Forget the messages of all months that lie before *day* altogether; return how many months.

        Gives up at once, to be asked again later, where others are at work on the ledger for long.
        """

    @abstractmethod
    async def forget_due_hours_before(self, instant: datetime) -> int:
        """Forget how many messages were due, or were confirmed, in the hours before *instant*; return how many hours.

        Hours that a claim is counting at this moment stay, to be asked for again later.
        """

    @abstractmethod
    async def real_now(self) -> datetime:
        """Return the instant by the real clock of the store, however the ledger's clock was moved."""
