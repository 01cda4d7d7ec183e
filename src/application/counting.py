"""The counts of the ledger, which are kept while messages change instead of being counted when asked for."""

from abc import abstractmethod
from typing import Protocol


class MessageCounts(Protocol):
    """Where every transaction adds what it changed, so that none waits for another."""

    __slots__ = ()

    @abstractmethod
    async def fold(self, limit: int) -> int:
        """Fold up to *limit* of what was added into the counts, which stay the same, and return how much it was.

        Until then every look at the counts adds them up. Any process may, also at the same time.
        """
