"""The ledger as it is shown, in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.memory.store import MemoryStore
from application.errors import StoreUnavailable
from application.ports import MessageReader
from application.scheduler_observing import BACKLOG_MAX, Backlog
from application.views import MessageView, Page
from domain.message import MessageKey, Status
from domain.occasion import Kind
from domain.user import UserId


class MemoryMessageReader(MessageReader):
    """The ledger as it is shown: the committed state."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, key: MessageKey) -> MessageView | None:
        message = self._store.committed.messages.get(key)
        return None if message is None else MessageView.of(message)

    async def page(
        self,
        *,
        after: MessageKey | None,
        limit: int,
        statuses: Sequence[Status] = (),
        user_id: UserId | None = None,
    ) -> Page[MessageView]:
        found = [
            message
            for key, message in sorted(self._store.committed.messages.items(), reverse=True)
            if (after is None or key < after)
            and (not statuses or message.status in statuses)
            and (user_id is None or key.user_id == user_id)
        ]
        return Page([MessageView.of(message) for message in found[:limit]], len(found) > limit)

    async def counts(self) -> Mapping[Status, int]:
        return Counter(message.status for message in self._store.committed.messages.values())

    async def backlog(self, now: datetime) -> Backlog:
        wanted = sorted(
            message.retry_at or message.due_at
            for message in self._store.committed.messages.values()
            if message.status in {Status.SCHEDULED, Status.RETRYING} and message.expires_at > now
        )
        due = [at for at in wanted if at <= now][:BACKLOG_MAX]
        return Backlog(len(due), due[0] if due else None)

    async def users_due(self, kind: Kind, first: datetime, until: datetime) -> bytes:
        state = self._store.committed
        live = {user.id for user in state.users.values() if user.deleted_at is None}
        due = {
            message.key.user_id
            for message in state.messages.values()
            if message.key.kind is kind
            and first <= message.due_at < until
            and message.status not in {Status.CANCELLED, Status.SKIPPED}
        }
        return b"".join(sorted(user_id.bytes for user_id in due & live))

    async def is_reachable(self) -> bool:
        try:
            return self._store.committed is not None
        except StoreUnavailable:
            return False
