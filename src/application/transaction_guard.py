"""No cache in a transaction: a guard that knows whether the current task is inside a unit of work."""

from collections.abc import Iterator
from contextvars import ContextVar

import attrs


@attrs.define(eq=False)
class _OpenTransaction:
    """Shared with every task that was started inside: switched off once, it is off for all of them.

    A plain flag would be copied into those tasks and stay on for ever.
    """

    is_open: bool = True
    outer: "_OpenTransaction | None" = None
    """The nearest transaction around this one that was open when it began."""


_current: ContextVar[_OpenTransaction | None] = ContextVar("current_transaction", default=None)


class CacheInTransaction(RuntimeError):
    """The cache is never read or written inside a unit of work: read the database there."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@attrs.define(eq=False)
class TransactionMark:
    """What a unit of work holds from its beginning to its end."""

    _transaction: _OpenTransaction = attrs.field(factory=_OpenTransaction)

    def begin(self) -> None:
        # Those that have ended are left out, or the chain would grow for ever.
        self._transaction.outer = next(_open_ones(), None)
        _current.set(self._transaction)

    def end(self) -> None:
        """Switch the mark off; a repeat does nothing. May be called from another context than ``begin``."""
        self._transaction.is_open = False


def refuse_in_transaction() -> None:
    """Raise CacheInTransaction inside a unit of work, or in a task that was started inside one still open."""
    # By far the most are in none, and are not to pay for the others.
    if _current.get() is not None and any(_open_ones()):
        raise CacheInTransaction


def _open_ones() -> Iterator[_OpenTransaction]:
    """Yield the open transactions around the current task, the innermost first."""
    transaction = _current.get()
    while transaction is not None:
        if transaction.is_open:
            yield transaction
        transaction = transaction.outer
