"""What was taken of limits, counted in this process alone."""

from application.access_ports import PermitStore


class MemoryPermits(PermitStore):
    """Counts of this minute and the one before."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int], int] = {}

    async def take(self, name: str, window: int, number: int) -> int:
        if (name, window) not in self._taken:
            for old in [one for one in self._taken if one[1] < window - 1]:
                del self._taken[old]
        self._taken[name, window] = self._taken.get((name, window), 0) + number
        return self._taken[name, window]
