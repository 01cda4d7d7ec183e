"""Keys in memory."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import attrs

from adapters.memory.audit import note
from adapters.memory.store import MemoryStore
from application.access_ports import ApiKeys
from application.errors import StoreUnavailable
from application.trail import entry_of
from domain.access import ApiKey, KeyKind
from domain.audit import Entry, KeyDeed


class MemoryApiKeys(ApiKeys):
    """Keys that are as reachable as the store; none waits between a look and a change: each is a transaction."""

    __slots__ = ("_held", "_store")

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._held: dict[str, ApiKey] = {}

    async def add(self, key: ApiKey) -> None:
        async with self._noting() as noted:
            if key.id in self._keys:
                raise RuntimeError("A new key has an id that is taken.")
            self._keys[key.id] = key
            noted(entry_of(KeyDeed.MAKE, key, key.created_at))

    async def find(self, key_ids: Sequence[str]) -> Sequence[ApiKey]:
        return [self._keys[key_id] for key_id in key_ids if key_id in self._keys]

    async def list(self) -> Sequence[ApiKey]:
        listed = [key for key in self._keys.values() if key.kind is not KeyKind.LINK]
        return sorted(listed, key=lambda key: (key.created_at, key.id))

    async def change(
        self, key_id: str, by: Callable[[ApiKey], ApiKey], deed: KeyDeed, at: datetime
    ) -> ApiKey | None:
        async with self._noting() as noted:
            key = self._keys.get(key_id)
            if key is None:
                return None
            self._keys[key_id] = changed = by(key)
            if changed != key:
                noted(entry_of(deed, changed, at))
        return changed

    async def take(self, key_id: str) -> ApiKey | None:
        return self._keys.pop(key_id, None)

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        for key_id, at in uses.items():
            key = self._keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at < at):
                self._keys[key_id] = attrs.evolve(key, last_used_at=at)

    async def forget_expired(self, before: datetime) -> int:
        gone = [
            key.id
            for key in self._keys.values()
            if key.kind in {KeyKind.SESSION, KeyKind.LINK}
            and key.expires_at is not None
            and key.expires_at < before
        ]
        for key_id in gone:
            del self._keys[key_id]
        return len(gone)

    @asynccontextmanager
    async def _noting(self) -> AsyncIterator[Callable[[Entry], None]]:
        """Lend what notes in the audit trail, which no unit of work writes to meanwhile."""
        await self._store.acquire()
        try:
            state = self._store.committed.copy()
            yield lambda entry: note(state, [entry])
            self._store.commit(state)
        finally:
            self._store.release()

    @property
    def _keys(self) -> dict[str, ApiKey]:
        if not self._store.is_reachable:
            raise StoreUnavailable
        return self._held
