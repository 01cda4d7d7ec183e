"""What the use cases about keys, limits and repeated requests need of the world, method by method."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import attrs

from domain.access import ApiKey
from domain.audit import KeyDeed


class ApiKeys(Protocol):
    """The keys. Each method is a transaction of its own and raises StoreUnavailable.

    What is done to a key is noted in the audit trail by the same transaction: no use case can forget to.
    """

    __slots__ = ()

    @abstractmethod
    async def add(self, key: ApiKey) -> None:
        """Store a new key, and that it was made; its id was drawn at random and is nobody else's."""

    @abstractmethod
    async def find(self, key_ids: Sequence[str]) -> Sequence[ApiKey]:
        """Return those of the keys that are there, of any kind, good or not, in any order."""

    @abstractmethod
    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, sessions and feeds, the oldest first; links are left out."""

    @abstractmethod
    async def change(
        self, key_id: str, by: Callable[[ApiKey], ApiKey], deed: KeyDeed, at: datetime
    ) -> ApiKey | None:
        """Store what *by* makes of the key, which nobody else changes meanwhile; None if there is none.

        That *deed* was done to it is noted, unless it is as before. What *by* raises goes on to the caller,
        and nothing is stored.
        """

    @abstractmethod
    async def take(self, key_id: str) -> ApiKey | None:
        """Remove the key and return it: of many who call this at once, one gets it."""

    @abstractmethod
    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used; an instant before the one that is stored changes nothing."""

    @abstractmethod
    async def forget_expired(self, before: datetime) -> int:
        """Remove sessions and links that expired before *before*, and return how many; others stay listed."""


class PermitStore(Protocol):
    """Counts what was taken of a limit, over all processes that share it."""

    __slots__ = ()

    @abstractmethod
    async def take(self, name: str, window: int, number: int) -> int:
        """Add *number* to what was taken under *name* in a minute, and return the sum.

        *window* is the number of the minute. A count may be forgotten two minutes later.
        Raises CacheUnavailable.
        """


@attrs.frozen
class Answer:
    """An answer as it went over the wire; *about* are the users of whom it tells."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = attrs.field(repr=False)
    about: frozenset[UUID] = frozenset()


@attrs.frozen
class Repeatable:
    """A request that its client may send again: whose it is, the key it chose, and a digest of all it says."""

    caller: str
    key: str
    fingerprint: bytes


@attrs.frozen
class Claimed:
    """The request is the first of its kind, and the caller's to carry out; *token* proves that."""

    token: str


@attrs.frozen
class InFlight:
    """The same request is being carried out now."""


@attrs.frozen
class OtherRequest:
    """Another request was sent under this key before."""


@attrs.frozen
class Erased:
    """The request was answered; the answer is gone, with the person whom it told of."""


Claim = Claimed | InFlight | OtherRequest | Erased | Answer


class Answers(Protocol):
    """The answers to requests that may be repeated. Each method is a transaction; raises StoreUnavailable."""

    __slots__ = ()

    @abstractmethod
    async def claim(self, request: Repeatable, *, lease: timedelta, keep: timedelta) -> Claim:
        """Claim the request or tell what became of it. Of many at once, one gets ``Claimed``.

        A claim that was neither kept nor dropped within *lease* may be claimed again: its process has died.
        After *keep* everything is forgotten. Both are of real time.
        """

    @abstractmethod
    async def keep(self, request: Repeatable, claimed: Claimed, answer: Answer) -> None:
        """Store the answer of who still holds the claim; of a user who is erased by now, only that.

        What is stored about a user goes when they are erased, in the same transaction.
        """

    @abstractmethod
    async def drop(self, request: Repeatable, claimed: Claimed) -> None:
        """Give the claim up: nothing has happened, and the request may be sent again."""

    @abstractmethod
    async def forget_old(self) -> int:
        """Remove what was kept for long enough, and return how many."""
