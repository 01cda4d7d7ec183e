"""What imports have changed, in memory."""

from collections.abc import Sequence
from datetime import datetime

from adapters.memory.store import Transaction
from application.import_ports import ImportChange, ImportId, ImportLog


class MemoryImportLog(ImportLog):
    """The imports of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def begin(self, import_id: ImportId, now: datetime) -> None:
        self._transaction.state.imports[import_id] = now

    async def record(self, import_id: ImportId, changes: Sequence[ImportChange]) -> None:
        state = self._transaction.state
        keys = [(import_id, change.user_id) for change in changes]
        if (
            import_id not in state.imports
            or len({*keys}) < len(keys)
            or any(key in state.import_changes or key[1] not in state.users for key in keys)
        ):
            raise RuntimeError("The import is unknown, or a person is, or was changed by it before.")
        state.import_changes.update(zip(keys, changes, strict=True))

    async def take(self, import_id: ImportId, limit: int) -> Sequence[ImportChange] | None:
        state = self._transaction.state
        if import_id not in state.imports:
            return None
        keys = sorted(key for key in state.import_changes if key[0] == import_id)[:limit]
        return [state.import_changes.pop(key) for key in keys]

    async def forget(self, import_id: ImportId) -> None:
        state = self._transaction.state
        state.imports.pop(import_id, None)
        for key in [key for key in state.import_changes if key[0] == import_id]:
            del state.import_changes[key]

    async def forget_before(self, instant: datetime) -> int:
        old = [
            import_id for import_id, began_at in self._transaction.state.imports.items() if began_at < instant
        ]
        for import_id in old:
            await self.forget(import_id)
        return len(old)
