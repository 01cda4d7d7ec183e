"""Today's lists: whose birthday or anniversary message is due on this day."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import attrs

from application.cached_values import CachedValues, Read
from application.invalidation import ANNIVERSARIES_TODAY, BIRTHDAYS_TODAY
from application.observing import Source
from application.ports import Clock, MessageReader
from domain.occasion import Kind
from domain.user import UserId

ID_BYTES = 16
KEYS = {Kind.BIRTHDAY: BIRTHDAYS_TODAY, Kind.ANNIVERSARY: ANNIVERSARIES_TODAY}


def _whole_ids(_list: object, _attribute: object, packed: bytes) -> None:
    if len(packed) % ID_BYTES:
        raise ValueError("Packed ids have 16 bytes each.")


@attrs.frozen
class TodaysList:
    """The people who have a message of *kind* due on *day*, in the order of their ids.

    A day in UTC: who is 14 hours ahead may be on the list of the 1st with a birthday on the 2nd. The ids stay
    *packed*, 16 bytes each, since there may be a hundred thousand of them.
    """

    kind: Kind
    day: date
    packed: bytes = attrs.field(validator=_whole_ids)

    @property
    def count(self) -> int:
        return len(self.packed) // ID_BYTES

    @property
    def user_ids(self) -> list[UserId]:
        starts = range(0, len(self.packed), ID_BYTES)
        return [UserId(UUID(bytes=self.packed[start : start + ID_BYTES])) for start in starts]


@attrs.frozen
class ComputeTodaysList:
    """Today's list as the ledger has it.

    The plan is made for more than a day ahead, so that it holds all that is due today from the first instant
    of the day. What came in later, or was moved, is in the ledger with the same commit. Only what nothing
    planned in time, because no process ran for days, and what was no longer to be sent then, is missing.
    """

    reader: MessageReader
    clock: Clock

    async def __call__(self, kind: Kind) -> TodaysList:
        day = self.clock.now().astimezone(UTC).date()
        first = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return TodaysList(kind, day, await self.reader.users_due(kind, first, first + timedelta(days=1)))


@attrs.frozen
class ShowTodaysList:
    """Today's list, and where it came from."""

    compute: ComputeTodaysList
    cached: CachedValues[TodaysList] | None = None

    async def __call__(self, kind: Kind) -> Read[TodaysList]:
        if self.cached is None:
            return Read(await self.compute(kind), Source.BYPASS)
        read = await self.cached.read(KEYS[kind], lambda: self.compute(kind))
        if read.value is None:
            raise AssertionError("A list is always there, if only without anybody.")
        return Read(read.value, read.source)


@attrs.frozen
class RefreshTodaysLists:
    """Both lists are computed anew; those that are there are served until then, so that none is ever missing."""

    compute: ComputeTodaysList
    cached: CachedValues[TodaysList]

    async def __call__(self) -> None:
        """Raises StoreUnavailable. A cache that is away is left alone: who reads a list then computes it."""
        for kind in Kind:
            await self.cached.replace(KEYS[kind], partial(self.compute, kind))


def next_day(instant: datetime) -> datetime:
    """Return the next 00:00 UTC."""
    day = instant.astimezone(UTC).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
