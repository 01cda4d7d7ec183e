"""Keys in memory."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs

from adapters.memory.store import MemoryStore
from application.access_ports import ApiKeys
from application.errors import StoreUnavailable
from domain.access import ApiKey, KeyKind


class MemoryApiKeys(ApiKeys):
    """Keys that are as reachable as the store; no method waits, so that each is a transaction."""

    __slots__ = ("_held", "_store")

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._held: dict[str, ApiKey] = {}

    async def add(self, key: ApiKey) -> None:
        if key.id in self._keys:
            raise RuntimeError("A new key has an id that is taken.")
        self._keys[key.id] = key

    async def find(self, key_ids: Sequence[str]) -> Sequence[ApiKey]:
        return [self._keys[key_id] for key_id in key_ids if key_id in self._keys]

    async def list(self) -> Sequence[ApiKey]:
        listed = [key for key in self._keys.values() if key.kind is not KeyKind.LINK]
        return sorted(listed, key=lambda key: (key.created_at, key.id))

    async def change(self, key_id: str, by: Callable[[ApiKey], ApiKey]) -> ApiKey | None:
        key = self._keys.get(key_id)
        if key is None:
            return None
        self._keys[key_id] = by(key)
        return self._keys[key_id]

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

    @property
    def _keys(self) -> dict[str, ApiKey]:
        if not self._store.is_reachable:
            raise StoreUnavailable
        return self._held
