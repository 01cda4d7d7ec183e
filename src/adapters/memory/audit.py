"""The audit trail, and what operators do to channels, in memory."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from adapters.memory.store import ChannelState, MemoryStore, State, Transaction
from application.audit_ports import KEPT_AT_LEAST, AuditReader, AuditTrail, Channels
from application.views import Page
from domain.audit import Entry
from domain.user import UserId


def note(state: State, entries: Sequence[Entry]) -> None:
    """Keep *entries* in *state*, in this order."""
    numbered = (attrs.evolve(entry, number=number) for number, entry in enumerate(entries, state.noted + 1))
    state.audit = (*state.audit, *numbered)
    state.noted += len(entries)


class MemoryAuditTrail(AuditTrail):
    """The trail of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def note(self, entries: Sequence[Entry]) -> None:
        note(self._transaction.state, entries)

    async def forget_before(self, instant: datetime) -> int:
        state = self._transaction.state
        oldest = min(instant, self._transaction.now - KEPT_AT_LEAST)
        kept = tuple(one for one in state.audit if one.at >= oldest)
        forgotten = len(state.audit) - len(kept)
        state.audit = kept
        return forgotten


class MemoryAuditReader(AuditReader):
    """The trail as it is committed."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def page(self, after: int | None, limit: int, user_id: UserId | None = None) -> Page[Entry]:
        found = [
            one
            for one in reversed(self._store.committed.audit)
            if (after is None or (one.number or 0) < after) and (user_id is None or one.user_id == user_id)
        ]
        return Page(found[:limit], len(found) > limit)

    async def decided(self, limit: int, user_id: UserId | None = None) -> Sequence[Entry]:
        found = [
            one
            for one in reversed(self._store.committed.audit)
            if (one.message is not None if user_id is not None else one.message or one.subject)
            and (user_id is None or one.user_id == user_id)
        ]
        return found[:limit]


class MemoryChannels(Channels):
    """The channels of one transaction."""

    __slots__ = ("_store", "_transaction")

    def __init__(self, transaction: Transaction, store: MemoryStore) -> None:
        self._transaction = transaction
        self._store = store

    async def let_go_on(self, channel: str) -> bool:
        channels = self._transaction.state.channels
        known = channels.get(channel, ChannelState())
        if known.paused_until_s <= self._store.monotonic() and known.braked is None:
            return False
        if known.braked is not None:
            hours = self._transaction.state.confirmed_hours
            hours[known.braked.hour] = max(hours.get(known.braked.hour, 0), known.braked.messages)
        channels[channel] = attrs.evolve(known, paused_until_s=0.0, braked=None)
        return True
