"""The care of the ledger in memory."""

from collections.abc import Sequence
from datetime import date, datetime

import attrs

from adapters.memory.store import MemoryStore, Transaction
from application.upkeep_ports import Bookmark, Upkeep
from domain.user import UserId


class MemoryUpkeep(Upkeep):
    """The upkeep of one transaction."""

    __slots__ = ("_store", "_transaction")

    def __init__(self, transaction: Transaction, store: MemoryStore) -> None:
        self._transaction = transaction
        self._store = store

    async def bookmark(self) -> Bookmark:
        return self._transaction.state.bookmark

    async def note(self, bookmark: Bookmark) -> None:
        known = self._transaction.state.bookmark
        dates = [one for one in (known.planned_until, bookmark.planned_until) if one is not None]
        self._transaction.state.bookmark = attrs.evolve(
            known,
            planned_until=max(dates, default=None),
            reckoned_with=bookmark.reckoned_with or known.reckoned_with,
        )

    async def users_with_open_messages(self, after: UserId | None, limit: int) -> Sequence[UserId]:
        found = {
            key.user_id
            for key, message in self._transaction.state.messages.items()
            if message.is_open and (after is None or key.user_id > after)
        }
        return sorted(found)[:limit]

    async def drop_months_before(self, day: date) -> int:
        first = day.replace(day=1)
        gone = [key for key in self._transaction.state.messages if key.occasion_on < first]
        for key in gone:
            self._transaction.drop(key)
        return len({(key.occasion_on.year, key.occasion_on.month) for key in gone})

    async def forget_due_hours_before(self, instant: datetime) -> int:
        state = self._transaction.state
        old = {at for hours in (state.due_hours, state.confirmed_hours) for at in hours if at < instant}
        for at in old:
            state.due_hours.pop(at, None)
            state.confirmed_hours.pop(at, None)
        return len(old)

    async def real_now(self) -> datetime:
        self._transaction.refuse_if_over()
        return self._store.real_now()
