"""The cache in memory: for tests and for demonstrations without servers."""

import time
from collections.abc import Callable, Sequence

import attrs

from application.cache_ports import CacheFigures, CachePort, Entry, Lease, Look, Place, Swept
from application.transaction_guard import refuse_in_transaction

_LIFETIME_MIN_S = 0.001  # what a server's lifetimes are counted in
_TOKEN_MAX = 16
_ID_LENGTH = 36


@attrs.define
class _Cell:
    """A value, a lease, or a lease beside a value that it may replace."""

    entry: Entry | None
    token: str | None
    until: float


@attrs.define
class _Contents:
    plain: dict[str, tuple[bytes, float]] = attrs.field(factory=dict)
    cells: dict[tuple[Place, str], _Cell] = attrs.field(factory=dict)
    watermarks: dict[Place, int] = attrs.field(factory=dict)


class MemoryCache(CachePort):
    """A cache that dies with the process; *monotonic* tells when lifetimes are over."""

    __slots__ = ("_contents", "_hits", "_misses", "_monotonic")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._contents = _Contents()
        self._hits = 0
        self._misses = 0

    async def get(self, key: str) -> bytes | None:
        value = self._get(key)
        self._count(is_hit=value is not None)
        return value

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return [await self.get(key) for key in keys]

    async def set(
        self,
        key: str,
        value: bytes,
        *,
        ttl_s: float | None = None,
        only_if_absent: bool = False,
        only_if_present: bool = False,
    ) -> bool:
        if only_if_absent and only_if_present:
            raise ValueError("A key cannot be both absent and present.")
        is_present = self._get(key) is not None
        if (only_if_absent and is_present) or (only_if_present and not is_present):
            return False
        self._held.plain[key] = value, self._end_of(ttl_s)
        return True

    async def set_many(self, entries: Sequence[tuple[str, bytes, float | None]]) -> None:
        for key, value, ttl_s in entries:
            await self.set(key, value, ttl_s=ttl_s)

    async def delete(self, *keys: str) -> int:
        there = [key for key in dict.fromkeys(keys) if self._get(key) is not None]
        for key in there:
            del self._held.plain[key]
        return len(there)

    async def delete_prefix(self, prefix: str, *, limit: int) -> int:
        there = [
            key for key in list(self._held.plain) if key.startswith(prefix) and self._get(key) is not None
        ]
        return await self.delete(*there[: max(limit, 0)])

    async def is_healthy(self) -> bool:
        return True

    async def figures(self) -> CacheFigures:
        return CacheFigures(hits=self._hits, misses=self._misses, memory_bytes=None, connected_clients=None)

    async def look(self, place: Place, key: str) -> Look:
        cell = self._cell(place, key)
        self._count(is_hit=cell is not None and cell.entry is not None)
        held: Entry | Lease | None = None
        if cell is not None:
            held = cell.entry if cell.entry is not None else Lease(cell.token or "")
        return Look(held, self._held.watermarks.get(place))

    async def follow(self, place: Place, key: str, prefix: str) -> tuple[Look, Look | None]:
        reference = await self.look(place, key)
        if not isinstance(reference.held, Entry):
            return reference, None
        leads_to = prefix + reference.held.payload[-_ID_LENGTH:].decode("ascii", "replace")
        return reference, await self.look(place, leads_to) if self._cell(place, leads_to) else None

    async def take_lease(
        self, place: Place, key: str, token: str, *, lease_s: float, renewing: bool = False
    ) -> bool:
        _refuse_bad(token)
        cell = self._cell(place, key)
        if cell is not None and cell.token == token:
            return True
        if cell is not None and not renewing:
            return False
        if cell is not None and cell.entry is not None:
            cell.token = token
        else:
            self._held.cells[place, key] = _Cell(None, token, self._end_of(lease_s))
        return True

    async def fill(self, place: Place, key: str, token: str, entry: Entry, *, ttl_s: float) -> bool:
        _refuse_bad(token)
        cell = self._cell(place, key)
        if cell is None or cell.token != token:
            return False
        self._held.cells[place, key] = _Cell(entry, None, self._end_of(ttl_s))
        return True

    async def invalidate(self, keys: Sequence[tuple[Place, str]]) -> None:
        for placed in keys:
            self._held.cells.pop(placed, None)

    async def sweep(self, place: Place, *, base: int, batch: int, keys: Sequence[tuple[str, int]]) -> Swept:
        watermark = self._held.watermarks.get(place)
        if watermark is None or not base <= watermark < batch:
            return Swept(is_gap=True, watermark=watermark)
        for key, version in keys:
            cell = self._cell(place, key)
            if cell is not None and cell.entry is not None and 0 < version <= cell.entry.version:
                cell.token = None
            else:
                self._held.cells.pop((place, key), None)
        self._held.watermarks[place] = batch
        return Swept(is_gap=False, watermark=batch)

    async def begin(self, place: Place, watermark: int) -> None:
        self._held.watermarks.setdefault(place, watermark)

    @property
    def _held(self) -> _Contents:
        """What is there: for nobody inside a unit of work."""
        refuse_in_transaction()
        return self._contents

    def _get(self, key: str) -> bytes | None:
        value, until = self._held.plain.get(key, (None, 0.0))
        if value is not None and self._monotonic() >= until:
            del self._held.plain[key]
            return None
        return value

    def _cell(self, place: Place, key: str) -> _Cell | None:
        cell = self._held.cells.get((place, key))
        if cell is not None and self._monotonic() >= cell.until:
            del self._held.cells[place, key]
            return None
        return cell

    def _end_of(self, ttl_s: float | None) -> float:
        return float("inf") if ttl_s is None else self._monotonic() + max(ttl_s, _LIFETIME_MIN_S)

    def _count(self, *, is_hit: bool) -> None:
        self._hits += is_hit
        self._misses += not is_hit


def _refuse_bad(token: str) -> None:
    """A token is short and not empty, as it has to be on a server."""
    if not 0 < len(token.encode("ascii")) <= _TOKEN_MAX or "\0" in token:
        raise ValueError(f"A token has 1 to {_TOKEN_MAX} characters.")
