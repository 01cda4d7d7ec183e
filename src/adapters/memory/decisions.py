"""What operators have decided, in memory."""

from datetime import datetime

import attrs

from adapters.memory.store import ChannelState, MemoryStore, Transaction
from application.operator_ports import DecisionLog
from domain.decision import Decision
from domain.message import MessageKey


class MemoryDecisionLog(DecisionLog):
    """The decisions of one transaction."""

    __slots__ = ("_store", "_transaction")

    def __init__(self, transaction: Transaction, store: MemoryStore) -> None:
        self._transaction = transaction
        self._store = store

    async def note(self, decision: Decision) -> None:
        state = self._transaction.state
        if isinstance(decision.about, MessageKey) and decision.about.user_id not in state.users:
            raise RuntimeError("Nobody knows the person whom this decision is about.")
        state.decisions = (*state.decisions, decision)

    async def forget_before(self, instant: datetime) -> int:
        state = self._transaction.state
        kept = tuple(one for one in state.decisions if one.decided_at >= instant)
        forgotten = len(state.decisions) - len(kept)
        state.decisions = kept
        return forgotten

    async def resume(self, channel: str) -> bool:
        channels = self._transaction.state.channels
        known = channels.get(channel, ChannelState())
        if known.paused_until_s <= self._store.monotonic():
            return False
        channels[channel] = attrs.evolve(known, paused_until_s=0.0)
        return True
